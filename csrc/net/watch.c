/* watch.c - the table of watched keys and what happens when one changes. */
#include "net/watch.h"

#include "net/hub.h"
#include "net/multi.h"
#include "net/remote.h"

struct watcher {
    struct watcher *next;
    struct watcher_id who;
};

struct watched {
    struct watched *next; /* in its bucket */
    struct watcher *watchers;
    uint64_t hash;
    int db;
    size_t n;
    char name[];
};

struct watches {
    struct watched **bucket;
    size_t buckets, keys; /* buckets: a power of two */
    uint64_t sessions;
};

#define BUCKETS_MIN 16u

static uint64_t hash_of(const struct engine *eng, int db, struct str key) {
    return dict_hash(&eng->arena, key) + (uint64_t)db * 0x9e3779b97f4a7c15u;
}

static struct watched **find(struct watches *w, uint64_t hash, int db, struct str key) {
    struct watched **at = &w->bucket[hash & (w->buckets - 1)];
    while (*at) {
        const struct watched *k = *at;
        if (k->hash == hash && k->db == db && k->n == key.n && !memcmp(k->name, key.p, key.n))
            return at;
        at = &(*at)->next;
    }
    return at;
}

static void grow(struct watches *w) {
    size_t old = w->buckets;
    struct watched **was = w->bucket;
    w->buckets = old * 2;
    w->bucket = calloc(w->buckets, sizeof *w->bucket);
    ASSERT(w->bucket);
    for (size_t i = 0; i < old; i++)
        for (struct watched *k = was[i], *next; k; k = next) {
            struct watched **to = &w->bucket[k->hash & (w->buckets - 1)];
            next = k->next;
            k->next = *to;
            *to = k;
        }
    free(was);
}

void watch_add(struct engine *eng, struct watcher_id who, int db, struct str key) {
    struct watches *w = eng->watches;
    uint64_t hash = hash_of(eng, db, key);
    struct watched **at = find(w, hash, db, key);
    if (!*at) {
        *at = malloc(sizeof **at + key.n);
        ASSERT(*at);
        **at = (struct watched){ .hash = hash, .db = db, .n = key.n };
        memcpy((*at)->name, key.p, key.n);
        w->keys++;
    }
    struct watched *k = *at;
    struct watcher *new = malloc(sizeof *new);
    ASSERT(new);
    *new = (struct watcher){ .next = k->watchers, .who = who };
    k->watchers = new;
    if (w->keys > w->buckets) grow(w);
}

static void free_watcher(struct watcher **at) {
    struct watcher *gone = *at;
    *at = gone->next;
    free(gone);
}

/* Without watchers the key goes, too; true if it did. */
static bool forget_unwatched(struct watches *w, struct watched **at) {
    struct watched *k = *at;
    if (k->watchers) return false;
    *at = k->next;
    free(k);
    w->keys--;
    return true;
}

void watch_remove(struct engine *eng, struct watcher_id who, int db, struct str key) {
    struct watched **at = find(eng->watches, hash_of(eng, db, key), db, key);
    if (!*at) return;
    for (struct watcher **x = &(*at)->watchers; *x; x = &(*x)->next)
        if ((*x)->who.worker == who.worker && (*x)->who.id == who.id) {
            free_watcher(x);
            break;
        }
    forget_unwatched(eng->watches, at);
}

static void touch(struct engine *eng, const struct watched *k) {
    for (const struct watcher *x = k->watchers; x; x = x->next) {
        const struct str name = { k->name, k->n };
        struct message m = { .kind = MSG_TOUCHED, .db = k->db };
        if (x->who.session)
            multi_touch(x->who.session);
        else
            remote_send_command(eng->remote, x->who.worker, &m, 1, &name);
    }
}

void watch_reborn(struct engine *eng, int worker) {
    struct watches *w = eng->watches;
    for (size_t i = 0; i < w->buckets; i++)
        for (struct watched **at = &w->bucket[i]; *at;) {
            for (struct watcher **x = &(*at)->watchers; *x;)
                if ((*x)->who.worker == worker)
                    free_watcher(x);
                else
                    x = &(*x)->next;
            if (key_owner((struct str){ (*at)->name, (*at)->n }, eng->workers) == worker)
                touch(eng, *at);
            if (!forget_unwatched(w, at)) at = &(*at)->next;
        }
}

void watch_receive(struct engine *eng, int from, const struct message *m, int argc,
                   const struct str *argv) {
    const struct watcher_id who = { NULL, from, m->value };
    struct key key;
    for (int i = 0; i < argc; i++) {
        key_find(eng, m->db, argv[i], KEY_PEEK, &key); /* as multi.c does with one of its own */
        watch_add(eng, who, m->db, argv[i]);
    }
    remote_answer(eng->remote, from, m->id, STR("+OK\r\n"));
}

void watch_receive_end(struct engine *eng, int from, const struct message *m, int argc,
                       const struct str *argv) {
    const struct watcher_id who = { NULL, from, m->value };
    for (int i = 0; i < argc; i++) watch_remove(eng, who, m->db, argv[i]);
}

static void modified(struct engine *eng, struct str key, int db) {
    struct watches *w = eng->watches;
    if (LIKELY(!w->keys)) return;
    const struct watched *k = *find(w, hash_of(eng, db, key), db, key);
    if (k) touch(eng, k);
}

static bool exists(struct engine *eng, int db, const struct watched *w) {
    struct key k;
    return key_find(eng, db, (struct str){ w->name, w->n }, KEY_PEEK, &k);
}

static void replacing(struct engine *eng, int db, int from) {
    struct watches *w = eng->watches;
    for (size_t i = 0; i < w->buckets && w->keys; i++)
        for (const struct watched *k = w->bucket[i]; k; k = k->next)
            if (k->db == db && (exists(eng, db, k) || (from >= 0 && exists(eng, from, k))))
                touch(eng, k);
}

void watches_create(struct engine *eng) {
    struct watches *w = calloc(1, sizeof *w);
    ASSERT(w);
    w->buckets = BUCKETS_MIN;
    w->bucket = calloc(w->buckets, sizeof *w->bucket);
    ASSERT(w->bucket);
    eng->watches = w;
    eng->hooks.modified = modified;
    eng->hooks.replacing = replacing;
}

static void free_key(struct watched *k) {
    while (k->watchers) free_watcher(&k->watchers);
    free(k);
}

void watches_delete(struct engine *eng) {
    struct watches *w = eng->watches;
    if (!w) return;
    for (size_t i = 0; i < w->buckets; i++)
        while (w->bucket[i]) {
            struct watched *k = w->bucket[i];
            w->bucket[i] = k->next;
            free_key(k);
        }
    free(w->bucket);
    free(w);
    eng->watches = NULL;
}

void watch_count_session(struct engine *eng, int change) {
    eng->watches->sessions += (uint64_t)(int64_t)change;
}

void watch_count(const struct engine *eng, uint64_t *keys, uint64_t *sessions) {
    *keys = eng->watches->keys;
    *sessions = eng->watches->sessions;
}
