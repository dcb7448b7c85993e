/* tracking_prefix.c - BCAST: clients that are told of every change of keys with their prefixes.
 *
 * Each worker knows the prefixes of all, and which workers have clients of each. Keys that change
 * are gathered; at the end of the turn each worker concerned gets them in one message, and tells
 * its clients once for each prefix.
 */
#include "net/hub.h"
#include "net/remote.h"
#include "net/tracking_impl.h"

/* --- lengths --- */

/* A prefix of this length has come (1) or gone (-1). */
static void count_length(struct tracks *t, size_t length, int change) {
    size_t i = 0;
    while (i < t->lengths_n && t->lengths[i].length < length) i++;
    bool known = i < t->lengths_n && t->lengths[i].length == length;
    if (!known) {
        t->lengths = realloc(t->lengths, (t->lengths_n + 1) * sizeof *t->lengths);
        ASSERT(t->lengths);
        memmove(t->lengths + i + 1, t->lengths + i, (t->lengths_n - i) * sizeof *t->lengths);
        t->lengths[i] = (struct prefix_length){ .length = length };
        t->lengths_n++;
    }
    t->lengths[i].n += (size_t)(ptrdiff_t)change;
    if (t->lengths[i].n) return;
    t->lengths_n--;
    memmove(t->lengths + i, t->lengths + i + 1, (t->lengths_n - i) * sizeof *t->lengths);
}

/* The prefix of a key that has the i-th length; NULL: there is none. */
static struct prefix *prefix_of(const struct engine *eng, struct str key, size_t i) {
    const struct tracks *t = eng->tracks;
    struct str name = { key.p, t->lengths[i].length };
    return name.n > key.n ? NULL : (struct prefix *)keytable_find(&t->prefixes, eng, 0, name);
}

/* --- who wants which --- */

static struct prefix *make(struct engine *eng, struct str name) {
    struct tracks *t = eng->tracks;
    size_t before = t->prefixes.n;
    struct prefix *p =
        (struct prefix *)keytable_node(&t->prefixes, eng, 0, name, sizeof(struct prefix));
    if (t->prefixes.n > before) count_length(t, name.n, 1);
    return p;
}

static void set_worker(struct engine *eng, struct prefix *p, int worker, bool wants) {
    uint64_t bit = UINT64_C(1) << worker;
    p->workers = wants ? p->workers | bit : p->workers & ~bit;
    if (p->workers) return;
    count_length(eng->tracks, p->name.name.n, -1);
    free(p->sessions);
    free(p->keys);
    free(p->writers);
    keytable_remove(&eng->tracks->prefixes, &p->name);
}

static void tell_worker(struct engine *eng, int to, const struct prefix *p, bool wants) {
    struct message m = { .kind = MSG_PREFIX, .value = wants };
    remote_send_command(eng->remote, to, &m, 1, &p->name.name);
}

static void tell_workers(struct engine *eng, const struct prefix *p, bool wants) {
    for (int w = 0; eng->remote && w < eng->workers; w++)
        if (w != eng->worker) tell_worker(eng, w, p, wants);
}

static void add_session(struct prefix *p, struct session *s) {
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 4;
        p->sessions = realloc(p->sessions, p->cap * sizeof(struct session *));
        ASSERT(p->sessions);
    }
    p->sessions[p->n++] = s;
}

