/* pubsub.c - the tables of channels, subscribing, delivering. */
#include "net/pubsub.h"

#include "cmd/call.h"
#include "net/dispatch.h"
#include "net/multi.h"
#include "net/keytable.h"
#include "net/remote.h"
#include "net/subscription.h"

struct channel {
    struct key_node name; /* db: enum channel_kind */
    struct subscription *first, *last;
    uint64_t n;
};

struct pubsub {
    struct keytable channels[CHANNEL_KINDS];
    uint64_t sessions;
    struct reply message; /* being composed */
};

/* --- subscribing --- */

/* Other workers see whether they need to tell of anything. */
static void show_channels(const struct engine *eng) {
    const struct keytable *t = eng->pubsub->channels;
    uint64_t n = 0;
    if (!eng->remote) return;
    for (int kind = 0; kind < CHANNEL_KINDS; kind++) n += t[kind].n;
    atomic_store_explicit(&eng->remote->links->control->worker[eng->worker].channels, n,
                          memory_order_release); /* with is_heard_at */
}

/* Somebody is subscribed to something at that worker. */
static bool is_heard_at(const struct engine *eng, int worker) {
    return atomic_load_explicit(&eng->remote->links->control->worker[worker].channels,
                                memory_order_acquire);
}

bool pubsub_is_heard(const struct engine *eng) {
    const struct keytable *t = eng->pubsub->channels;
    if (t[CHANNEL].n || t[PATTERN].n) return true;
    for (int w = 0; eng->remote && w < eng->workers; w++)
        if (w != eng->worker && is_heard_at(eng, w)) return true;
    return false;
}

static struct channel *find(const struct engine *eng, enum channel_kind kind, struct str name) {
    return (struct channel *)keytable_find(&eng->pubsub->channels[kind], eng, (int)kind, name);
}

uint64_t pubsub_subscriptions(const struct session *s, enum channel_kind kind) {
    return s->subscriber ? s->subscriber->n[kind] : 0;
}

size_t pubsub_memory(const struct session *s) {
    const struct subscriber *sub = s->subscriber;
    if (LIKELY(!sub)) return 0;
    return sizeof *sub + sub->count * sizeof(struct subscription) +
           sub->buckets * sizeof(struct subscription *);
}

static void subscribe(struct session *s, enum channel_kind kind, struct str name) {
    struct engine *eng = s->eng;
    if (!s->subscriber) {
        s->subscriber = calloc(1, sizeof *s->subscriber);
        ASSERT(s->subscriber);
        eng->pubsub->sessions++;
    }
    struct channel *ch = (struct channel *)keytable_node(&eng->pubsub->channels[kind], eng,
                                                         (int)kind, name, sizeof *ch);
    if (subscriber_find(s->subscriber, ch)) return;
    struct subscription *new = malloc(sizeof *new);
    ASSERT(new);
    *new = (struct subscription){ .prev = ch->last, .session = s, .channel = ch };
    if (ch->last)
        ch->last->next = new;
    else
        ch->first = new;
    ch->last = new;
    ch->n++;
    subscriber_add(s->subscriber, new);
    s->subscriber->n[kind]++;
    show_channels(eng);
}

static void end(struct session *s, struct subscription *gone) {
    struct channel *ch = gone->channel;
    subscriber_remove(s->subscriber, gone);
    if (gone->prev)
        gone->prev->next = gone->next;
    else
        ch->first = gone->next;
    if (gone->next)
        gone->next->prev = gone->prev;
    else
        ch->last = gone->prev;
    s->subscriber->n[ch->name.db]--;
    if (!--ch->n) keytable_remove(&s->eng->pubsub->channels[ch->name.db], &ch->name);
    free(gone);
    show_channels(s->eng);
}

static void free_subscriber(struct session *s) {
    if (!s->subscriber || s->subscriber->first) return;
    subscriber_free(s->subscriber);
    s->subscriber = NULL;
    s->eng->pubsub->sessions--;
}

