/* stream_pack.c - between stream nodes and listpacks. */
#include "db/stream_pack.h"

#include "db/stream_pen.h"

/* --- writing --- */

static void append_integer(uint8_t *lp, int64_t v) {
    uint8_t body[LP_BODY_INTEGER_MAX];
    lp_body_put_integer(body, v);
    lp_append_body(lp, body);
}

/* The bodies from p up to `end` as elements. */
static void append_bodies(uint8_t *lp, const uint8_t *p, const uint8_t *end) {
    for (; p < end; p += lp_body_bytes(p)) lp_append_body(lp, p);
}

void stream_pack_write(struct stream_node *n, struct stream_id base, uint8_t *lp) {
    struct stream_entry e;
    lp_init(lp);
    append_integer(lp, n->live);
    append_integer(lp, n->deleted);
    append_integer(lp, n->fields);
    append_bodies(lp, n->data, stream_node_begin(n));
    append_integer(lp, 0);
    for (uint8_t *p = stream_node_begin(n), *next; p < stream_node_end(n); p = next) {
        next = stream_node_read(n, base, p, &e);
        append_bodies(lp, p, next);
        append_integer(lp, entry_elements(e.names, e.fields));
    }
    ASSERT(lp_bytes(lp) == stream_node_pack_bytes(n));
}

/* --- reading --- */

/* A walk over a well-formed listpack that may end anywhere. */
struct reader {
    uint8_t *lp, *p; /* p NULL: no more */
    bool bad;
};

static void advance(struct reader *r) {
    r->p = lp_next(r->lp, r->p);
}

static int64_t read_integer(struct reader *r) {
    if (!r->p || lp_get(r->p).s.p) {
        r->bad = true;
        return 0;
    }
    int64_t v = lp_get(r->p).integer;
    advance(r);
    return v;
}

static int64_t read_range(struct reader *r, int64_t min, int64_t max) {
    int64_t v = read_integer(r);
    if (v >= min && v <= max) return v;
    r->bad = true;
    return min;
}

/* Copies n elements in their smallest form. */
static void copy_elements(struct reader *r, int64_t n, struct pen *pen) {
    char buf[24];
    for (; n > 0 && !r->bad; n--) {
        if (!r->p) {
            r->bad = true;
            return;
        }
        pen_string(pen, lp_text(r->p, buf));
        advance(r);
    }
}

/* One entry; its id goes to *id. */
static void read_entry(struct reader *r, struct stream_node *n, struct stream_id base,
                       struct pen *pen, struct stream_id *id) {
    int64_t flags = read_range(r, 0, STREAM_ENTRY_DELETED | STREAM_ENTRY_SAME);
    bool same = flags & STREAM_ENTRY_SAME;
    int64_t ms = read_integer(r), seq = read_integer(r);
    if (r->bad) return;
    *id = (struct stream_id){ base.ms + (uint64_t)ms, base.seq + (uint64_t)seq };
    pen_integer(pen, flags);
    pen_integer(pen, ms);
    pen_integer(pen, seq);
    int64_t fields = same ? n->fields : read_range(r, 1, INT32_MAX);
    if (!same) pen_integer(pen, fields);
    copy_elements(r, same ? fields : 2 * fields, pen);
    int64_t elements = entry_elements(same, (uint32_t)fields);
    if (read_integer(r) != elements) r->bad = true;
    pen->pack += whole_integer(elements);
    *(flags & STREAM_ENTRY_DELETED ? &n->deleted : &n->live) += 1;
}

static void read_head(struct reader *r, struct stream_node *n, struct pen *pen) {
    n->fields = (uint32_t)read_range(r, 1, INT32_MAX);
    copy_elements(r, n->fields, pen);
    n->names_bytes = (uint32_t)(pen->p - n->data);
    if (read_integer(r) != 0) r->bad = true;
    pen->pack += LP_EMPTY_BYTES + whole_integer(n->fields) + whole_integer(0);
}

/* All of the listpack into n, which has room for as many bytes. */
static bool read_all(struct reader *r, struct stream_node *n, struct stream_id base,
                     struct stream_id *last) {
    struct pen pen = { n->data, 0 };
    struct stream_id id = STREAM_ID_MIN;
    int64_t live = read_range(r, 0, INT32_MAX), deleted = read_range(r, 0, INT32_MAX);
    read_head(r, n, &pen);
    while (!r->bad && r->p) {
        bool first = n->live + n->deleted == 0;
        read_entry(r, n, base, &pen, &id);
        if (!r->bad && stream_id_cmp(id, first ? base : *last) < (first ? 0 : 1)) r->bad = true;
        *last = id;
    }
    n->bytes = (uint32_t)(pen.p - n->data);
    n->pack_bytes = (uint32_t)pen.pack;
    return !r->bad && n->live == live && n->deleted == deleted;
}

enum stream_pack_check stream_pack_read(struct arena *a, const uint8_t *lp, size_t bytes,
                                        struct stream_id base, ref_t *node,
                                        struct stream_id *last) {
    *node = REF_NULL;
    if (bytes > LP_MAX_BYTES || !lp_valid(lp, bytes)) return STREAM_PACK_BAD;
    struct reader r = { .lp = (uint8_t *)(uintptr_t)lp };
    r.p = lp_first(r.lp);
    /* The smallest form of an element is no larger than any other. */
    struct stream_node *n = calloc(1, sizeof *n + bytes + LP_BODY_INTEGER_MAX);
    ASSERT(n);
    *last = base;
    enum stream_pack_check check = STREAM_PACK_FINE;
    if (!read_all(&r, n, base, last))
        check = STREAM_PACK_BAD;
    else if (n->live == 0)
        check = STREAM_PACK_EMPTY;
    else if (!(*node = heap_alloc(a, OWN_STREAM, sizeof *n + n->bytes)))
        check = STREAM_PACK_FULL;
    else
        memcpy(stream_node_at(a, *node), n, sizeof *n + n->bytes);
    free(n);
    return check;
}
