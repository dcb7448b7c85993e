/* watch.c - who watches which keys, and what happens when one changes. */
#include "net/watch.h"

#include "net/keytable.h"
#include "net/multi.h"
#include "net/remote.h"

struct watcher {
    struct watcher *next;
    struct watcher_id who;
};

struct watched {
    struct key_node key;
    struct watcher *watchers;
};

struct watches {
    struct keytable keys;
    uint64_t own; /* those of them that are this worker's */
    uint64_t sessions;
};

static bool is_own(const struct engine *eng, const struct watched *k) {
    return !eng->remote || remote_owns(eng->remote, k->key.name);
}

static struct watched *find(const struct engine *eng, int db, struct str key) {
    return (struct watched *)keytable_find(&eng->watches->keys, eng, db, key);
}

void watch_add(struct engine *eng, struct watcher_id who, int db, struct str key) {
    struct key_node *node =
        keytable_node(&eng->watches->keys, eng, db, key, sizeof(struct watched));
    struct watched *k = (struct watched *)node;
    struct watcher *new = malloc(sizeof *new);
    ASSERT(new);
    if (!k->watchers) eng->watches->own += is_own(eng, k);
    *new = (struct watcher){ .next = k->watchers, .who = who };
    k->watchers = new;
}

static void free_watcher(struct watcher **at) {
    struct watcher *gone = *at;
    *at = gone->next;
    free(gone);
}

static void forget_unwatched(struct engine *eng, struct watched *k) {
    if (k->watchers) return;
    eng->watches->own -= is_own(eng, k);
    keytable_remove(&eng->watches->keys, &k->key);
}

void watch_remove(struct engine *eng, struct watcher_id who, int db, struct str key) {
    struct watched *k = find(eng, db, key);
    if (!k) return;
    for (struct watcher **x = &k->watchers; *x; x = &(*x)->next)
        if ((*x)->who.worker == who.worker && (*x)->who.id == who.id) {
            free_watcher(x);
            break;
        }
    forget_unwatched(eng, k);
}

static void touch(struct engine *eng, const struct watched *k) {
    for (const struct watcher *x = k->watchers; x; x = x->next) {
        struct message m = { .kind = MSG_TOUCHED, .db = k->key.db };
        if (x->who.session)
            multi_touch(x->who.session);
        else
            remote_send_command(eng->remote, x->who.worker, &m, 1, &k->key.name);
    }
}

void watch_changed(struct engine *eng, struct str key, int db) {
    const struct watched *k = find(eng, db, key);
    if (k) touch(eng, k);
}

static bool exists(struct engine *eng, int db, const struct watched *w) {
    struct key k;
    return key_find(eng, db, w->key.name, KEY_PEEK, &k);
}

void watch_replacing(struct engine *eng, int db, int from) {
    const struct keytable *t = &eng->watches->keys;
    for (size_t i = 0; i < t->buckets && t->n; i++)
        for (const struct key_node *node = t->bucket[i]; node; node = node->next) {
            const struct watched *k = (const struct watched *)node;
            if (node->db == db && (exists(eng, db, k) || (from >= 0 && exists(eng, from, k))))
                touch(eng, k);
        }
}

/* --- other workers --- */

static void forget_worker(struct watched *k, int worker) {
    for (struct watcher **x = &k->watchers; *x;)
        if ((*x)->who.worker == worker)
            free_watcher(x);
        else
            x = &(*x)->next;
}

void watch_reborn(struct engine *eng, int worker) {
    const struct keytable *t = &eng->watches->keys;
    for (size_t i = 0; i < t->buckets; i++)
        for (struct key_node *node = t->bucket[i], *next; node; node = next) {
            struct watched *k = (struct watched *)node;
            next = node->next;
            forget_worker(k, worker);
            if (key_owner(node->name, eng->workers) == worker) touch(eng, k);
            forget_unwatched(eng, k);
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

/* --- life --- */

void watches_create(struct engine *eng) {
    struct watches *w = calloc(1, sizeof *w);
    ASSERT(w);
    keytable_create(&w->keys);
    eng->watches = w;
}

void watches_delete(struct engine *eng) {
    struct watches *w = eng->watches;
    if (!w) return;
    for (size_t i = 0; i < w->keys.buckets; i++)
        for (struct key_node *node = w->keys.bucket[i]; node; node = node->next) {
            struct watched *k = (struct watched *)node;
            while (k->watchers) free_watcher(&k->watchers);
        }
    keytable_delete(&w->keys);
    free(w);
    eng->watches = NULL;
}

void watch_count_session(struct engine *eng, int change) {
    eng->watches->sessions += (uint64_t)(int64_t)change;
}

void watch_count(const struct engine *eng, uint64_t *keys, uint64_t *sessions) {
    *keys = eng->watches->own;
    *sessions = eng->watches->sessions;
}