static void unsubscribe(struct session *s, enum channel_kind kind, struct str name) {
    const struct channel *ch = find(s->eng, kind, name);
    if (!ch || !s->subscriber) return;
    struct subscription *x = subscriber_find(s->subscriber, ch);
    if (x) end(s, x);
}

void pubsub_forget_session(struct session *s) {
    while (s->subscriber && s->subscriber->first) end(s, s->subscriber->first);
    free_subscriber(s);
}

bool pubsub_all(const struct session *s,
                bool (*test)(const void *ctx, enum channel_kind kind, struct str name),
                const void *ctx) {
    const struct subscription *x = s->subscriber ? s->subscriber->first : NULL;
    for (; x; x = x->after)
        if (!test(ctx, (enum channel_kind)x->channel->name.db, x->channel->name.name)) return false;
    return true;
}

/* --- commands --- */

/* What a session has of a kind, as the replies count it. */
static int64_t count(const struct session *s, enum channel_kind kind) {
    if (kind == SHARD_CHANNEL) return (int64_t)pubsub_subscriptions(s, SHARD_CHANNEL);
    return (int64_t)(pubsub_subscriptions(s, CHANNEL) + pubsub_subscriptions(s, PATTERN));
}

static void confirm(struct call *c, const char *word, enum channel_kind kind,
                    const struct str *name) {
    reply_push(c->out, 3);
    reply_cstr(c->out, word);
    if (name)
        reply_bulk(c->out, *name);
    else
        reply_null(c->out);
    reply_int(c->out, count(c->session, kind));
}

static void subscribe_all(struct call *c, const char *word, enum channel_kind kind) {
    for (int i = 1; call_has_session(c) && i < c->argc; i++) {
        subscribe(c->session, kind, c->argv[i]);
        confirm(c, word, kind, &c->argv[i]);
    }
}

/* All of a kind, newest first. */
static void unsubscribe_each(struct call *c, const char *word, enum channel_kind kind) {
    struct session *s = c->session;
    if (!pubsub_subscriptions(s, kind)) {
        confirm(c, word, kind, NULL);
        return;
    }
    for (struct subscription *x = s->subscriber->first, *after; x; x = after) {
        after = x->after;
        struct str name = x->channel->name.name;
        if (x->channel->name.db != (int)kind) continue;
        char *copy = malloc(name.n + 1); /* names may hold zero bytes */
        ASSERT(copy);
        memcpy(copy, name.p, name.n);
        name.p = copy;
        end(s, x);
        confirm(c, word, kind, &name);
        free(copy);
    }
}

static void unsubscribe_all(struct call *c, const char *word, enum channel_kind kind) {
    if (!call_has_session(c)) return;
    if (c->argc == 1) unsubscribe_each(c, word, kind);
    for (int i = 1; i < c->argc; i++) {
        unsubscribe(c->session, kind, c->argv[i]);
        confirm(c, word, kind, &c->argv[i]);
    }
    free_subscriber(c->session);
}

