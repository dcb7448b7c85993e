/* whitebox.c - checks whitebox.h against the inner headers, and what tests need besides. */
#define _GNU_SOURCE
#include "whitebox.h"

#include <sys/mman.h>

#include "db/clock.h"
#include "db/evict.h"
#include "ds/btree.h"
#include "ds/dict.h"
#include "ds/intset.h"
#include "ds/listpack.h"
#include "ds/order.h"
#include "ds/sample.h"
#include "mem/arena.h"
#include "mem/freeze.h"
#include "mem/park.h"
#include "mem/heap_impl.h"
#include "mem/number.h"
#include "net/control.h"
#include "net/hub.h"
#include "net/links.h"
#include "persist/background.h"
#include "persist/lzf.h"

struct arena *wb_arena_new(uint64_t max_size) {
    int fd = memfd_create("arena", 0), st;
    ASSERT(fd >= 0);
    return wb_arena_create(fd, max_size, &st);
}

struct arena *wb_arena_create(int fd, uint64_t max_size, int *st) {
    static const uint8_t seed[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    struct arena *a = calloc(1, sizeof *a);
    ASSERT(a);
    *st = (int)arena_create(a, fd, "test", max_size, seed);
    if (*st == ST_OK) return a;
    free(a);
    return NULL;
}

struct arena *wb_arena_attach(int fd, int *st) {
    struct arena *a = calloc(1, sizeof *a);
    ASSERT(a);
    *st = (int)arena_attach(a, fd, "test");
    if (*st == ST_OK) return a;
    free(a);
    return NULL;
}

void wb_arena_delete(struct arena *a) {
    arena_close(a);
    free(a);
}

int wb_arena_fd(const struct arena *a) {
    return a->fd;
}

int wb_arena_phase(const struct arena *a) {
    return (int)a->freeze.phase;
}

char *wb_arena_ptr(const struct arena *a, uint32_t r) {
    return arena_ptr(a, r);
}

uint32_t wb_heap_alloc(struct arena *a, int owner, size_t size) {
    return heap_alloc(a, (enum mem_owner)owner, size);
}

void wb_heap_stats(const struct arena *a, uint64_t out[23]) {
    struct heap_stats stats;
    static_assert(sizeof stats == 23 * sizeof *out, "whitebox.h lists the fields");
    heap_stats(a, &stats);
    memcpy(out, &stats, sizeof stats);
}

int64_t wb_heap_fail_left(const struct arena *a) {
    return a->heap->fail_after;
}

struct arena *wb_engine_arena(struct engine *eng) {
    return &eng->arena;
}

struct share *wb_share_new(void) {
    struct share *s = calloc(1, sizeof *s);
    ASSERT(s);
    s->idles = true;
    return s;
}

void wb_share_delete(struct share *s) {
    free(s);
}

struct pace *wb_pace_new(void) {
    struct pace *p = calloc(1, sizeof *p);
    ASSERT(p);
    return p;
}

void wb_pace_delete(struct pace *p) {
    free(p);
}

uint32_t wb_pace_meet(struct pace *p, uint32_t met) {
    pace_meet(p, &met);
    return met;
}

void wb_engine_rest(struct engine *eng, uint64_t ns) {
    eng->hub->pace =
        (struct pace){ .phase = PACE_RESTING, .rest_ns = ns, .start_ns = clock_duration_ns() };
}

void wb_engine_set_worker(struct engine *eng, int self, int workers) {
    eng->worker = self;
    eng->workers = workers;
}

void wb_set_idle(struct engine *eng, const char *key, size_t n, uint64_t seconds) {
    struct key k;
    struct entry *e = key_find(eng, 0, (struct str){ key, n }, KEY_PEEK, &k);
    ASSERT(e);
    access_set_idle(eng, e, seconds);
}

void wb_set_reading(struct control *c, int worker, int owner) {
    atomic_store(&c->worker[worker].share.reading, (uint32_t)(owner + 1));
}

bool wb_str_to_i64(const char *p, size_t n, int64_t *out) {
    return str_to_i64((struct str){ p, n }, out);
}

bool wb_str_to_double(const char *p, size_t n, double *out) {
    return str_to_double((struct str){ p, n }, out);
}

size_t wb_long_double_sum(const char *p, size_t n, const char *q, size_t m, char *out) {
    long double x, y;
    if (!str_to_long_double((struct str){ p, n }, &x)) return 0;
    if (!str_to_long_double((struct str){ q, m }, &y)) return 0;
    return long_double_to_text(out, x + y);
}

char *wb_guarded_new(size_t pages) {
    char *p = mmap(NULL, (pages + 2) * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(p != MAP_FAILED && !mprotect(p + 4096, pages * 4096, PROT_READ | PROT_WRITE));
    return p + 4096;
}

void wb_guarded_delete(char *p, size_t pages) {
    munmap(p - 4096, (pages + 2) * 4096);
}

/* --- ds/dict.h --- */

struct test_item {
    uint32_t key, marked;
};

static struct str item_key(const void *item) {
    return (struct str){ item, sizeof(uint32_t) };
}

static bool item_marked(const void *item) {
    return ((const struct test_item *)item)->marked;
}

static const struct dict_kind test_kind = { .key = item_key, .marked = item_marked };

static uint64_t key_hash(const struct arena *a, const uint32_t *key) {
    return dict_hash(a, (struct str){ (const char *)key, sizeof *key });
}

static ref_t *place_of(const struct arena *a, const struct dict *d, uint32_t key) {
    struct str text = { (const char *)&key, sizeof key };
    return dict_find(a, &test_kind, d, text, dict_hash(a, text));
}

struct dict *wb_dict_new(void) {
    return calloc(1, sizeof(struct dict));
}

void wb_dict_delete(struct dict *d) {
    free(d);
}

int wb_dict_insert(struct arena *a, struct dict *d, uint32_t key, bool marked) {
    ref_t r = heap_alloc(a, OWN_SET, sizeof(struct test_item));
    if (!r) return ST_ARENA_FULL;
    *(struct test_item *)arena_ptr(a, r) = (struct test_item){ key, marked };
    status st = dict_insert(a, &test_kind, d, r, key_hash(a, &key));
    if (st != ST_OK) heap_free(a, r);
    return (int)st;
}

void wb_dict_fit(struct arena *a, struct dict *d) {
    dict_fit(a, &test_kind, d);
}

bool wb_dict_find(const struct arena *a, const struct dict *d, uint32_t key) {
    return place_of(a, d, key);
}

bool wb_dict_remove(struct arena *a, struct dict *d, uint32_t key) {
    ref_t *place = place_of(a, d, key);
    if (!place) return false;
    ref_t item = *place;
    dict_remove(a, &test_kind, d, place, key_hash(a, &key));
    heap_free(a, item);
    return true;
}

void wb_dict_set_mark(struct arena *a, struct dict *d, uint32_t key, bool on) {
    struct test_item *item = arena_ptr(a, *place_of(a, d, key));
    item->marked = on;
    if (on) dict_mark(a, d, key_hash(a, &key));
}

uint64_t wb_dict_count(const struct dict *d) {
    return d->count;
}

static uint32_t key_at(const struct arena *a, ref_t r) {
    return ((const struct test_item *)arena_ptr(a, r))->key;
}

size_t wb_dict_keys(const struct arena *a, const struct dict *d, uint32_t *out) {
    struct dict_iter it = { 0 };
    size_t n = 0;
    for (ref_t r; (r = dict_next(a, d, &it));) out[n++] = key_at(a, r);
    return n;
}

struct visited {
    const struct arena *a;
    uint32_t *out;
    size_t *n;
};

static void note_visit(void *ctx, ref_t *place) {
    struct visited *v = ctx;
    v->out[(*v->n)++] = key_at(v->a, *place);
}

uint64_t wb_dict_scan(struct arena *a, const struct dict *d, uint64_t cursor, size_t count,
                      uint32_t *out, size_t *n) {
    struct visited v = { a, out, n };
    return dict_scan(a, d, cursor, count, note_visit, &v);
}

uint64_t wb_dict_scan_marked(struct arena *a, struct dict *d, uint64_t cursor, size_t max_buckets,
                             uint32_t *out, size_t *n) {
    struct visited v = { a, out, n };
    return dict_scan_marked(a, &test_kind, d, cursor, max_buckets, note_visit, &v);
}

/* xorshift64*: Vigna, 2014. */
static uint64_t next_random(void *state) {
    uint64_t *x = state;
    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return *x * 0x2545f4914f6cdd1dULL;
}

uint32_t wb_dict_random(const struct arena *a, const struct dict *d, uint64_t *state) {
    return key_at(a, dict_random(a, d, next_random, state));
}

size_t wb_dict_sample(const struct arena *a, const struct dict *d, size_t want, uint64_t *state,
                      uint32_t *out) {
    size_t n = dict_sample(a, d, want, next_random, state, out);
    for (size_t i = 0; i < n; i++) out[i] = key_at(a, out[i]);
    return n;
}

static void free_item(void *ctx, ref_t item) {
    heap_free(ctx, item);
}

bool wb_dict_free_some(struct arena *a, struct dict *d, size_t budget) {
    return dict_free_some(a, d, budget, free_item, a);
}

void wb_dict_check(const struct arena *a, const struct dict *d) {
    dict_check(a, &test_kind, d);
}

void wb_dict_stats(const struct arena *a, const struct dict *d, uint64_t out[5]) {
    struct dict_stats stats;
    static_assert(sizeof stats == 5 * sizeof *out, "whitebox.h lists the fields");
    dict_stats(a, d, &stats);
    memcpy(out, &stats, sizeof stats);
}

/* --- ds/listpack.h --- */

const char *wb_lp_text(const uint8_t *p, char buf[24], size_t *n) {
    struct str s = lp_text(p, buf);
    *n = s.n;
    return s.p;
}

bool wb_lp_equal(const uint8_t *p, const char *s, size_t n) {
    return lp_equal(p, (struct str){ s, n });
}

uint8_t *wb_lp_find(uint8_t *lp, uint8_t *p, const char *s, size_t n, unsigned skip) {
    return lp_find(lp, p, (struct str){ s, n }, skip);
}

size_t wb_lp_entry_bytes(const char *s, size_t n) {
    return lp_entry_bytes((struct str){ s, n });
}

uint8_t *wb_lp_insert(uint8_t *lp, uint8_t *p, const char *s, size_t n) {
    return lp_insert(lp, p, (struct str){ s, n });
}

uint8_t *wb_lp_replace(uint8_t *lp, uint8_t *p, const char *s, size_t n) {
    return lp_replace(lp, p, (struct str){ s, n });
}

/* --- ds/btree.h --- */

struct btree *wb_btree_new(void) {
    return calloc(1, sizeof(struct btree));
}

void wb_btree_delete(struct btree *t) {
    free(t);
}

int wb_btree_insert(struct arena *a, struct btree *t, double score, const char *member, size_t n) {
    ref_t item = btree_item_new(a, score, (struct str){ member, n });
    if (!item) return ST_ARENA_FULL;
    status st = btree_insert(a, t, item);
    if (st != ST_OK) heap_free(a, item);
    return (int)st;
}

void wb_btree_remove(struct arena *a, struct btree *t, uint64_t rank) {
    heap_free(a, btree_remove(a, t, rank));
}

int wb_btree_rescore(struct arena *a, struct btree *t, uint64_t rank, double score) {
    struct btree_iter it;
    return (int)btree_rescore(a, t, btree_seek(a, t, rank, &it), score);
}

uint64_t wb_btree_count(const struct btree *t) {
    return t->count;
}

uint64_t wb_btree_rank(const struct arena *a, const struct btree *t, int kind, double score,
                       const char *member, size_t n) {
    struct btree_bound b = { .score = score, .member = { member, n }, .kind = (unsigned)kind };
    return btree_rank(a, t, &b);
}

uint64_t wb_btree_rank_of(const struct arena *a, const struct btree *t, uint32_t item) {
    return btree_rank_of(a, t, arena_ptr(a, item));
}

size_t wb_btree_items(const struct arena *a, const struct btree *t, uint64_t rank, bool backwards,
                      uint32_t *out, size_t max) {
    struct btree_iter it;
    size_t n = 0;
    for (ref_t r = btree_seek(a, t, rank, &it); r && n < max;
         r = backwards ? btree_prev(a, &it) : btree_next(a, &it))
        out[n++] = r;
    return n;
}

double wb_btree_score(const struct arena *a, uint32_t item) {
    return btree_score(arena_ptr(a, item));
}

const char *wb_btree_member(const struct arena *a, uint32_t item, size_t *n) {
    struct str s = btree_member(arena_ptr(a, item));
    *n = s.n;
    return s.p;
}

bool wb_btree_move_item(struct arena *a, struct btree *t, uint32_t item) {
    ref_t *place = btree_place(a, t, arena_ptr(a, item));
    ASSERT(*place == item);
    ref_t moved = heap_move(a, item);
    if (moved) *place = moved;
    return moved;
}

void wb_control_set_stuck(struct control *c, uint64_t ms) {
    c->stuck_ms = ms;
}

int wb_claims_used(const struct control *c) {
    int used = 0;
    for (uint32_t i = 0; i < CLAIMS; i++) used += atomic_load(&c->claims.word[i]) != 0;
    return used;
}

struct links *wb_links_open(int fd, int self, const int *wake_fds, int *st) {
    static const bool never = false;
    status why;
    struct links *l = links_open(fd, self, wake_fds, &why);
    *st = (int)why;
    if (l) l->hold = &never;
    return l;
}

void wb_links_send(struct links *l, int to, const char *p, size_t n) {
    struct str part = { p, n };
    links_send(l, to, &part, 1);
}

const char *wb_links_peek(struct links *l, int from, size_t *n) {
    struct str s = links_peek(l, from);
    *n = s.n;
    return s.p;
}

uint64_t wb_links_waiting(const struct links *l) {
    return l->waiting;
}

void wb_order_part(const double *by, size_t n, size_t first, size_t end, size_t *indices) {
    struct ordered *items = malloc((n + 1) * sizeof *items);
    ASSERT(items);
    for (size_t i = 0; i < n; i++) items[i] = (struct ordered){ by[i], i };
    order_part(items, n, first, end, NULL, NULL);
    for (size_t i = 0; i < n; i++) indices[i] = items[i].index;
    free(items);
}
