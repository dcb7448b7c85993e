"""How large a value may be in a compact encoding, and how arrays are cut."""

from collections.abc import Mapping

from shmredis.config.option import Option
from shmredis.config.types import INT64_MAX, ConfigError, Integer, Memory

__all__ = ["OPTIONS"]


def _power_of_two(text: str, _: Mapping[str, str]) -> None:
    if int(text).bit_count() != 1:
        raise ConfigError("array-slice-size must be a power of two")


def _below_most(text: str, others: Mapping[str, str]) -> None:
    if int(text) >= int(others["array-sparse-kmax"]) > 0:
        raise ConfigError("array-sparse-kmin must be less than array-sparse-kmax")


def _above_least(text: str, others: Mapping[str, str]) -> None:
    if 0 < int(text) <= int(others["array-sparse-kmin"]):
        raise ConfigError("array-sparse-kmax must be greater than array-sparse-kmin when non-zero")


OPTIONS: tuple[Option, ...] = (
    Option(
        "array-slice-size",
        Integer(256, 65536),
        "4096",
        core="array_slice_size",
        check=_power_of_two,
    ),
    Option(
        "array-sparse-kmax", Integer(0, 256), "10", core="array_sparse_kmax", check=_above_least
    ),
    Option("array-sparse-kmin", Integer(0, 256), "5", core="array_sparse_kmin", check=_below_most),
    Option(
        "hash-max-listpack-entries", Integer(0, INT64_MAX), "512", core="hash_max_listpack_entries"
    ),
    Option("hash-max-listpack-value", Memory(), "64", core="hash_max_listpack_value"),
    Option("hash-max-template-entries", Integer(0, INT64_MAX), "0"),
    Option("hash-min-template-entries", Integer(0, INT64_MAX), "0"),
    Option("hash-rdb-load-max-template-entries", Integer(0, INT64_MAX), "0"),
    Option("hash-rdb-load-min-template-entries", Integer(0, INT64_MAX), "0"),
    Option("hash-rdb-load-template-disassembly-threshold", Integer(0, INT64_MAX), "0"),
    Option("hll-sparse-max-bytes", Memory(), "3000", core="hll_sparse_max_bytes"),
    Option("list-compress-depth", Integer(0, 2147483647), "0", core="list_compress_depth"),
    Option(
        "list-max-listpack-size",
        Integer(-2147483648, 2147483647),
        "-2",
        core="list_max_listpack_size",
    ),
    Option("set-max-intset-entries", Integer(0, INT64_MAX), "512", core="set_max_intset_entries"),
    Option(
        "set-max-listpack-entries", Integer(0, INT64_MAX), "128", core="set_max_listpack_entries"
    ),
    Option("set-max-listpack-value", Integer(0, INT64_MAX), "64", core="set_max_listpack_value"),
    Option("stream-idmp-duration", Integer(1, 86400), "100", core="stream_idmp_duration"),
    Option("stream-idmp-maxsize", Integer(1, 10000), "100", core="stream_idmp_maxsize"),
    Option("stream-node-max-bytes", Memory(), "4096", core="stream_node_max_bytes"),
    Option("stream-node-max-entries", Integer(0, INT64_MAX), "100", core="stream_node_max_entries"),
    Option(
        "zset-max-listpack-entries", Integer(0, INT64_MAX), "128", core="zset_max_listpack_entries"
    ),
    Option("zset-max-listpack-value", Memory(), "64", core="zset_max_listpack_value"),
)