static void cmd_subscribe(struct call *c) {
    subscribe_all(c, "subscribe", CHANNEL);
}
static void cmd_psubscribe(struct call *c) {
    subscribe_all(c, "psubscribe", PATTERN);
}
static void cmd_ssubscribe(struct call *c) {
    if (c->session && multi_is_executing(c->session)) {
        reply_error(c->out, "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
        return;
    }
    subscribe_all(c, "ssubscribe", SHARD_CHANNEL);
}
static void cmd_unsubscribe(struct call *c) {
    unsubscribe_all(c, "unsubscribe", CHANNEL);
}
static void cmd_punsubscribe(struct call *c) {
    unsubscribe_all(c, "punsubscribe", PATTERN);
}
static void cmd_sunsubscribe(struct call *c) {
    unsubscribe_all(c, "sunsubscribe", SHARD_CHANNEL);
}
static void cmd_publish(struct call *c) {
    reply_int(c->out, (int64_t)pubsub_publish(c->eng, CHANNEL, c->argv[1], c->argv[2]));
}
static void cmd_spublish(struct call *c) {
    reply_int(c->out, (int64_t)pubsub_publish(c->eng, SHARD_CHANNEL, c->argv[1], c->argv[2]));
}

#define PUBSUB (CMD_PUBSUB | CMD_LOADING | CMD_STALE)
#define OWN (PUBSUB | CMD_NOSCRIPT)
static const struct command rows[] = {
    { "SUBSCRIBE", -2, OWN | CMD_DENYOOM, "", cmd_subscribe, { { 0 } } },
    { "PSUBSCRIBE", -2, OWN | CMD_DENYOOM, "", cmd_psubscribe, { { 0 } } },
    { "SSUBSCRIBE", -2, OWN | CMD_DENYOOM, "", cmd_ssubscribe, { KEYS(1, -1, 1, KF_NOT_KEY) } },
    { "UNSUBSCRIBE", -1, OWN, "", cmd_unsubscribe, { { 0 } } },
    { "PUNSUBSCRIBE", -1, OWN, "", cmd_punsubscribe, { { 0 } } },
    { "SUNSUBSCRIBE", -1, OWN, "", cmd_sunsubscribe, { KEYS(1, -1, 1, KF_NOT_KEY) } },
    { "PUBLISH", 3, PUBSUB | CMD_FAST, "", cmd_publish, { { 0 } } },
    { "SPUBLISH", 3, PUBSUB | CMD_FAST, "", cmd_spublish, { KEY(1, KF_NOT_KEY) } },
};

static bool is_own(const struct command_row *row) {
    return row->cmd.flags & CMD_NOSCRIPT;
}

static void register_commands(struct registry *reg) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct command_row *row = registry_add(reg, &rows[i], "pubsub");
        if (is_own(row)) row->spread = SPREAD_SESSION;
    }
}

bool session_is_subscribed(const struct session *s) {
    return UNLIKELY(s->subscriber != NULL) && s->resp != 3;
}

bool pubsub_allows(struct session *s, struct command_row *row, struct reply *out) {
    static const char *const always[] = { "PING", "QUIT", "RESET" };
    if (!session_is_subscribed(s)) return true;
    if (!strcmp(row->group, "pubsub") && is_own(row)) return true;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (!strcmp(row->cmd.name, always[i])) return true;
    char line[192], name[64];
    size_t n = 0;
    for (; row->cmd.name[n] && n < sizeof name - 1; n++) {
        char ch = row->cmd.name[n];
        name[n] = ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
    }
    name[n] = '\0';
    snprintf(line, sizeof line,
             "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
             "are allowed in this context",
             name);
    return dispatch_refuse(s->eng, row, out, line);
}

/* --- delivering --- */

static void deliver(struct engine *eng, const struct channel *ch) {
    struct reply *m = &eng->pubsub->message;
    for (const struct subscription *x = ch->first; x; x = x->next) {
        m->p[0] = x->session->resp == 3 ? '>' : '*';
        session_push(x->session, m->p, m->n);
    }
}

static uint64_t to_channel(struct engine *eng, enum channel_kind kind, struct str name,
                           struct str message) {
    const struct channel *ch = find(eng, kind, name);
    struct reply *m = &eng->pubsub->message;
    if (!ch) return 0;
    m->n = 0;
    reply_push(m, 3);
    reply_cstr(m, kind == CHANNEL ? "message" : "smessage");
    reply_bulk(m, name);
    reply_bulk(m, message);
    deliver(eng, ch);
    return ch->n;
}

static uint64_t to_patterns(struct engine *eng, struct str name, struct str message) {
    const struct keytable *t = &eng->pubsub->channels[PATTERN];
    struct reply *m = &eng->pubsub->message;
    uint64_t n = 0;
    for (size_t i = 0; i < t->buckets && t->n; i++)
        for (const struct key_node *k = t->bucket[i]; k; k = k->next) {
            if (!glob_match(k->name, name, false)) continue;
            m->n = 0;
            reply_push(m, 4);
            reply_cstr(m, "pmessage");
            reply_bulk(m, k->name);
            reply_bulk(m, name);
            reply_bulk(m, message);
            deliver(eng, (const struct channel *)k);
            n += ((const struct channel *)k)->n;
        }
    return n;
}

