/* topk.c - counters in a binary heap, the lightest first, found by a chained table. */
#include "net/topk.h"

#include <stdlib.h>

void topk_create(struct topk *t, size_t counters) {
    size_t buckets = 16;
    while (buckets < 2 * counters) buckets *= 2;
    *t = (struct topk){ .counters = counters, .buckets = buckets };
    t->heap = calloc(counters, sizeof(struct top_key *));
    t->bucket = calloc(buckets, sizeof(struct top_key *));
    ASSERT(t->heap && t->bucket);
}

void topk_delete(struct topk *t) {
    for (size_t i = 0; i < t->n; i++) free(t->heap[i]);
    free(t->heap);
    free(t->bucket);
    *t = (struct topk){ .n = 0 };
}

static struct top_key **bucket_of(const struct topk *t, uint64_t hash) {
    return &t->bucket[hash & (t->buckets - 1)];
}

static struct top_key *find(const struct topk *t, struct str key, uint64_t hash) {
    struct top_key *k = *bucket_of(t, hash);
    while (k && !(k->hash == hash && str_eq((struct str){ k->bytes, k->n }, key))) k = k->next;
    return k;
}

/* --- the heap --- */

static void put(struct topk *t, struct top_key *k, size_t at) {
    t->heap[at] = k;
    k->at = at;
}

/* The key has become heavier. */
static void sink(struct topk *t, struct top_key *k) {
    size_t at = k->at;
    for (size_t child; (child = 2 * at + 1) < t->n; at = child) {
        if (child + 1 < t->n && t->heap[child + 1]->weight < t->heap[child]->weight) child++;
        if (t->heap[child]->weight >= k->weight) break;
        put(t, t->heap[child], at);
    }
    put(t, k, at);
}

/* The key is new, in the last place. */
static void rise(struct topk *t, struct top_key *k) {
    size_t at = k->at;
    for (; at && t->heap[(at - 1) / 2]->weight > k->weight; at = (at - 1) / 2)
        put(t, t->heap[(at - 1) / 2], at);
    put(t, k, at);
}

/* --- counters --- */

static struct top_key *new_key(struct topk *t, struct str name, uint64_t hash) {
    struct top_key *k = malloc(sizeof *k + name.n);
    ASSERT(k);
    *k = (struct top_key){ .next = *bucket_of(t, hash), .hash = hash, .n = name.n };
    if (name.n) memcpy(k->bytes, name.p, name.n);
    *bucket_of(t, hash) = k;
    return k;
}

static void forget(struct topk *t, struct top_key *k) {
    struct top_key **at = bucket_of(t, k->hash);
    while (*at != k) at = &(*at)->next;
    *at = k->next;
    free(k);
}

/* A key that has no counter takes that of the lightest. */
static void replace_lightest(struct topk *t, struct str name, uint64_t hash, uint64_t weight) {
    uint64_t error = t->heap[0]->weight;
    forget(t, t->heap[0]);
    struct top_key *k = new_key(t, name, hash);
    k->error = error;
    k->weight = error + weight;
    put(t, k, 0);
    sink(t, k);
}

void topk_add(struct topk *t, struct str name, uint64_t hash, uint64_t weight) {
    struct top_key *k = find(t, name, hash);
    if (k) {
        k->weight += weight;
        sink(t, k);
    } else if (t->n == t->counters) {
        replace_lightest(t, name, hash, weight);
    } else {
        k = new_key(t, name, hash);
        k->weight = weight;
        put(t, k, t->n++);
        rise(t, k);
    }
}

struct str topk_key(const struct topk *t, size_t i, uint64_t *weight) {
    const struct top_key *k = t->heap[i];
    *weight = k->weight - k->error;
    return (struct str){ k->bytes, k->n };
}
