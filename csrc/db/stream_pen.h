/* stream_pen.h - writing the bodies of a stream node, for stream_node.c and stream_pack.c. */
#ifndef SHMREDIS_STREAM_PEN_H
#define SHMREDIS_STREAM_PEN_H

#include "ds/listpack.h"

/* Where bodies are written, with the bytes their elements would have in a listpack. */
struct pen {
    uint8_t *p;
    size_t pack;
};

static inline void pen_string(struct pen *pen, struct str s) {
    size_t n = lp_body_put(pen->p, s);
    pen->p += n;
    pen->pack += lp_body_whole(n);
}

static inline void pen_integer(struct pen *pen, int64_t v) {
    size_t n = lp_body_put_integer(pen->p, v);
    pen->p += n;
    pen->pack += lp_body_whole(n);
}

static inline size_t whole_integer(int64_t v) {
    return lp_body_whole(lp_body_integer_bytes(v));
}

/* Elements of an entry in a listpack before the one that counts them. */
static inline int64_t entry_elements(bool same, uint32_t fields) {
    return same ? 3 + (int64_t)fields : 4 + 2 * (int64_t)fields;
}

#endif