uint64_t pubsub_publish(struct engine *eng, enum channel_kind kind, struct str channel,
                        struct str message) {
    uint64_t n = to_channel(eng, kind, channel, message);
    return kind == CHANNEL ? n + to_patterns(eng, channel, message) : n;
}

/* At the other workers. */
static void publish_elsewhere(struct engine *eng, enum channel_kind kind, struct str channel,
                              struct str message) {
    const struct str words[2] = { channel, message };
    struct message m = { .kind = MSG_EVENT, .value = (uint64_t)kind };
    for (int w = 0; eng->remote && w < eng->workers; w++)
        if (w != eng->worker && is_heard_at(eng, w))
            remote_send_command(eng->remote, w, &m, 2, words);
}

void pubsub_tell(struct engine *eng, struct str channel, struct str message) {
    pubsub_publish(eng, CHANNEL, channel, message);
    publish_elsewhere(eng, CHANNEL, channel, message);
}

void pubsub_ran_inside(struct engine *eng, const struct command_row *row, const struct str *argv) {
    if (row->cmd.fn == cmd_publish) publish_elsewhere(eng, CHANNEL, argv[1], argv[2]);
    if (row->cmd.fn == cmd_spublish) publish_elsewhere(eng, SHARD_CHANNEL, argv[1], argv[2]);
}

void pubsub_event(struct engine *eng, const char *event, struct str key, int db) {
    struct str word = { event, strlen(event) };
    if (!pubsub_is_heard(eng)) return;
    size_t size = key.n + word.n + 40;
    char *channel = malloc(size);
    ASSERT(channel);
    if (eng->config.notify_events & NOTIFY_KEYSPACE) {
        int n = snprintf(channel, size, "__keyspace@%d__:", db);
        memcpy(channel + n, key.p, key.n);
        pubsub_tell(eng, (struct str){ channel, (size_t)n + key.n }, word);
    }
    if (eng->config.notify_events & NOTIFY_KEYEVENT) {
        int n = snprintf(channel, size, "__keyevent@%d__:%s", db, event);
        pubsub_tell(eng, (struct str){ channel, (size_t)n }, key);
    }
    free(channel);
}

/* --- life, figures --- */

void pubsub_create(struct engine *eng) {
    struct pubsub *p = calloc(1, sizeof *p);
    ASSERT(p);
    for (int kind = 0; kind < CHANNEL_KINDS; kind++) keytable_create(&p->channels[kind]);
    p->message.resp = 3;
    eng->pubsub = p;
    register_commands(eng->registry);
}

void pubsub_delete(struct engine *eng) {
    struct pubsub *p = eng->pubsub;
    if (!p) return;
    for (int kind = 0; kind < CHANNEL_KINDS; kind++) keytable_delete(&p->channels[kind]);
    free(p->message.p);
    free(p);
    eng->pubsub = NULL;
}

bool engine_channel(const struct engine *eng, int kind, struct channel_info *at) {
    const struct keytable *t = &eng->pubsub->channels[kind];
    const struct key_node *k = at->place;
    k = k ? k->next : NULL;
    while (!k && at->bucket < t->buckets) k = t->bucket[at->bucket++];
    if (!k) return false;
    *at = (struct channel_info){ .place = k,
                                 .bucket = at->bucket,
                                 .name = k->name.p,
                                 .n = k->name.n,
                                 .subscribers = ((const struct channel *)k)->n };
    return true;
}

void engine_pubsub(const struct engine *eng, struct pubsub_info *out) {
    const struct keytable *t = eng->pubsub->channels;
    *out = (struct pubsub_info){ .channels = t[CHANNEL].n,
                                 .shard_channels = t[SHARD_CHANNEL].n,
                                 .patterns = t[PATTERN].n,
                                 .sessions = eng->pubsub->sessions };
}
