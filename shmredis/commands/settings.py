"""Reading one directive of the configuration."""

from shmredis.commands.context import Context

__all__ = ["setting"]


def setting(ctx: Context, name: str) -> str:
    """The directive's value as CONFIG GET says it."""
    return ctx.server.config.text(name)
