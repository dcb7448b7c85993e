/* session.c - one connection: its life, its state, the worker where it is at home. */
#include "net/session.h"

#include "cmd/fieldset.h"
#include "net/block.h"
#include "net/crowd.h"
#include "net/feed.h"
#include "net/hub.h"
#include "net/monitor.h"
#include "net/multi.h"
#include "net/poll.h"
#include "net/pubsub.h"
#include "net/remote.h"
#include "net/tracking.h"
#include "net/turn.h"

struct session *session_new(struct engine *eng, int fd, uint64_t id) {
    struct session *s = calloc(1, sizeof *s);
    ASSERT(s);
    engine_tick_clock(eng);
    s->eng = eng;
    s->id = id;
    s->fd = fd;
    s->resp = 2;
    s->flags = eng->config.auth_required ? 0 : SESSION_AUTHENTICATED;
    session_set_user(s, eng->user);
    s->last_command = -1;
    s->created_ms = s->last_ms = eng->now_ms;
    crowd_enter(s);
    activity_enter(&eng->hub->activity, s->last_ms);
    eng->stats.connections++;
    return s;
}

void session_delete(struct session *s) {
    session_unwatch(s);
    stash_drop(s);
    output_free(&s->out);
    session_drop_fieldsets(s);
    block_forget_session(s);
    pubsub_forget_session(s);
    session_wait(s, false);
    tracking_forget_session(s);
    monitor_forget_session(s);
    multi_free(s);
    turn_forget(s->eng, s);
    remote_forget_session(s);
    acl_user_release(s->user);
    free(s->peer);
    free(s->name);
    activity_leave(&s->eng->hub->activity, s->last_ms);
    crowd_leave(s);
    free(s);
}

/* --- moving to another worker --- */

#define MOVE_VOTES 512 /* so many more commands for one worker than for the others */

void session_vote(struct session *s, int owner) {
    if (owner != s->home && s->votes)
        s->votes--;
    else if (owner != s->home)
        s->home = (uint8_t)owner;
    else if (s->votes < MOVE_VOTES)
        s->votes++;
}

int session_home(const struct session *s) {
    if (LIKELY(s->votes < MOVE_VOTES) || s->home == s->eng->worker) return -1;
    bool busy = output_has_slots(&s->out) || output_ready(&s->out) || s->stash || s->calling;
    bool bound = s->fieldsets || s->subscriber || s->pinned || multi_is_busy(s) ||
                 s->flags & (SESSION_CLOSING | SESSION_REPLY_SKIP);
    return busy || bound || !s->watched ? -1 : s->home;
}

/* --- state --- */

void session_info(const struct session *s, struct session_info *out) {
    const struct stash *st = s->stash;
    size_t output = output_ready(&s->out) + s->out.waiting;
    *out = (struct session_info){ .id = s->id,
                                  .fd = s->fd,
                                  .db = s->db,
                                  .resp = s->resp,
                                  .flags = s->flags,
                                  .created_ms = s->created_ms,
                                  .last_ms = s->last_ms,
                                  .net_in = s->net_in,
                                  .net_out = s->net_out,
                                  .commands = s->commands,
                                  .reads = s->reads,
                                  .query_buffer = st ? st->n - st->start : 0,
                                  .query_buffer_free = st ? st->cap - st->n : 0,
                                  .output_bytes = output,
                                  .memory = session_memory(s),
                                  .output_memory = output_memory(&s->out),
                                  .multi = s->multi && (s->multi->open || s->multi->running)
                                               ? s->multi->n
                                               : -1,
                                  .channels = pubsub_subscriptions(s, CHANNEL),
                                  .patterns = pubsub_subscriptions(s, PATTERN),
                                  .shard_channels = pubsub_subscriptions(s, SHARD_CHANNEL),
                                  .blocked = s->waiter || s->retry || s->blocked_id || s->waits,
                                  .watches = s->multi && !s->multi->touched ? s->multi->watches : 0,
                                  .dirty = s->multi && s->multi->touched,
                                  .multi_memory = s->multi ? s->multi->bytes : 0,
                                  .last_command = s->last_command,
                                  .pending_call = s->calling };
    for (int i = 0; st && i < st->parser.argc; i++) out->argv_bytes += st->parser.argv[i].n;
}

void session_restore(struct session *s, const struct session_info *was) {
    s->db = was->db;
    s->resp = was->resp;
    s->flags = was->flags;
    s->created_ms = was->created_ms;
    activity_move(&s->eng->hub->activity, s->last_ms, was->last_ms);
    s->last_ms = was->last_ms;
    s->net_in = was->net_in;
    s->net_out = was->net_out;
    s->commands = was->commands;
    s->reads = was->reads;
    s->last_command = was->last_command;
    s->eng->stats.connections--; /* was counted when it came */
}

void session_set_flag(struct session *s, uint32_t flag, bool on) {
    if (s->calling && on && flag & SESSION_REPLY_SKIP) {
        s->skip_next = true; /* CLIENT REPLY SKIP means the command after itself */
        flag &= ~(uint32_t)SESSION_REPLY_SKIP;
    }
    s->flags = on ? s->flags | flag : s->flags & ~flag;
    poll_choose(s);
}

static void set_text(char **field, const char *text, size_t n) {
    free(*field);
    *field = n ? strndup(text, n) : NULL;
}

void session_set_peer(struct session *s, const char *addr, size_t n) {
    set_text(&s->peer, addr, n);
}

void session_set_name(struct session *s, const char *name, size_t n) {
    set_text(&s->name, name, n);
}

void session_drop_fieldsets(struct session *s) {
    fieldset_drop_all(&s->fieldsets);
}

void session_unsubscribe(struct session *s) {
    pubsub_forget_session(s);
}

void session_discard(struct session *s) {
    multi_free(s);
}

void session_set_db(struct session *s, int db) {
    s->db = db;
}

void session_set_resp(struct session *s, int resp) {
    s->resp = resp;
}

uint64_t engine_pause(struct engine *eng, uint64_t until_ms, bool writes_only) {
    struct hub *hub = eng->hub;
    engine_tick_clock(eng);
    bool more = until_ms && hub->pause_until_ms > eng->now_ms; /* there is a pause already */
    hub->pause_writes_only = writes_only && !(more && !hub->pause_writes_only);
    hub->pause_until_ms = more && hub->pause_until_ms > until_ms ? hub->pause_until_ms : until_ms;
    return hub->pause_until_ms;
}
