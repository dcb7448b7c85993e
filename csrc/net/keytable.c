/* keytable.c - finding, adding and removing nodes. */
#include "net/keytable.h"

#define BUCKETS_MIN 16u

void keytable_create(struct keytable *t) {
    *t = (struct keytable){ .buckets = BUCKETS_MIN };
    t->bucket = calloc(t->buckets, sizeof(struct key_node *));
    ASSERT(t->bucket);
}

void keytable_delete(struct keytable *t) {
    for (size_t i = 0; i < t->buckets; i++)
        while (t->bucket[i]) {
            struct key_node *k = t->bucket[i];
            t->bucket[i] = k->next;
            free(k);
        }
    free(t->bucket);
}

static uint64_t hash_of(const struct engine *eng, int db, struct str name) {
    return dict_hash(&eng->arena, name) + (uint64_t)db * 0x9e3779b97f4a7c15u;
}

static struct key_node *find(const struct keytable *t, uint64_t hash, int db, struct str name) {
    struct key_node *k = t->bucket[hash & (t->buckets - 1)];
    while (k && !(k->hash == hash && k->db == db && str_eq(k->name, name))) k = k->next;
    return k;
}

struct key_node *keytable_find(const struct keytable *t, const struct engine *eng, int db,
                               struct str name) {
    return LIKELY(!t->n) ? NULL : find(t, hash_of(eng, db, name), db, name);
}

static void link_node(struct keytable *t, struct key_node *k) {
    struct key_node **to = &t->bucket[k->hash & (t->buckets - 1)];
    k->next = *to;
    *to = k;
}

static void grow(struct keytable *t) {
    struct keytable old = *t;
    t->buckets *= 2;
    t->bucket = calloc(t->buckets, sizeof(struct key_node *));
    ASSERT(t->bucket);
    for (size_t i = 0; i < old.buckets; i++)
        for (struct key_node *k = old.bucket[i], *next; k; k = next) {
            next = k->next;
            link_node(t, k);
        }
    free(old.bucket);
}

struct key_node *keytable_node(struct keytable *t, const struct engine *eng, int db,
                               struct str name, size_t size) {
    uint64_t hash = hash_of(eng, db, name);
    struct key_node *k = find(t, hash, db, name);
    if (k) return k;
    if (t->n == t->buckets) grow(t);
    k = calloc(1, size + name.n);
    ASSERT(k);
    memcpy((char *)k + size, name.p, name.n);
    k->hash = hash;
    k->db = db;
    k->name = (struct str){ (char *)k + size, name.n };
    link_node(t, k);
    t->n++;
    return k;
}

void keytable_remove(struct keytable *t, struct key_node *node) {
    struct key_node **at = &t->bucket[node->hash & (t->buckets - 1)];
    while (*at != node) at = &(*at)->next;
    *at = node->next;
    free(node);
    t->n--;
}
