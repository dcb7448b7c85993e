/* watch.h - keys whose change makes somebody's transaction fail (WATCH).
 *
 * A table of keys and who watches them: sessions of this worker, and for its own keys those of
 * others. A session's worker has all its keys in its table, their owners have theirs, and tell of a
 * change by MSG_TOUCHED. Rings keep their order, so who holds a worker (net/cross.h) has heard of
 * every change made there before the hold.
 *
 * Owns      names and watchers (malloc).
 * Callers   net/multi.c; net/observe.c tells of changes.
 */
#ifndef SHMREDIS_WATCH_H
#define SHMREDIS_WATCH_H

#include "net/message.h"
#include "net/session.h"

/* Of the engine, as long as it lives. */
void watches_create(struct engine *eng);
void watches_delete(struct engine *eng);

/* Who watches: a session of this worker, or the id that another worker has for one of its own. */
struct watcher_id {
    struct session *session; /* NULL: another worker's */
    int worker;
    uint64_t id;
};
static inline struct watcher_id watcher_here(struct session *s) {
    return (struct watcher_id){ s, s->eng->worker, s->id };
}
void watch_add(struct engine *eng, struct watcher_id who, int db, struct str key);
void watch_remove(struct engine *eng, struct watcher_id who, int db, struct str key);
/* A key has changed; the keys of database `db` are about to go, or to become those of `from`. */
void watch_changed(struct engine *eng, struct str key, int db);
void watch_replacing(struct engine *eng, int db, int from);
/* A worker has died: its sessions watch nothing any more, its keys count as changed. */
void watch_reborn(struct engine *eng, int worker);
/* MSG_WATCH, MSG_UNWATCH. */
void watch_receive(struct engine *eng, int from, const struct message *m, int argc,
                   const struct str *argv);
void watch_receive_end(struct engine *eng, int from, const struct message *m, int argc,
                       const struct str *argv);
/* Sessions of this worker that watch something; net/multi.c counts them. */
void watch_count_session(struct engine *eng, int change);
/* Watched keys that are this worker's own, and those sessions, for INFO. */
void watch_count(const struct engine *eng, uint64_t *keys, uint64_t *sessions);

#endif
