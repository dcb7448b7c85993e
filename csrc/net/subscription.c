/* subscription.c - the list and the table of one session's subscriptions. */
#include "net/subscription.h"

#include <stdlib.h>

#include "mem/bytes.h"

#define FEW 16u /* so many are found in the list */

static size_t bucket_of(const struct subscriber *s, const struct channel *channel) {
    uint64_t mixed = (uint64_t)(uintptr_t)channel * 0x9e3779b97f4a7c15u;
    return (size_t)(mixed >> 32) & (s->buckets - 1);
}

static void chain(struct subscriber *s, struct subscription *x) {
    struct subscription **to = &s->bucket[bucket_of(s, x->channel)];
    x->chained = *to;
    *to = x;
}

/* A table of this many buckets, a power of two, instead of the present one. */
static void rebuild(struct subscriber *s, size_t buckets) {
    free(s->bucket);
    s->bucket = calloc(buckets, sizeof(struct subscription *));
    ASSERT(s->bucket);
    s->buckets = buckets;
    for (struct subscription *x = s->first; x; x = x->after) chain(s, x);
}

struct subscription *subscriber_find(const struct subscriber *s, const struct channel *channel) {
    struct subscription *x = s->bucket ? s->bucket[bucket_of(s, channel)] : s->first;
    while (x && x->channel != channel) x = s->bucket ? x->chained : x->after;
    return x;
}

void subscriber_add(struct subscriber *s, struct subscription *x) {
    x->before = NULL;
    x->after = s->first;
    if (s->first) s->first->before = x;
    s->first = x;
    s->count++;
    if (s->count > FEW && s->count > s->buckets)
        rebuild(s, s->buckets ? 2 * s->buckets : 4 * FEW);
    else if (s->bucket)
        chain(s, x);
}

void subscriber_remove(struct subscriber *s, struct subscription *x) {
    if (s->bucket) {
        struct subscription **at = &s->bucket[bucket_of(s, x->channel)];
        while (*at != x) at = &(*at)->chained;
        *at = x->chained;
    }
    if (x->before)
        x->before->after = x->after;
    else
        s->first = x->after;
    if (x->after) x->after->before = x->before;
    s->count--;
}

void subscriber_free(struct subscriber *s) {
    free(s->bucket);
    free(s);
}
