/* stream_id.h - ids of stream entries: milliseconds and a sequence number, 128 bits in all. */
#ifndef SHMREDIS_STREAM_ID_H
#define SHMREDIS_STREAM_ID_H

#include "mem/number.h"

struct stream_id {
    uint64_t ms, seq;
};

#define STREAM_ID_MIN ((struct stream_id){ 0, 0 })
#define STREAM_ID_MAX ((struct stream_id){ UINT64_MAX, UINT64_MAX })
#define STREAM_ID_TEXT 44 /* room for the text of any id */

static inline int stream_id_cmp(struct stream_id a, struct stream_id b) {
    if (a.ms != b.ms) return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}
static inline bool stream_id_zero(struct stream_id id) {
    return !id.ms && !id.seq;
}
/* The next and the previous id; false: there is none. */
bool stream_id_next(struct stream_id *id);
bool stream_id_prev(struct stream_id *id);
/* Writes "ms-seq" (no NUL) and returns its length. */
size_t stream_id_text(char out[STREAM_ID_TEXT], struct stream_id id);

#endif
