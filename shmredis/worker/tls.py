"""The TLS context that tls-* directives describe."""

import logging
import ssl
from pathlib import Path
from typing import Any

from shmredis.config import Config, ConfigError
from shmredis.config.table import OPTIONS

__all__ = ["TlsSettings", "make_context"]

log = logging.getLogger(__name__)

REFUSED = "Unable to update TLS configuration. Check server logs."

VERIFY = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}
VERSIONS = {"tlsv1.2": ssl.TLSVersion.TLSv1_2, "tlsv1.3": ssl.TLSVersion.TLSv1_3}


def make_context(config: Config) -> ssl.SSLContext | None:
    """A server context, or None without a tls-port. Raises: ssl.SSLError, OSError, ValueError."""
    if not config["tls-port"]:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    password = config["tls-key-file-pass"] or None
    context.load_cert_chain(config["tls-cert-file"], config["tls-key-file"] or None, password)
    context.verify_mode = VERIFY[config["tls-auth-clients"]]
    if context.verify_mode is not ssl.CERT_NONE:
        _load_authorities(config, context)
    if ciphers := config["tls-ciphers"]:
        context.set_ciphers(ciphers)
    if wanted := config["tls-protocols"]:
        _limit_versions(context, wanted)
    if config["tls-prefer-server-ciphers"]:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    if dh := config["tls-dh-params-file"]:
        context.load_dh_params(dh)
    return context


def _load_authorities(config: Config, context: ssl.SSLContext) -> None:
    cafile, capath = config["tls-ca-cert-file"], config["tls-ca-cert-dir"]
    if not cafile and not capath:
        raise ValueError(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when clients are authenticated"
        )
    if capath and not Path(capath).is_dir():
        raise ValueError(f"tls-ca-cert-dir {capath} is not a directory")
    context.load_verify_locations(cafile or None, capath or None)


def _limit_versions(context: ssl.SSLContext, wanted: str) -> None:
    names = wanted.lower().split()
    unknown = set(names) - VERSIONS.keys()
    if unknown or not names:
        raise ValueError(f"tls-protocols: unknown version {' '.join(sorted(unknown))}")
    versions = sorted(VERSIONS[name] for name in names)
    context.minimum_version, context.maximum_version = versions[0], versions[-1]


class TlsSettings:
    """The context in force. It is made anew when a directive changes, for connections to come."""

    def __init__(self, config: Config) -> None:
        """Raises: ssl.SSLError, OSError, ValueError."""
        self._config = config
        self.context = make_context(config)
        for name in OPTIONS:
            if name.startswith("tls-"):
                config.watch(name, self._renew)

    def _renew(self, _value: Any) -> None:
        """Raises: ConfigError, and the old context stays."""
        try:
            self.context = make_context(self._config)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            log.warning("Failed to configure TLS: %s", error)
            raise ConfigError(REFUSED) from error
