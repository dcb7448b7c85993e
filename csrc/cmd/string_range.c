/* string_range.c - parts of strings: APPEND, SETRANGE, GETRANGE. */
#include "cmd/call.h"

/* False: the string would be longer than proto-max-bulk-len, replied. */
static bool length_allowed(struct call *c, uint64_t n) {
    if (n <= (uint64_t)c->eng->config.proto_max_bulk_len && n <= UINT32_MAX) return true;
    reply_status(c->out, ST_TOO_LARGE);
    return false;
}

static size_t present_length(const struct call *c, const struct key *k) {
    char buf[24];
    return k->entry ? entry_string(&c->eng->arena, k->entry, buf).n : 0;
}

static void cmd_append(struct call *c) {
    struct key k;
    if (!call_write(c, 1, TYPE_STRING, &k)) return;
    struct str more = c->argv[2];
    size_t old = present_length(c, &k);
    if (!length_allowed(c, old + more.n)) return;
    if (!k.entry) {
        if (!call_ok(c, key_set_string(c->eng, &k, more, EXPIRY_NONE))) return;
    } else {
        char *bytes;
        if (!call_ok(c, key_grow_string(c->eng, &k, old + more.n, &bytes))) return;
        memcpy(bytes + old, more.p, more.n);
    }
    call_changed(c, &k, NOTIFY_STRING, "append", 1);
    reply_int(c->out, (int64_t)(old + more.n));
}

static void cmd_setrange(struct call *c) {
    struct key k;
    int64_t offset;
    if (!arg_i64(c, 2, &offset)) return;
    if (offset < 0) {
        reply_error(c->out, "ERR offset is out of range");
        return;
    }
    if (!call_write(c, 1, TYPE_STRING, &k)) return;
    struct str patch = c->argv[3];
    size_t old = present_length(c, &k);
    if (patch.n == 0) {
        reply_int(c->out, (int64_t)old);
        return;
    }
    if (!length_allowed(c, (uint64_t)offset + patch.n)) return;
    size_t end = (size_t)offset + patch.n, n = end > old ? end : old;
    char *bytes;
    if (!call_ok(c, key_grow_string(c->eng, &k, n, &bytes))) return;
    memcpy(bytes + offset, patch.p, patch.n);
    call_changed(c, &k, NOTIFY_STRING, "setrange", 1);
    reply_int(c->out, (int64_t)n);
}

static void cmd_getrange(struct call *c) {
    struct key k;
    char buf[24];
    int64_t start, end;
    if (!arg_i64(c, 2, &start) || !arg_i64(c, 3, &end)) return;
    if (!call_read(c, 1, TYPE_STRING, &k)) return;
    struct str s = { "", 0 };
    if (k.entry) s = entry_string(&c->eng->arena, k.entry, buf);
    int64_t n = (int64_t)s.n;
    bool reversed = start < 0 && end < 0 && start > end;
    start = start < 0 ? (start + n < 0 ? 0 : start + n) : start;
    end = end < 0 ? (end + n < 0 ? 0 : end + n) : end;
    if (end >= n) end = n - 1;
    if (reversed || n == 0 || start > end)
        reply_bulk(c->out, STR(""));
    else
        reply_bulk_borrowed(c->out, (struct str){ s.p + start, (size_t)(end - start + 1) });
}

static const struct command string_range_rows[] = {
    { "APPEND",
      3,
      CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      "string",
      cmd_append,
      { KEY(1, KF_RW | KF_INSERT) } },
    { "SETRANGE",
      4,
      CMD_WRITE | CMD_DENYOOM,
      "string",
      cmd_setrange,
      { KEY(1, KF_RW | KF_UPDATE) } },
    { "GETRANGE", 4, CMD_READ, "string", cmd_getrange, { KEY(1, KF_RO | KF_ACCESS) } },
    { "SUBSTR", 4, CMD_READ, "string", cmd_getrange, { KEY(1, KF_RO | KF_ACCESS) } },
};
COMMAND_GROUP(string_range_commands, "string", string_range_rows);
