/* tracking_impl.h - what the files of net/tracking.h share. */
#ifndef SHMREDIS_TRACKING_IMPL_H
#define SHMREDIS_TRACKING_IMPL_H

#include "net/keytable.h"
#include "net/tracking.h"

/* A session that tracks, or that others' messages are redirected to. */
struct participant {
    struct key_node id; /* its name: the bytes of the session's id */
    struct session *session;
};

/* A key and who has read it. */
struct tracked {
    struct key_node key;
    uint64_t *codes; /* ascending */
    uint32_t n, cap;
};

/* A prefix of BCAST. */
struct prefix {
    struct key_node name;
    uint64_t workers;          /* bits: those that have clients of it */
    struct session **sessions; /* this worker's */
    size_t n, cap;
    struct prefix *next_hit; /* of one broadcast */
    bool hit;
    struct str *keys; /* of one broadcast: names, and who has changed each */
    uint64_t *writers;
    size_t keys_n, keys_cap;
};

/* A key that has changed in this turn. */
struct changed {
    struct key_node key;
    uint64_t writer;  /* the client, 0: nobody's command */
    uint64_t workers; /* bits: those that want to know */
};

/* How many prefixes have a length. */
struct prefix_length {
    size_t length, n;
};

struct tracks {
    struct keytable participants, keys, prefixes, changed;
    struct prefix_length *lengths; /* ascending */
    size_t lengths_n;
    uint64_t sessions;    /* that track */
    uint64_t items;       /* codes of all keys */
    struct reply message; /* being composed */
};

/* tracking.c */
struct participant *tracks_find(const struct engine *eng, uint64_t id);

/* tracking_send.c. `n` names, or none: everything is to be dropped. */
void tracking_tell(struct session *s, const struct str *keys, size_t n);
/* To this worker's client with that id, if it still tracks what it reads; `writer` has changed
 * them. */
void tracking_invalidate(struct engine *eng, uint64_t client, uint64_t writer,
                         const struct str *keys, size_t n);
/* These sessions are told to drop everything. */
enum audience { READERS = 1, BROAD = 2 }; /* BROAD: of BCAST */
void tracking_tell_all(struct engine *eng, int audience);
void tracking_receive_redirected(struct engine *eng, int from, const struct message *m, int argc,
                                 const struct str *argv);
void tracking_receive_broken(struct engine *eng, const struct message *m);

/* tracking_prefix.c */
void prefix_add(struct session *s, struct str name);
void prefix_drop_all(struct session *s);
void prefix_changed(struct engine *eng, struct str key);
void prefix_receive(struct engine *eng, int from, const struct message *m, const struct str *argv);
void prefix_receive_changes(struct engine *eng, int argc, const struct str *argv);
void prefix_reborn(struct engine *eng, int worker);
void prefixes_delete(struct engine *eng);

#endif
