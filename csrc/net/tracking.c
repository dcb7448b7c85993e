/* tracking.c - the table of keys that clients have read, and who the clients are. */
#include "net/tracking.h"

#include "net/hub.h"
#include "net/multi.h"
#include "net/remote.h"
#include "net/tracking_impl.h"

#define CODES_FIRST 2u

/* --- sessions --- */

static struct str id_name(const uint64_t *id) {
    return (struct str){ (const char *)id, sizeof *id };
}

struct participant *tracks_find(const struct engine *eng, uint64_t id) {
    return (struct participant *)keytable_find(&eng->tracks->participants, eng, 0, id_name(&id));
}

static void take_part(struct session *s) {
    struct tracks *t = s->eng->tracks;
    struct key_node *node =
        keytable_node(&t->participants, s->eng, 0, id_name(&s->id), sizeof(struct participant));
    ((struct participant *)node)->session = s;
    s->pinned = true;
}

bool tracking_wants(const struct session *s) {
    uint32_t flags = s->tracking->flags;
    if (flags & TRACKING_BCAST) return false;
    if (flags & TRACKING_OPTIN) return flags & TRACKING_CACHING;
    return !(flags & TRACKING_OPTOUT && flags & TRACKING_CACHING);
}

void tracking_after(struct session *s, const struct command_row *row) {
    if (multi_is_open(s) || multi_is_running(s)) return;
    if (row && !strncmp(row->cmd.name, "CLIENT|", 7)) return;
    s->tracking->flags &= ~(uint32_t)TRACKING_CACHING;
}

void tracking_foresee(struct session *s, const struct command_row *row, int argc,
                      const struct str *argv) {
    if (argc != 3 || strcmp(row->cmd.name, "CLIENT|CACHING")) return;
    uint32_t flags = s->tracking->flags;
    bool right = str_is(argv[2], "YES") ? flags & TRACKING_OPTIN : flags & TRACKING_OPTOUT;
    if (right) s->tracking->flags |= TRACKING_CACHING;
}

void session_track(struct session *s, uint32_t flags, uint64_t redirect, int redirect_worker) {
    if (!s->tracking) {
        s->tracking = calloc(1, sizeof *s->tracking);
        ASSERT(s->tracking);
        s->eng->tracks->sessions++;
        take_part(s);
    }
    s->tracking->flags = flags | TRACKING_ON;
    s->tracking->redirect = redirect;
    s->tracking->redirect_worker = redirect_worker;
}

void session_track_prefix(struct session *s, const char *p, size_t n) {
    prefix_add(s, (struct str){ p, n });
}

void session_untrack(struct session *s) {
    if (!s->tracking) return;
    prefix_drop_all(s);
    free(s->tracking->prefix);
    free(s->tracking);
    s->tracking = NULL;
    s->eng->tracks->sessions--;
}

void session_pin(struct session *s) {
    take_part(s);
}

void session_set_caching(struct session *s) {
    s->tracking->flags |= TRACKING_CACHING;
}

uint32_t session_tracking(const struct session *s, uint64_t *redirect) {
    *redirect = s->tracking ? s->tracking->redirect : 0;
    return s->tracking ? s->tracking->flags : 0;
}

const char *session_prefix(const struct session *s, size_t i, size_t *n) {
    if (!s->tracking || i >= s->tracking->prefixes) return NULL;
    struct str name = s->tracking->prefix[i]->name.name;
    *n = name.n;
    return name.p;
}

void tracking_forget_session(struct session *s) {
    session_untrack(s);
    if (!s->pinned) return;
    struct participant *p = tracks_find(s->eng, s->id);
    if (p) keytable_remove(&s->eng->tracks->participants, &p->id);
}

/* --- keys that were read --- */

