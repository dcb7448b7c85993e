"""TLS: certificates, and who must show one."""

from shmredis.config.option import Option
from shmredis.config.types import Boolean, Integer, Text, one_of

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("tls-auth-clients", one_of("no", "yes", "optional"), "yes"),
    Option("tls-auth-clients-user", one_of("CN", "off"), "off"),
    Option("tls-ca-cert-dir", Text(), ""),
    Option("tls-ca-cert-file", Text(), ""),
    Option("tls-cert-file", Text(), ""),
    Option("tls-ciphers", Text(), ""),
    Option("tls-ciphersuites", Text(), ""),
    Option("tls-client-cert-file", Text(), ""),
    Option("tls-client-key-file", Text(), ""),
    Option("tls-client-key-file-pass", Text(), ""),
    Option("tls-cluster", Boolean(), "no"),
    Option("tls-dh-params-file", Text(), ""),
    Option("tls-expected-peer-name", Text(), ""),
    Option("tls-key-file", Text(), ""),
    Option("tls-key-file-pass", Text(), ""),
    Option("tls-port", Integer(0, 65535), "0"),
    Option("tls-prefer-server-ciphers", Boolean(), "no"),
    Option("tls-protocols", Text(), ""),
    Option("tls-replication", Boolean(), "no"),
    Option("tls-session-cache-size", Integer(0, 2147483647), "20480"),
    Option("tls-session-cache-timeout", Integer(0, 2147483647), "300"),
    Option("tls-session-caching", Boolean(), "yes"),
)
