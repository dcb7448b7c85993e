"""How many files a process may have open: a descriptor for each client and some more."""

import resource

__all__ = ["allow_clients"]

SPARE_FILES = 64


def allow_clients(clients: int) -> int:
    """Raises the process's limit as far as it has to be and can; how many clients there may be then."""
    wanted = clients + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return clients
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed - SPARE_FILES