/* The place of a code among those of a key, or where it belongs. */
static uint32_t place_of(const struct tracked *k, uint64_t code) {
    uint32_t low = 0, high = k->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (k->codes[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool add_code(struct tracked *k, uint64_t code) {
    uint32_t at = place_of(k, code);
    if (at < k->n && k->codes[at] == code) return false;
    if (k->n == k->cap) {
        k->cap = k->cap ? 2 * k->cap : CODES_FIRST;
        k->codes = realloc(k->codes, k->cap * sizeof *k->codes);
        ASSERT(k->codes);
    }
    memmove(k->codes + at + 1, k->codes + at, (k->n - at) * sizeof *k->codes);
    k->codes[at] = code;
    k->n++;
    return true;
}

/* Tells all who have read the key, and forgets it. */
static void invalidate(struct engine *eng, struct tracked *k, uint64_t writer) {
    struct tracks *t = eng->tracks;
    for (uint32_t i = 0; i < k->n; i++) {
        int worker = tracker_worker(k->codes[i]);
        struct message m = { .kind = MSG_INVALIDATE,
                             .client = tracker_client(k->codes[i]),
                             .value = writer };
        if (worker == eng->worker)
            tracking_invalidate(eng, m.client, writer, &k->key.name, 1);
        else
            remote_send_command(eng->remote, worker, &m, 1, &k->key.name);
    }
    t->items -= k->n;
    free(k->codes);
    keytable_remove(&t->keys, &k->key);
}

/* This worker's share of tracking-table-max-keys; 0: no limit. */
static uint64_t keys_max(const struct engine *eng) {
    uint64_t max = (uint64_t)eng->config.tracking_table_max_keys, n = (uint64_t)eng->workers;
    return (max + n - 1) / n;
}

/* Some key of the table but this one. */
static struct tracked *any_other(struct engine *eng, const struct tracked *kept) {
    const struct keytable *t = &eng->tracks->keys;
    size_t bucket = engine_random_below(eng, t->buckets);
    for (;; bucket = (bucket + 1) & (t->buckets - 1))
        for (struct key_node *k = t->bucket[bucket]; k; k = k->next)
            if (k != &kept->key) return (struct tracked *)k;
}

static void remember(struct engine *eng, uint64_t code, struct str name) {
    struct tracks *t = eng->tracks;
    struct key_node *node = keytable_node(&t->keys, eng, 0, name, sizeof(struct tracked));
    struct tracked *k = (struct tracked *)node;
    t->items += add_code(k, code);
    uint64_t max = keys_max(eng);
    while (max && t->keys.n > max) invalidate(eng, any_other(eng, k), 0);
}

/* The owner hears of it before it is released from the hold under which the key was read. */
static void tell_owner(struct engine *eng, uint64_t code, struct str name) {
    struct message m = { .kind = MSG_TRACK, .client = code };
    remote_send_command(eng->remote, key_owner(name, eng->workers), &m, 1, &name);
}

static void note_keys(struct engine *eng, uint64_t code, const struct key_at *keys, int n,
                      const struct str *argv) {
    for (int i = 0; i < n; i++) {
        struct str name = argv[keys[i].index];
        if (keys[i].flags & KF_NOT_KEY) continue;
        if (!eng->remote || remote_owns(eng->remote, name))
            remember(eng, code, name);
        else
            tell_owner(eng, code, name);
    }
}

void tracking_read(const struct call *c) {
    const struct command *cmd = c->cmd;
    struct key_at few[16], *keys = few;
    if (!(cmd->flags & CMD_READ) || cmd->flags & CMD_SKIP_MONITOR) return;
    int n = command_keys(cmd, c->argc, c->argv, keys, 16);
    if (n > 16) {
        keys = malloc((size_t)n * sizeof *keys);
        ASSERT(keys);
        command_keys(cmd, c->argc, c->argv, keys, n);
    }
    note_keys(c->eng, c->reader, keys, n, c->argv);
    if (keys != few) free(keys);
}

/* --- changes --- */

void tracking_changed(struct engine *eng, struct str key) {
    struct tracks *t = eng->tracks;
    if (LIKELY(!t->keys.n && !t->prefixes.n)) return;
    if (eng->remote && !remote_owns(eng->remote, key)) return; /* a copy for a crossed command */
    struct tracked *k = (struct tracked *)keytable_find(&t->keys, eng, 0, key);
    if (k) invalidate(eng, k, eng->hub->acting);
    if (t->prefixes.n) prefix_changed(eng, key);
}

static void forget_keys(struct tracks *t) {
    for (size_t i = 0; i < t->keys.buckets && t->keys.n; i++)
        for (struct key_node *k; (k = t->keys.bucket[i]);) {
            free(((struct tracked *)k)->codes);
            keytable_remove(&t->keys, k);
        }
    t->items = 0;
}

/* Each worker tells its own clients: all have the keys go at the same instant. */
void tracking_flushed(struct engine *eng) {
    struct tracks *t = eng->tracks;
    forget_keys(t);
    tracking_tell_all(eng, READERS | BROAD);
}

/* --- other workers --- */

void tracking_receive(struct engine *eng, int from, const struct message *m, int argc,
                      const struct str *argv) {
    switch (m->kind) {
    case MSG_TRACK: remember(eng, m->client, argv[0]); break;
    case MSG_INVALIDATE: tracking_invalidate(eng, m->client, m->value, argv, (size_t)argc); break;
    case MSG_REDIRECTED: tracking_receive_redirected(eng, from, m, argc, argv); break;
    case MSG_BROKEN: tracking_receive_broken(eng, m); break;
    case MSG_PREFIX: prefix_receive(eng, from, m, argv); break;
    case MSG_PREFIXES:
        if (m->value)
            tracking_tell_all(eng, BROAD);
        else
            remote_send(eng->remote, from, &(struct message){ .kind = MSG_PREFIXES, .value = 1 },
                        (struct str){ NULL, 0 });
        break;
    case MSG_BROADCAST: prefix_receive_changes(eng, argc, argv); break;
    default: ASSERT(!"a message about tracking");
    }
}

/* Codes of a worker's clients, none of which is there any more. */
static void forget_codes(struct tracks *t, struct tracked *k, int worker) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < k->n; i++)
        if (tracker_worker(k->codes[i]) != worker) k->codes[kept++] = k->codes[i];
    t->items -= k->n - kept;
    k->n = kept;
    if (kept) return;
    free(k->codes);
    keytable_remove(&t->keys, &k->key);
}

void tracking_reborn(struct engine *eng, int worker) {
    struct tracks *t = eng->tracks;
    for (size_t i = 0; i < t->keys.buckets && t->keys.n; i++)
        for (struct key_node *k = t->keys.bucket[i], *next; k; k = next) {
            next = k->next;
            forget_codes(t, (struct tracked *)k, worker);
        }
    prefix_reborn(eng, worker);
    tracking_tell_all(eng, READERS);
}

/* --- life, figures --- */

void tracks_create(struct engine *eng) {
    struct tracks *t = calloc(1, sizeof *t);
    ASSERT(t);
    keytable_create(&t->participants);
    keytable_create(&t->keys);
    keytable_create(&t->prefixes);
    keytable_create(&t->changed);
    t->message.resp = 3;
    eng->tracks = t;
}

void tracks_delete(struct engine *eng) {
    struct tracks *t = eng->tracks;
    if (!t) return;
    forget_keys(t);
    prefixes_delete(eng);
    keytable_delete(&t->participants);
    keytable_delete(&t->keys);
    keytable_delete(&t->prefixes);
    keytable_delete(&t->changed);
    free(t->message.p);
    free(t);
    eng->tracks = NULL;
}

void engine_tracking(const struct engine *eng, struct tracking_info *out) {
    const struct tracks *t = eng->tracks;
    *out = (struct tracking_info){
        .sessions = t->sessions, .keys = t->keys.n, .items = t->items, .prefixes = t->prefixes.n
    };
}
