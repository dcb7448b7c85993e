"""A rate limiter: token buckets, one per key, that fill up over time.

    loadmodule /path/to/ratelimit.py [most-tokens]

RATELIMIT.TAKE key capacity per-second [tokens]   takes tokens if there are enough, one if not said
    reply: [1 or 0: taken or not, whole tokens left, seconds until there will be enough, or -1: never]
RATELIMIT.PEEK key                                 [whole tokens left, capacity], or null
RATELIMIT.RESET key [key ...]                      fills buckets up; the number of those there were

A bucket is a hash, which expires when it would be full. In ten lines of Lua, a limiter has to trust the
clocks of its clients or call TIME; here it is a command, with a name that rules of users can have, and
works inside MULTI and with keys of any worker.
"""

from dataclasses import dataclass

from shmredis.module import (
    CommandError,
    Context,
    Flag,
    Keys,
    KeyUse,
    Module,
    ModuleError,
)

module = Module("ratelimit", version=1)


@dataclass(slots=True)
class Limits:
    """What `loadmodule` has said."""

    most_tokens: int = 1_000_000_000


limits = Limits()


@module.on_load
def configure(args: list[str]) -> None:
    if len(args) > 1 or not all(arg.isascii() and arg.isdigit() for arg in args):
        raise ModuleError("the only argument is the most tokens that a bucket may have")
    limits.most_tokens = int(args[0]) if args else Limits().most_tokens


@dataclass(slots=True)
class Bucket:
    """What is in one, as of `at_ms`."""

    capacity: float
    per_second: float
    tokens: float
    at_ms: int

    def fill(self, now_ms: int) -> None:
        """Adds what has come in since."""
        passed_s = max(0, now_ms - self.at_ms) / 1000
        self.tokens = min(self.capacity, self.tokens + passed_s * self.per_second)
        self.at_ms = now_ms

    def wait_s(self, tokens: float) -> float:
        """Seconds until there are so many; -1: never."""
        if tokens > self.capacity:
            return -1.0
        return max(0.0, (tokens - self.tokens) / self.per_second)


def read_bucket(ctx: Context, key: bytes) -> Bucket | None:
    """Raises: CommandError if the key is no hash."""
    fields = ctx.call("HMGET", key, "capacity", "rate", "tokens", "at")
    match fields:
        case [bytes() as capacity, bytes() as rate, bytes() as tokens, bytes() as at]:
            return Bucket(float(capacity), float(rate), float(tokens), int(at))
    return None


def write_bucket(ctx: Context, key: bytes, bucket: Bucket) -> None:
    fields = {
        "capacity": bucket.capacity,
        "rate": bucket.per_second,
        "tokens": bucket.tokens,
        "at": bucket.at_ms,
    }
    ctx.call("HSET", key, *[word for pair in fields.items() for word in pair])
    full_in_ms = 1000 * (bucket.capacity - bucket.tokens) / bucket.per_second
    ctx.call("PEXPIRE", key, int(full_in_ms) + 1)


def positive(text: bytes, what: str) -> float:
    """Raises: CommandError."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= limits.most_tokens:
        raise CommandError(f"ERR {what} must be above 0 and at most {limits.most_tokens}")
    return number


@module.command(
    "RATELIMIT.TAKE",
    arity=-4,
    flags=Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    keys=Keys(1),
    acl="hash",
    syntax="key capacity per-second [tokens]",
)
def take(ctx: Context) -> list[int | float]:
    """Takes tokens out of a bucket if it has enough of them."""
    if len(ctx.args) > 4:
        raise CommandError("ERR syntax error")
    key, (capacity, per_second) = ctx.args[0], map(positive, ctx.args[1:3], ("capacity", "rate"))
    tokens = positive(ctx.args[3], "tokens") if len(ctx.args) > 3 else 1.0
    now_ms = ctx.now_ms
    bucket = read_bucket(ctx, key) or Bucket(capacity, per_second, capacity, now_ms)
    bucket.fill(now_ms)
    bucket.capacity, bucket.per_second = capacity, per_second
    bucket.tokens = min(bucket.tokens, capacity)
    wait_s = bucket.wait_s(tokens)
    if wait_s == 0:
        bucket.tokens -= tokens
        write_bucket(ctx, key, bucket)
    return [int(wait_s == 0), int(bucket.tokens), wait_s]


@module.command("RATELIMIT.PEEK", arity=2, flags=Flag.READ | Flag.FAST, keys=Keys(1), syntax="key")
def peek(ctx: Context) -> list[int] | None:
    """Tells how many tokens a bucket has, and how many it may have."""
    bucket = read_bucket(ctx, ctx.args[0])
    if bucket is None:
        return None
    bucket.fill(ctx.now_ms)
    return [int(bucket.tokens), int(bucket.capacity)]


@module.command(
    "RATELIMIT.RESET",
    arity=-2,
    flags=Flag.WRITE,
    keys=Keys(1, -1, use=KeyUse.REMOVE),
    syntax="key [key ...]",
)
def reset(ctx: Context) -> int:
    """Fills buckets up."""
    return sum(ctx.call("DEL", key) == 1 for key in ctx.args)