static int by_bytes(struct str a, struct str b) {
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* Among those of the session, by name; false: it is there already. */
static bool list_prefix(struct tracking *t, struct prefix *p) {
    size_t i = 0;
    while (i < t->prefixes && by_bytes(t->prefix[i]->name.name, p->name.name) < 0) i++;
    if (i < t->prefixes && t->prefix[i] == p) return false;
    t->prefix = realloc(t->prefix, (t->prefixes + 1) * sizeof(struct prefix *));
    ASSERT(t->prefix);
    memmove(t->prefix + i + 1, t->prefix + i, (t->prefixes - i) * sizeof(struct prefix *));
    t->prefix[i] = p;
    t->prefixes++;
    return true;
}

void prefix_add(struct session *s, struct str name) {
    struct engine *eng = s->eng;
    struct prefix *p = make(eng, name);
    if (!list_prefix(s->tracking, p)) return;
    if (!p->n) tell_workers(eng, p, true);
    add_session(p, s);
    set_worker(eng, p, eng->worker, true);
}

static void remove_session(struct prefix *p, const struct session *s) {
    size_t i = 0;
    while (p->sessions[i] != s) i++;
    p->n--;
    memmove(p->sessions + i, p->sessions + i + 1, (p->n - i) * sizeof(struct session *));
}

void prefix_drop_all(struct session *s) {
    for (size_t i = 0; i < s->tracking->prefixes; i++) {
        struct prefix *p = s->tracking->prefix[i];
        remove_session(p, s);
        if (p->n) continue;
        tell_workers(s->eng, p, false);
        set_worker(s->eng, p, s->eng->worker, false);
    }
    s->tracking->prefixes = 0;
}

/* --- changes of a turn --- */

void prefix_changed(struct engine *eng, struct str key) {
    struct tracks *t = eng->tracks;
    uint64_t workers = 0;
    for (size_t i = 0; i < t->lengths_n; i++) {
        const struct prefix *p = prefix_of(eng, key, i);
        if (p) workers |= p->workers;
    }
    if (!workers) return;
    size_t before = t->changed.n;
    struct changed *c =
        (struct changed *)keytable_node(&t->changed, eng, 0, key, sizeof(struct changed));
    if (t->changed.n > before) c->writer = eng->hub->acting;
    c->workers |= workers;
}

bool tracking_is_due(const struct engine *eng) {
    return eng->tracks->changed.n;
}

static int by_name(const void *a, const void *b) {
    const struct changed *const *x = a, *const *y = b;
    return by_bytes((*x)->key.name, (*y)->key.name);
}

/* All changes by name; malloc. */
static struct changed **sorted(const struct tracks *t) {
    struct changed **all = malloc((t->changed.n + 1) * sizeof(struct changed *));
    ASSERT(all);
    size_t n = 0;
    for (size_t i = 0; i < t->changed.buckets; i++)
        for (struct key_node *k = t->changed.bucket[i]; k; k = k->next)
            all[n++] = (struct changed *)k;
    qsort(all, n, sizeof(struct changed *), by_name);
    return all;
}

static void note_hit(struct prefix *p, struct str key, uint64_t writer, struct prefix **hits) {
    if (p->keys_n == p->keys_cap) {
        p->keys_cap = p->keys_cap ? 2 * p->keys_cap : 8;
        p->keys = realloc(p->keys, p->keys_cap * sizeof *p->keys);
        p->writers = realloc(p->writers, p->keys_cap * sizeof *p->writers);
        ASSERT(p->keys && p->writers);
    }
    p->keys[p->keys_n] = key;
    p->writers[p->keys_n++] = writer;
    if (p->hit) return;
    p->hit = true;
    for (; *hits && by_bytes((*hits)->name.name, p->name.name) < 0; hits = &(*hits)->next_hit) {
    }
    p->next_hit = *hits;
    *hits = p;
}

/* NOLOOP: all but the keys that the session has changed itself. */
static void tell_others_keys(struct session *s, const struct prefix *p) {
    struct str *keys = malloc(p->keys_n * sizeof *keys);
    ASSERT(keys);
    size_t n = 0;
    for (size_t i = 0; i < p->keys_n; i++)
        if (p->writers[i] != s->id) keys[n++] = p->keys[i];
    if (n) tracking_tell(s, keys, n);
    free(keys);
}

static void tell_sessions(const struct prefix *p) {
    for (size_t i = 0; i < p->n; i++) {
        struct session *s = p->sessions[i];
        if (s->tracking->flags & TRACKING_NOLOOP)
            tell_others_keys(s, p);
        else
            tracking_tell(s, p->keys, p->keys_n);
    }
}

/* One key of a broadcast, for the prefixes that this worker has clients of. */
static void hit(struct engine *eng, struct str key, uint64_t writer, struct prefix **hits) {
    for (size_t i = 0; i < eng->tracks->lengths_n; i++) {
        struct prefix *p = prefix_of(eng, key, i);
        if (p && p->n) note_hit(p, key, writer, hits);
    }
}

static void tell_hits(struct prefix *hits) {
    for (struct prefix *p = hits; p; p = p->next_hit) {
        tell_sessions(p);
        p->keys_n = 0;
        p->hit = false;
    }
}

static void send_to(struct engine *eng, int worker, struct changed **all, size_t n) {
    struct message m = { .kind = MSG_BROADCAST };
    struct str *words = malloc(2 * n * sizeof *words);
    ASSERT(words);
    int used = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(all[i]->workers >> worker & 1)) continue;
        words[used++] = (struct str){ (const char *)&all[i]->writer, sizeof all[i]->writer };
        words[used++] = all[i]->key.name;
    }
    if (used) remote_send_command(eng->remote, worker, &m, used, words);
    free(words);
}

static void forget_changes(struct tracks *t) {
    keytable_delete(&t->changed);
    keytable_create(&t->changed);
}

void tracking_end_turn(struct engine *eng) {
    struct tracks *t = eng->tracks;
    struct prefix *hits = NULL;
    size_t n = t->changed.n;
    struct changed **all = sorted(t);
    for (int w = 0; eng->remote && w < eng->workers; w++)
        if (w != eng->worker) send_to(eng, w, all, n);
    for (size_t i = 0; i < n; i++) hit(eng, all[i]->key.name, all[i]->writer, &hits);
    tell_hits(hits);
    free(all);
    forget_changes(t);
}

/* --- other workers --- */

void prefix_receive(struct engine *eng, int from, const struct message *m, const struct str *argv) {
    set_worker(eng, make(eng, argv[0]), from, m->value);
}

void prefix_receive_changes(struct engine *eng, int argc, const struct str *argv) {
    struct prefix *hits = NULL;
    for (int i = 0; i + 1 < argc; i += 2) hit(eng, argv[i + 1], load_u64(argv[i].p), &hits);
    tell_hits(hits);
}

/* It begins without prefixes. When it knows those of others, it says so; what has changed there
 * before is covered by what their clients are told then. */
void prefix_reborn(struct engine *eng, int worker) {
    const struct keytable *t = &eng->tracks->prefixes;
    for (size_t i = 0; i < t->buckets && t->n; i++)
        for (struct key_node *k = t->bucket[i], *next; k; k = next) {
            struct prefix *p = (struct prefix *)k;
            next = k->next;
            if (p->n) tell_worker(eng, worker, p, true);
            set_worker(eng, p, worker, false);
        }
    remote_send(eng->remote, worker, &(struct message){ .kind = MSG_PREFIXES },
                (struct str){ NULL, 0 });
}

void prefixes_delete(struct engine *eng) {
    struct tracks *t = eng->tracks;
    for (size_t i = 0; i < t->prefixes.buckets; i++)
        for (struct key_node *k = t->prefixes.bucket[i]; k; k = k->next) {
            free(((struct prefix *)k)->sessions);
            free(((struct prefix *)k)->keys);
            free(((struct prefix *)k)->writers);
        }
    free(t->lengths);
}
