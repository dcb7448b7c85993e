"""shmredis: a Redis-compatible server made of several processes over shared memory."""

__all__ = ["__version__"]

__version__ = "0.1.0"
