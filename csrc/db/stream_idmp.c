/* stream_idmp.c - producers and their records. */
#include "db/stream_idmp.h"

#define RECORD_HEAD 24u

const struct roster_kind stream_producers_kind = { OWN_STREAM,
                                                   offsetof(struct stream_producer, name) };
#define KIND (&stream_producers_kind)

struct stream_idmp *stream_idmp_of(const struct arena *a, const struct stream *s) {
    return s->idmp ? (struct stream_idmp *)arena_ptr(a, s->idmp) : NULL;
}

static struct stream_producer *producer_ptr(const struct arena *a, ref_t r) {
    return (struct stream_producer *)arena_ptr(a, r);
}

struct stream_producer *stream_producer_at(const struct arena *a, const struct stream_idmp *m,
                                           uint32_t rank) {
    return producer_ptr(a, *roster_place(a, &m->producers, roster_number(a, &m->producers, rank)));
}

static struct stream_producer *find_producer(const struct arena *a, const struct stream *s,
                                             struct str pid) {
    const struct stream_idmp *m = stream_idmp_of(a, s);
    uint32_t rank, number = m ? roster_find(a, KIND, &m->producers, pid, &rank) : ROSTER_NONE;
    return number == ROSTER_NONE ? NULL : producer_ptr(a, *roster_place(a, &m->producers, number));
}

/* --- records --- */

static uint32_t hash_of(struct str iid) { /* FNV-1a: only to compare fewer bytes */
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < iid.n; i++) h = (h ^ (uint8_t)iid.p[i]) * 16777619u;
    return h;
}

bool stream_record_next(const struct arena *a, const struct stream_producer *p, size_t *offset,
                        struct stream_record *r) {
    if (*offset >= p->bytes) return false;
    const char *at = (const char *)arena_ptr(a, p->records) + *offset;
    *r = (struct stream_record){ .id = { load_u64(at), load_u64(at + 8) },
                                 .iid = { at + RECORD_HEAD, load_u32(at + 20) } };
    *offset += RECORD_HEAD + r->iid.n;
    return true;
}

static bool outdated(const struct stream *s, struct stream_id id, uint64_t now_ms) {
    uint64_t age = (uint64_t)s->idmp_duration * 1000;
    return now_ms > age && id.ms < now_ms - age;
}

bool stream_idmp_find(const struct arena *a, const struct stream *s, struct str pid, struct str iid,
                      uint64_t now_ms, struct stream_id *id) {
    const struct stream_producer *p = find_producer(a, s, pid);
    if (!p || !p->records) return false;
    const char *at = arena_ptr(a, p->records), *end = at + p->bytes;
    uint32_t hash = hash_of(iid);
    for (; at < end; at += RECORD_HEAD + load_u32(at + 20)) {
        struct str there = { at + RECORD_HEAD, load_u32(at + 20) };
        if (load_u32(at + 16) != hash || !str_eq(there, iid)) continue;
        *id = (struct stream_id){ load_u64(at), load_u64(at + 8) };
        return !outdated(s, *id, now_ms);
    }
    return false;
}

/* Bytes of the records that must go so that one more may come; `n` becomes their number. */
static size_t bytes_to_drop(const struct arena *a, const struct stream *s,
                            const struct stream_producer *p, uint64_t now_ms, uint32_t *n) {
    size_t offset = 0, drop = 0;
    struct stream_record r;
    *n = 0;
    while (stream_record_next(a, p, &offset, &r)) {
        if (p->count - *n < s->idmp_maxsize && !outdated(s, r.id, now_ms)) break;
        drop = offset;
        ++*n;
    }
    return drop;
}

/* --- adding --- */

status stream_idmp_make(struct arena *a, struct stream *s) {
    if (s->idmp) return ST_OK;
    ref_t r = heap_alloc(a, OWN_STREAM, sizeof(struct stream_idmp));
    if (!r) return ST_ARENA_FULL;
    *(struct stream_idmp *)arena_ptr(a, r) = (struct stream_idmp){ 0 };
    s->idmp = r;
    return ST_OK;
}

