"""Sections of INFO about the process and its surroundings."""

import os
import sys
import time

from shmredis.commands.context import Context
from shmredis.commands.figures import AOF, BACKUPS, CLIENTS, LOADS, PROCESS, SNAPSHOTS, STATS
from shmredis.commands.info_aof import aof_fields, aof_size_fields
from shmredis.commands.info_loading import last_load_fields, loading_fields
from shmredis.commands.info_snapshots import progress_fields, snapshot_fields
from shmredis.commands.settings import setting
from shmredis.commands.version import REDIS_VERSION

__all__ = [
    "clients_section",
    "cluster_section",
    "cpu_section",
    "persistence_section",
    "replication_section",
    "server_section",
    "threads_section",
]

Fields = list[tuple[str, object]]


def server_section(ctx: Context) -> Fields:
    facts = ctx.server.facts
    uptime = int(time.time() - facts.started_s)
    system = os.uname()
    fields: Fields = [
        ("redis_version", REDIS_VERSION),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", "0" * 16),
        ("redis_mode", "standalone"),
        ("os", f"{system.sysname} {system.release} {system.machine}"),
        ("arch_bits", 64 if sys.maxsize > 2**32 else 32),
        ("monotonic_clock", "POSIX clock_gettime"),
        ("multiplexing_api", "epoll"),
        ("atomicvar_api", "c11-builtin"),
        ("gcc_version", "0.0.0"),
        ("process_id", facts.pid),
        ("process_supervised", "no"),
        ("run_id", facts.run_id),
        ("tcp_port", setting(ctx, "port")),
        ("server_time_usec", time.time_ns() // 1000),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86400),
        ("hz", ctx.engine.option("hz")),
        ("configured_hz", setting(ctx, "hz")),
        ("lru_clock", int(time.time()) & 0xFFFFFF),
        ("executable", facts.executable),
        ("config_file", ctx.server.config.path or ""),
        ("io_threads_active", 0),
    ]
    return fields + [(f"listener{i}", text) for i, text in enumerate(_listeners(ctx))]


def _listeners(ctx: Context) -> list[str]:
    """What the server listens at, as the configuration says it."""
    binds = "".join(f"bind={address}," for address in setting(ctx, "bind").split())
    ports = (("tcp", setting(ctx, "port")), ("tls", setting(ctx, "tls-port")))
    listeners = [f"name={name},{binds}port={port}" for name, port in ports if port != "0"]
    if path := setting(ctx, "unixsocket"):
        listeners.append(f"name=unix,bind={path}")
    return listeners


def clients_section(ctx: Context) -> Fields:
    clients = ctx.figures[CLIENTS]
    return [
        ("connected_clients", clients.count),
        ("cluster_connections", 0),
        ("maxclients", setting(ctx, "maxclients")),
        ("client_recent_max_input_buffer", clients.longest_input),
        ("client_recent_max_output_buffer", clients.longest_output),
        ("blocked_clients", clients.blocked),
        ("tracking_clients", clients.tracking),
        ("pubsub_clients", clients.subscribers),
        ("watching_clients", clients.watching),
        ("clients_in_timeout_table", 0),
        ("active_clients", clients.active),
        ("total_watched_keys", clients.watched_keys),
        ("total_blocking_keys", clients.awaited_keys),
        ("total_blocking_keys_on_nokey", 0),
    ]


def persistence_section(ctx: Context) -> Fields:
    """Loading, snapshots and the append-only file."""
    snapshots, aof, load = ctx.figures[SNAPSHOTS], ctx.figures[AOF], ctx.figures[LOADS]
    return [
        ("loading", int(load.running)),
        ("async_loading", 0),
        *progress_fields(snapshots),
        *snapshot_fields(snapshots),
        *last_load_fields(load),
        *aof_fields(aof),
        ("backup_in_progress", int(ctx.figures[BACKUPS])),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
        *aof_size_fields(aof),
        *loading_fields(load),
    ]


def threads_section(ctx: Context) -> Fields:
    stats = ctx.figures[STATS]
    text = f"clients={ctx.figures[CLIENTS].count},reads={stats.reads},writes={stats.writes}"
    return [("io_thread_0", text)]


def replication_section(ctx: Context) -> Fields:
    return [
        ("role", "master"),
        ("connected_slaves", 0),
        ("master_failover_state", "no-failover"),
        ("master_replid", ctx.server.facts.replication_id),
        ("master_replid2", "0" * 40),
        ("master_repl_offset", 0),
        ("second_repl_offset", -1),
        ("repl_backlog_active", 0),
        ("repl_backlog_size", setting(ctx, "repl-backlog-size")),
        ("repl_backlog_first_byte_offset", 0),
        ("repl_backlog_histlen", 0),
    ]


def cpu_section(ctx: Context) -> Fields:
    process = ctx.figures[PROCESS]
    return [
        ("used_cpu_sys", f"{process.system_s:.6f}"),
        ("used_cpu_user", f"{process.user_s:.6f}"),
        ("used_cpu_sys_children", f"{process.children_system_s:.6f}"),
        ("used_cpu_user_children", f"{process.children_user_s:.6f}"),
        ("used_cpu_sys_main_thread", f"{process.thread_system_s:.6f}"),
        ("used_cpu_user_main_thread", f"{process.thread_user_s:.6f}"),
    ]


def cluster_section(ctx: Context) -> Fields:
    return [("cluster_enabled", 0)]
