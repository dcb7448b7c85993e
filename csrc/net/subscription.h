/* subscription.h - what one session is subscribed to: a list, newest first, and a table to find one
 * of very many.
 *
 * Owns      the table (malloc); subscriptions are net/pubsub.c's.
 * Promises  finding, adding and removing take constant time.
 */
#ifndef SHMREDIS_SUBSCRIPTION_H
#define SHMREDIS_SUBSCRIPTION_H

#include <stddef.h>
#include <stdint.h>

struct channel;
struct session;

struct subscription {
    struct subscription *prev, *next;    /* of the channel */
    struct subscription *before, *after; /* of the session */
    struct subscription *chained;        /* in its bucket */
    struct session *session;
    struct channel *channel;
};

struct subscriber {
    struct subscription *first;
    struct subscription **bucket; /* NULL: there are few, and the list is looked through */
    size_t buckets, count;
    uint64_t n[3]; /* by enum channel_kind */
};

struct subscription *subscriber_find(const struct subscriber *s, const struct channel *channel);
void subscriber_add(struct subscriber *s, struct subscription *x);
void subscriber_remove(struct subscriber *s, struct subscription *x);
/* It has none any more. */
void subscriber_free(struct subscriber *s);

#endif