static status make_producer(struct arena *a, struct stream *s, struct str pid,
                            struct stream_producer **out) {
    uint32_t number;
    *out = find_producer(a, s, pid);
    if (*out) return ST_OK;
    if (stream_idmp_make(a, s) != ST_OK) return ST_ARENA_FULL;
    ref_t r = heap_alloc(a, OWN_STREAM, sizeof(struct stream_producer) + pid.n);
    if (!r) return ST_ARENA_FULL;
    struct stream_producer *p = producer_ptr(a, r);
    *p = (struct stream_producer){ .name_bytes = (uint32_t)pid.n };
    memcpy(p->name, pid.p, pid.n);
    if (roster_add(a, KIND, &stream_idmp_of(a, s)->producers, r, &number) != ST_OK) {
        heap_free(a, r);
        return ST_ARENA_FULL;
    }
    *out = p;
    return ST_OK;
}

static status make_room(struct arena *a, struct stream_producer *p, size_t bytes) {
    if (p->records && heap_usable(a, p->records) >= bytes) return ST_OK;
    ref_t r = p->records ? heap_realloc(a, p->records, bytes + bytes / 4)
                         : heap_alloc(a, OWN_STREAM, bytes);
    if (!r) return ST_ARENA_FULL;
    p->records = r;
    return ST_OK;
}

static void drop_producer(struct arena *a, struct stream_idmp *m, uint32_t rank) {
    ref_t records = stream_producer_at(a, m, rank)->records;
    if (records) heap_free(a, records);
    heap_free(a, roster_remove(a, &m->producers, rank));
}

/* A producer that was made in vain. */
static void unmake_producer(struct arena *a, struct stream *s, struct str pid) {
    struct stream_idmp *m = stream_idmp_of(a, s);
    uint32_t rank;
    roster_find(a, KIND, &m->producers, pid, &rank);
    drop_producer(a, m, rank);
}

/* Looks at one producer, another one each time, and drops it if all of it is forgotten. */
static void sweep(struct arena *a, struct stream *s, uint64_t now_ms) {
    struct stream_idmp *m = stream_idmp_of(a, s);
    struct stream_record r = { .id = STREAM_ID_MIN };
    size_t offset = 0;
    if (m->sweep >= m->producers.count) m->sweep = 0;
    const struct stream_producer *p = stream_producer_at(a, m, m->sweep);
    while (stream_record_next(a, p, &offset, &r)) {
    }
    if (outdated(s, r.id, now_ms))
        drop_producer(a, m, m->sweep);
    else
        m->sweep++;
}
#define SWEEPS 2 /* for each record that comes, so that fewer stay than come */

status stream_idmp_reserve(struct arena *a, struct stream *s, struct str pid, struct str iid,
                           uint64_t now_ms) {
    struct stream_producer *p;
    uint32_t n;
    if (make_producer(a, s, pid, &p) != ST_OK) return ST_ARENA_FULL;
    size_t kept = p->bytes - bytes_to_drop(a, s, p, now_ms, &n);
    size_t need = kept + RECORD_HEAD + iid.n;
    status st = make_room(a, p, need > p->bytes ? need : p->bytes);
    if (st != ST_OK && p->count == 0) unmake_producer(a, s, pid);
    return st;
}

status stream_idmp_add(struct arena *a, struct stream *s, struct str pid, struct str iid,
                       struct stream_id id, uint64_t now_ms) {
    if (stream_idmp_reserve(a, s, pid, iid, now_ms) != ST_OK) return ST_ARENA_FULL;
    struct stream_producer *p = find_producer(a, s, pid);
    uint32_t n;
    size_t drop = bytes_to_drop(a, s, p, now_ms, &n);
    char *records = arena_ptr(a, p->records);
    memmove(records, records + drop, p->bytes - drop);
    char *at = records + p->bytes - drop;
    store_u64(at, id.ms);
    store_u64(at + 8, id.seq);
    store_u32(at + 16, hash_of(iid));
    store_u32(at + 20, (uint32_t)iid.n);
    memcpy(at + RECORD_HEAD, iid.p, iid.n);
    p->bytes = (uint32_t)(p->bytes - drop + RECORD_HEAD + iid.n);
    p->count = p->count - n + 1;
    stream_idmp_of(a, s)->added++;
    for (int i = 0; i < SWEEPS && stream_idmp_of(a, s)->producers.count > 1; i++)
        sweep(a, s, now_ms);
    return ST_OK;
}

