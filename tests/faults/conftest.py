"""Fixtures of the tests of faults."""

import pytest

from tests.harness.certificates import Certificates, make_certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority and what it has signed."""
    return make_certificates(tmp_path_factory.mktemp("tls"))
