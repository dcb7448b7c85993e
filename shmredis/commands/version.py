"""The version of Redis whose behaviour this server has; clients look at it."""

__all__ = ["REDIS_VERSION"]

REDIS_VERSION = "8.10.2"
