"""Sections of INFO that count: commands, errors, latencies, keys."""

from shmredis.commands.context import Context
from shmredis.commands.figures import (
    CLIENTS,
    COMMANDS,
    COUNTS,
    DATABASES,
    ERRORS,
    HISTOGRAMS,
    SCRIPTS,
    SLOW_TOTALS,
    SNAPSHOTS,
    STATS,
)
from shmredis.commands.histogram import percentile_us
from shmredis.commands.settings import setting

__all__ = [
    "COUNTED",
    "commandstats_section",
    "errorstats_section",
    "keyspace_section",
    "latencystats_section",
    "stats_section",
]

Fields = list[tuple[str, object]]
COUNTED = (STATS, CLIENTS, COUNTS, SLOW_TOTALS, COMMANDS, ERRORS, HISTOGRAMS, DATABASES)


def stats_section(ctx: Context) -> Fields:
    return [*_traffic(ctx), *_keys(ctx), *_defrag(ctx), *_requests(ctx), *_slow(ctx), *_denied(ctx)]


def _traffic(ctx: Context) -> Fields:
    stats, counts = ctx.figures[STATS], ctx.figures[COUNTS]
    return [
        ("total_connections_received", stats.connections),
        ("total_commands_processed", stats.commands),
        ("instantaneous_ops_per_sec", round(counts.commands_per_s)),
        ("total_net_input_bytes", stats.net_in),
        ("total_net_output_bytes", stats.net_out),
        ("total_net_repl_input_bytes", 0),
        ("total_net_repl_output_bytes", 0),
        ("instantaneous_input_kbps", f"{counts.input_bytes_per_s / 1024:.2f}"),
        ("instantaneous_output_kbps", f"{counts.output_bytes_per_s / 1024:.2f}"),
        ("instantaneous_input_repl_kbps", "0.00"),
        ("instantaneous_output_repl_kbps", "0.00"),
        ("rejected_connections", counts.rejected_connections),
        ("sync_full", 0),
        ("sync_partial_ok", 0),
        ("sync_partial_err", 0),
    ]


