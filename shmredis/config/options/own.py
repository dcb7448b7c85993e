"""What Redis does not have."""

from shmredis.config.option import Option
from shmredis.config.types import Boolean, Cores, Memory, Text

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("arena-max", Memory(64 << 20, 32 << 30), str(32 << 30), mutable=False),
    Option("discard-shm", Boolean(), "no", mutable=False),
    Option("shm-name", Text(), "", mutable=False),
    Option("warm-restart", Boolean(), "yes"),
    Option("workers", Cores(64), "1", mutable=False),
)