/* --- all of them --- */

void stream_idmp_clear(struct arena *a, struct stream *s) {
    struct stream_idmp *m = stream_idmp_of(a, s);
    while (m && m->producers.count > 0) drop_producer(a, m, m->producers.count - 1);
}

void stream_idmp_free(struct arena *a, struct stream *s) {
    stream_idmp_clear(a, s);
    if (s->idmp) heap_free(a, s->idmp);
    s->idmp = REF_NULL;
}

void stream_idmp_count(const struct arena *a, const struct stream *s, uint64_t now_ms,
                       uint64_t *producers, uint64_t *records) {
    const struct stream_idmp *m = stream_idmp_of(a, s);
    *producers = *records = 0;
    for (uint32_t i = 0; m && i < m->producers.count; i++) {
        struct stream_record r;
        size_t offset = 0;
        uint64_t before = *records;
        const struct stream_producer *p = stream_producer_at(a, m, i);
        while (stream_record_next(a, p, &offset, &r)) *records += !outdated(s, r.id, now_ms);
        *producers += *records > before;
    }
}

status stream_idmp_copy(struct arena *to, const struct arena *from, const struct stream *s,
                        struct stream *dst) {
    const struct stream_idmp *m = stream_idmp_of(from, s);
    struct stream_idmp *copy;
    if (!m) return ST_OK;
    if (stream_idmp_make(to, dst) != ST_OK) return ST_ARENA_FULL;
    for (uint32_t i = 0; i < m->producers.count; i++) {
        const struct stream_producer *p = stream_producer_at(from, m, i);
        struct stream_producer *q;
        struct str name = { p->name, p->name_bytes };
        if (make_producer(to, dst, name, &q) != ST_OK) return ST_ARENA_FULL;
        if (!p->bytes) continue;
        if (make_room(to, q, p->bytes) != ST_OK) return ST_ARENA_FULL;
        memcpy(arena_ptr(to, q->records), arena_ptr(from, p->records), p->bytes);
        q->bytes = p->bytes;
        q->count = p->count;
    }
    copy = stream_idmp_of(to, dst);
    copy->added = m->added;
    copy->duplicates = m->duplicates;
    return ST_OK;
}

size_t stream_idmp_memory(const struct arena *a, const struct stream *s) {
    const struct stream_idmp *m = stream_idmp_of(a, s);
    if (!m) return 0;
    size_t bytes = heap_usable(a, s->idmp);
    if (m->producers.block) bytes += heap_usable(a, m->producers.block);
    for (uint32_t i = 0; i < m->producers.count; i++) {
        const struct stream_producer *p = stream_producer_at(a, m, i);
        bytes += heap_usable(a, arena_ref(a, p));
        if (p->records) bytes += heap_usable(a, p->records);
    }
    return bytes;
}

static void move(struct arena *a, ref_t *place) {
    ref_t moved = *place && heap_sparse(a, *place) ? heap_move(a, *place) : REF_NULL;
    if (moved) *place = moved;
}

void stream_idmp_relocate(struct arena *a, struct stream *s) {
    if (!s->idmp) return;
    move(a, &s->idmp);
    struct stream_idmp *m = stream_idmp_of(a, s);
    roster_relocate(a, &m->producers);
    for (uint32_t i = 0; i < m->producers.count; i++) {
        ref_t *place = roster_place(a, &m->producers, roster_number(a, &m->producers, i));
        move(a, place);
        move(a, &producer_ptr(a, *place)->records);
    }
}

void stream_idmp_check(const struct arena *a, const struct stream *s) {
    const struct stream_idmp *m = stream_idmp_of(a, s);
    if (!m) return;
    roster_check(a, KIND, &m->producers);
    for (uint32_t i = 0; i < m->producers.count; i++) {
        const struct stream_producer *p = stream_producer_at(a, m, i);
        struct stream_record r;
        uint32_t n = 0;
        size_t offset = 0;
        while (stream_record_next(a, p, &offset, &r)) n++;
        ASSERT(offset == p->bytes && n == p->count);
        ASSERT(p->bytes == 0 || p->bytes <= heap_usable(a, p->records));
    }
}