def _keys(ctx: Context) -> Fields:
    stats, counts = ctx.figures[STATS], ctx.figures[COUNTS]
    clients = ctx.figures[CLIENTS]
    return [
        ("expired_subkeys", stats.expired_fields),
        ("expired_subkeys_active", stats.expired_fields_active),
        ("expired_keys", stats.expired_keys),
        ("expired_keys_active", stats.expired_keys_active),
        ("expired_stale_perc", f"{stats.expired_stale_ppm / 10_000:.2f}"),
        ("expired_time_cap_reached_count", stats.expire_time_capped),
        ("expire_cycle_cpu_milliseconds", stats.expire_cycle_us // 1000),
        ("evicted_keys", stats.evicted_keys),
        ("evicted_clients", counts.evicted_clients),
        ("evicted_scripts", ctx.figures[SCRIPTS].evicted),
        ("total_eviction_exceeded_time", stats.evict_us // 1000),
        ("current_eviction_exceeded_time", 0),
        ("keyspace_hits", stats.hits),
        ("keyspace_misses", stats.misses),
        ("pubsub_channels", clients.channels),
        ("pubsub_patterns", clients.patterns),
        ("pubsubshard_channels", clients.shard_channels),
        ("latest_fork_usec", ctx.figures[SNAPSHOTS].last_fork_us),
        ("total_forks", ctx.figures[SNAPSHOTS].forks),
        ("migrate_cached_sockets", 0),
        ("slave_expires_tracked_keys", 0),
    ]


def _defrag(ctx: Context) -> Fields:
    stats, clients = ctx.figures[STATS], ctx.figures[CLIENTS]
    return [
        ("active_defrag_hits", stats.defrag_hits),
        ("active_defrag_misses", stats.defrag_misses),
        ("active_defrag_key_hits", stats.defrag_key_hits),
        ("active_defrag_key_misses", stats.defrag_key_misses),
        ("total_active_defrag_time", stats.defrag_us // 1000),
        ("current_active_defrag_time", 0),
        ("tracking_total_keys", clients.tracked_keys),
        ("tracking_total_items", clients.tracked_items),
        ("tracking_total_prefixes", clients.tracked_prefixes),
    ]


def _requests(ctx: Context) -> Fields:
    stats, counts = ctx.figures[STATS], ctx.figures[COUNTS]
    pipeline = stats.commands / stats.reads if stats.reads else 0.0
    return [
        ("unexpected_error_replies", 0),
        ("total_error_replies", stats.error_replies),
        ("dump_payload_sanitizations", stats.sanitized),
        ("total_reads_processed", stats.reads),
        ("total_writes_processed", stats.writes),
        ("io_threaded_reads_processed", 0),
        ("io_threaded_writes_processed", 0),
        ("io_threaded_total_prefetch_batches", 0),
        ("io_threaded_total_prefetch_entries", 0),
        ("client_query_buffer_limit_disconnections", counts.query_buffer_disconnections),
        ("client_output_buffer_limit_disconnections", counts.output_buffer_disconnections),
        ("reply_buffer_shrinks", 0),
        ("reply_buffer_expands", 0),
        *_event_loop(ctx),
        ("avg_pipeline_length_sum", stats.commands),
        ("avg_pipeline_length_cnt", stats.reads),
        ("avg_pipeline_length", f"{pipeline:.2f}"),
    ]


def _event_loop(ctx: Context) -> Fields:
    """A cycle is one look at all sockets; what it finds ready is one event each."""
    stats, counts = ctx.figures[STATS], ctx.figures[COUNTS]
    cycles_per_s = counts.loop_cycles_per_s
    return [
        ("eventloop_cycles", stats.loop_cycles),
        ("eventloop_duration_sum", stats.loop_ns // 1000),
        ("eventloop_duration_cmd_sum", sum(row.usec for row in ctx.figures[COMMANDS])),
        ("instantaneous_eventloop_cycles_per_sec", round(cycles_per_s)),
        (
            "instantaneous_eventloop_duration_usec",
            round(counts.loop_us_per_s / max(cycles_per_s, 1)),
        ),
        ("eventloop_cycles_with_clients_processing", stats.loop_busy_cycles),
        ("total_client_processing_events", stats.reads),
        ("eventloop_rests", stats.loop_rests),
    ]


def _slow(ctx: Context) -> Fields:
    totals = ctx.figures[SLOW_TOTALS]
    return [
        ("slowlog_commands_count", totals.count),
        ("slowlog_commands_time_ms_max", f"{totals.max_us / 1000:.2f}"),
        ("slowlog_commands_time_ms_sum", f"{totals.sum_us / 1000:.2f}"),
        ("hash_templates", 0),
        ("hash_template_keys", 0),
    ]


def _denied(ctx: Context) -> Fields:
    counts = ctx.figures[COUNTS]
    return [
        ("acl_access_denied_auth", counts.denied_auth),
        ("acl_access_denied_cmd", counts.denied_command),
        ("acl_access_denied_key", counts.denied_key),
        ("acl_access_denied_channel", counts.denied_channel),
        ("acl_access_denied_tls_cert", counts.denied_tls_cert),
    ]


def commandstats_section(ctx: Context) -> Fields:
    fields: Fields = []
    for row in ctx.figures[COMMANDS]:
        per_call = row.usec / row.calls if row.calls else 0.0
        counts = f"calls={row.calls},usec={row.usec},usec_per_call={per_call:.2f}"
        refused = f"rejected_calls={row.rejected},failed_calls={row.failed}"
        fields.append((f"cmdstat_{row.name.lower()}", f"{counts},{refused}"))
    return fields


def errorstats_section(ctx: Context) -> Fields:
    errors = ctx.figures[ERRORS]
    return [(f"errorstat_{prefix}", f"count={count}") for prefix, count in errors.items()]


def latencystats_section(ctx: Context) -> Fields:
    if not ctx.engine.option("latency_tracking"):
        return []
    wanted = [float(text) for text in setting(ctx, "latency-tracking-info-percentiles").split()]
    fields: Fields = []
    for row in ctx.figures[COMMANDS]:
        if row.calls:
            buckets = ctx.figures[HISTOGRAMS].get(row.row, [])
            texts = (f"p{p:g}={percentile_us(buckets, p):.3f}" for p in wanted)
            name = f"latency_percentiles_usec_{row.name.lower()}"
            fields.append((name, ",".join(texts)))
    return fields


def keyspace_section(ctx: Context) -> Fields:
    fields: Fields = []
    databases = ctx.figures[DATABASES]
    for index, db in enumerate(databases):
        if db.keys:
            counts = f"keys={db.keys},expires={db.volatile_keys}"
            times = f"avg_ttl={db.avg_ttl_ms},subexpiry={db.field_ttl_keys}"
            fields.append((f"db{index}", f"{counts},{times}"))
    return fields
