"""Fixtures of the tests of persistence."""

from tests.unit.conftest import engine

__all__ = ["engine"]
