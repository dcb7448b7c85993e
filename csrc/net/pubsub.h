/* pubsub.h - channels, shard channels and patterns: who is subscribed, and bringing them messages.
 *
 * Every worker knows its own sessions' subscriptions. PUBLISH is run by all workers at one instant
 * (cmd/keys.h, SPREAD_ALL_SUM); an event of a key is told to the others by MSG_EVENT. A message for
 * the session that is just executing a command comes after that command's reply.
 *
 * Owns      channels and subscriptions (malloc).
 */
#ifndef SHMREDIS_PUBSUB_H
#define SHMREDIS_PUBSUB_H

#include "cmd/registry.h"
#include "cmd/reply.h"
#include "net/session.h"

enum channel_kind {
    CHANNEL,
    SHARD_CHANNEL,
    PATTERN,
    CHANNEL_KINDS
}; /* as net/subscription.h counts */

/* Of the engine, as long as it lives; the commands are registered. */
void pubsub_create(struct engine *eng);
void pubsub_delete(struct engine *eng);

/* Brings a message to this worker's subscribers; returns how many there were. */
uint64_t pubsub_publish(struct engine *eng, enum channel_kind kind, struct str channel,
                        struct str message);
/* Whether there is any subscriber of channels or patterns, at any worker; if not, there is no need
 * to compose a message. */
bool pubsub_is_heard(const struct engine *eng);
/* The same to all workers' subscribers of a channel. */
void pubsub_tell(struct engine *eng, struct str channel, struct str message);
/* A key's event, to all workers' subscribers. */
void pubsub_event(struct engine *eng, const char *event, struct str key, int db);

/* In RESP2 a subscriber may call little else. False: the error is replied. */
bool pubsub_allows(struct session *s, struct command_row *row, struct reply *out);
/* RESET, the end of the connection. */
void pubsub_forget_session(struct session *s);
/* Whether all subscriptions of the session pass a test. */
bool pubsub_all(const struct session *s,
                bool (*test)(const void *ctx, enum channel_kind kind, struct str name),
                const void *ctx);
/* Bytes of its subscriptions. */
size_t pubsub_memory(const struct session *s);
/* How many channels of this kind the session has. */
uint64_t pubsub_subscriptions(const struct session *s, enum channel_kind kind);

/* A command that was run inside of another: what it has published is told to other workers, too. */
void pubsub_ran_inside(struct engine *eng, const struct command_row *row, const struct str *argv);

#endif
