"""The configuration: a table of directives, redis.conf syntax, CONFIG GET, SET and REWRITE."""

from shmredis.config.config import Config
from shmredis.config.types import ConfigError

__all__ = ["Config", "ConfigError"]
