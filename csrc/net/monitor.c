/* monitor.c - composing lines and bringing them to monitors. */
#include "net/monitor.h"

#include <time.h>

#include "net/dispatch.h"
#include "net/remote.h"

/* --- who watches --- */

static void count_watched(struct engine *eng) {
    struct monitors *m = &eng->hub->monitors;
    m->watched = m->n || m->workers;
}

static void announce(struct engine *eng, int to, bool any) {
    struct message m = { .kind = MSG_MONITORS, .value = any };
    remote_send(eng->remote, to, &m, (struct str){ NULL, 0 });
}

static void announce_all(struct engine *eng, bool any) {
    for (int w = 0; eng->remote && w < eng->workers; w++)
        if (w != eng->worker) announce(eng, w, any);
}

void session_monitor(struct session *s) {
    struct monitors *m = &s->eng->hub->monitors;
    if (s->monitor) return;
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 4;
        m->sessions = realloc(m->sessions, m->cap * sizeof(struct session *));
        ASSERT(m->sessions);
    }
    if (!m->n) announce_all(s->eng, true);
    m->sessions[m->n++] = s;
    s->monitor = MONITOR_DEAF;
    s->pinned = true;
    count_watched(s->eng);
}

void session_monitor_start(struct session *s) {
    s->monitor = MONITOR_ON;
    s->flags |= SESSION_MONITOR;
}

void monitor_forget_session(struct session *s) {
    struct monitors *m = &s->eng->hub->monitors;
    if (!s->monitor) return;
    size_t i = 0;
    while (m->sessions[i] != s) i++;
    m->n--;
    memmove(m->sessions + i, m->sessions + i + 1, (m->n - i) * sizeof(struct session *));
    if (!m->n) announce_all(s->eng, false);
    s->monitor = MONITOR_OFF;
    s->flags &= ~(uint32_t)SESSION_MONITOR;
    count_watched(s->eng);
}

void session_unmonitor(struct session *s) {
    monitor_forget_session(s);
}

static bool runs_scripts(const struct command_row *row) {
    return row->cmd.flags & CMD_SKIP_MONITOR && !(row->cmd.flags & CMD_ADMIN);
}

bool monitor_allows(const struct session *s, struct command_row *row, struct reply *out) {
    if (!dispatch_effects(row)) return true;
    return dispatch_refuse(s->eng, row, out, "ERR Replica can't interact with the keyspace");
}

/* --- lines --- */

static void write_byte(struct reply *line, unsigned char byte) {
    static const char special[] = "\n\r\t\a\b", names[] = "nrtab";
    const char *found = byte ? strchr(special, byte) : NULL;
    char text[8];
    int n;
    if (byte == '\\' || byte == '"')
        n = snprintf(text, sizeof text, "\\%c", byte);
    else if (found)
        n = snprintf(text, sizeof text, "\\%c", names[found - special]);
    else if (byte >= ' ' && byte < 0x7f)
        n = snprintf(text, sizeof text, "%c", byte);
    else
        n = snprintf(text, sizeof text, "\\x%02x", byte);
    reply_raw(line, text, (size_t)n);
}

static void write_quoted(struct reply *line, struct str s) {
    REPLY_RAW(line, " \"");
    for (size_t i = 0; i < s.n; i++) write_byte(line, (unsigned char)s.p[i]);
    REPLY_RAW(line, "\"");
}

/* `who`: an address, or "lua". */
static void compose(struct engine *eng, int db, struct str who, int argc, const struct str *argv) {
    struct reply *line = &eng->hub->monitors.line;
    const struct slow_command command = { .argc = argc, .argv = argv };
    struct timespec now;
    char head[64];
    clock_gettime(CLOCK_REALTIME, &now);
    int n = snprintf(head, sizeof head, "+%lld.%06ld [%d ", (long long)now.tv_sec,
                     now.tv_nsec / 1000, db);
    line->n = 0;
    reply_raw(line, head, (size_t)n);
    reply_raw(line, who.p, who.n);
    REPLY_RAW(line, "]");
    for (int i = 0; i < argc; i++)
        write_quoted(line, slowlog_is_secret(&command, i) ? STR("(redacted)") : argv[i]);
    REPLY_RAW(line, "\r\n");
}

static void deliver(struct engine *eng, struct str line) {
    const struct monitors *m = &eng->hub->monitors;
    for (size_t i = 0; i < m->n; i++) {
        struct session *s = m->sessions[i];
        if (s->monitor == MONITOR_ON && !(s->flags & SESSION_CLOSING))
            session_push(s, line.p, line.n);
    }
}

static void send_line(struct engine *eng) {
    const struct monitors *m = &eng->hub->monitors;
    const struct str line = { m->line.p, m->line.n };
    struct message head = { .kind = MSG_MONITORED };
    deliver(eng, line);
    for (uint64_t left = m->workers; left; left &= left - 1)
        remote_send(eng->remote, __builtin_ctzll(left), &head, line);
}

/* "ip:port", or "unix:path". */
static void compose_for(const struct session *s, int argc, const struct str *argv) {
    struct str peer, name;
    session_describe(s, &peer, &name);
    if (peer.n < 2 || *peer.p != '/') {
        compose(s->eng, s->db, peer, argc, argv);
        return;
    }
    char address[160];
    int n = snprintf(address, sizeof address, "unix:%.*s", (int)peer.n - 2, peer.p);
    if (n >= (int)sizeof address) n = (int)sizeof address - 1;
    compose(s->eng, s->db, (struct str){ address, (size_t)n }, argc, argv);
}

void monitor_tell(const struct session *s, const struct command_row *row, int argc,
                  const struct str *argv, enum monitor_time time) {
    if (row->cmd.flags & CMD_ADMIN || runs_scripts(row) != (time == MONITOR_BEFORE)) return;
    compose_for(s, argc, argv);
    send_line(s->eng);
}

void monitor_tell_inside(struct engine *eng, const struct command_row *row, int db, int argc,
                         const struct str *argv) {
    if (row->cmd.flags & (CMD_ADMIN | CMD_SKIP_MONITOR)) return;
    compose(eng, db, STR("lua"), argc, argv);
    send_line(eng);
}

/* --- other workers --- */

void monitor_receive(struct engine *eng, int from, const struct message *m) {
    struct monitors *own = &eng->hub->monitors;
    uint64_t bit = UINT64_C(1) << from;
    own->workers = m->value ? own->workers | bit : own->workers & ~bit;
    count_watched(eng);
}

void monitor_receive_line(struct engine *eng, struct str line) {
    deliver(eng, line);
}

void monitor_reborn(struct engine *eng, int worker) {
    struct monitors *m = &eng->hub->monitors;
    m->workers &= ~(UINT64_C(1) << worker);
    if (m->n) announce(eng, worker, true);
    count_watched(eng);
}
