"""Fixtures of the tests with others' programs."""

from tests.unit.conftest import engine

__all__ = ["engine"]
