"""What Redis does not have."""

from shmredis.config.option import Option
from shmredis.config.types import Boolean, Cores, Integer, Memory, Text

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("arena-max", Memory(64 << 20, 32 << 30), str(32 << 30), mutable=False),
    Option("discard-shm", Boolean(), "no", mutable=False),
    Option("gather-delay-us", Integer(0, 1000), "60", core="gather_delay_us"),
    Option("shm-name", Text(), "", mutable=False),
    Option("warm-restart", Boolean(), "yes"),
    Option("workers", Cores(64), "1", mutable=False),
)
