/* whitebox.h - inner functions of the core that unit tests drive through cffi (tests/unit).
 *
 * The product uses core.h only. Every declaration here repeats one of an inner header; whitebox.c
 * includes them all, so the compiler refuses any difference. Types are plain or opaque.
 */
#ifndef SHMREDIS_WHITEBOX_H
#define SHMREDIS_WHITEBOX_H
#include "core.h"
#include "core_files.h"
#include "core_session.h"
#include "core_workers.h"

/* An arena on an unnamed memory object (memfd) for tests, not registered anywhere; NULL on failure.
 */
struct arena *wb_arena_new(uint64_t max_size);
void wb_arena_delete(struct arena *a);

/* --- mem/arena.h: the same on an object that the test made or keeps; `fd` is taken over --- */
struct arena *wb_arena_create(int fd, uint64_t max_size, int *st);
struct arena *wb_arena_attach(int fd, int *st);
int wb_arena_fd(const struct arena *a);
char *wb_arena_ptr(const struct arena *a, uint32_t r);

/* --- mem/freeze.h --- */
void freeze_begin(struct arena *a);
bool freeze_thaw(struct arena *a, uint64_t budget_us);
bool freeze_prepare(struct arena *a, uint64_t budget_us);
uint64_t freeze_copied(const struct arena *a);
unsigned freeze_lacks(const struct arena *a);
void freeze_set_lacks(struct arena *a, unsigned lacks);
int wb_arena_phase(const struct arena *a); /* enum arena_phase */

/* --- mem/park.h --- */
bool park_drain(struct arena *a, uint32_t n);
bool park_any(const struct arena *a);
bool heap_frozen_block(const struct arena *a, uint32_t r);

/* --- ds/order.h: the indices of the numbers in the order that came out --- */
void wb_order_part(const double *by, size_t n, size_t first, size_t end, size_t *indices);

/* --- persist/background.h --- */
struct share;
struct share *wb_share_new(void); /* idles, at 0 */
void wb_share_delete(struct share *s);
bool share_idles(struct share *s, uint64_t wall_ns, uint64_t cpu_ns);
void background_try(void);
void background_watch(struct share *s, int child);
void background_check(struct share *s, int child, bool urgent);

/* --- net/pace.h --- */
struct pace;
struct pace *wb_pace_new(void);
void wb_pace_delete(struct pace *p);
uint32_t wb_pace_meet(struct pace *p, uint32_t met); /* what the client remembers from now on */
void pace_round(struct pace *p, uint64_t end_ns, uint64_t commands, uint64_t longest_ns);
uint64_t pace_rest(const struct pace *p, uint64_t commands);
/* Rests of so long from now on, for at least one stretch. */
void wb_engine_rest(struct engine *eng, uint64_t ns);

/* --- net/links.h: messages between processes, without an engine --- */
struct links;
/* NULL: *st says why. */
struct links *wb_links_open(int fd, int self, const int *wake_fds, int *st);
void links_close(struct links *l);
void wb_links_send(struct links *l, int to, const char *p, size_t n);
/* The oldest message from that worker until links_done; NULL: none. */
const char *wb_links_peek(struct links *l, int from, size_t *n);
void links_done(struct links *l, int from);
void links_give_room(struct links *l, int from);
void links_pump(struct links *l);
void links_wake(struct links *l);
void links_awake(struct links *l);
bool links_may_sleep(struct links *l);
uint64_t links_sent(const struct links *l, int to);
uint64_t links_abandon(struct links *l, int from);
uint64_t wb_links_waiting(const struct links *l); /* bytes that found no room in rings */

/* --- net/vault.h: in any object --- */
struct vault;
struct vault *vault_map(int fd, size_t offset);
void vault_unmap(struct vault *v);
void *vault_take(struct vault *v, size_t n);
void vault_keep(void *kept);
bool vault_has(const struct vault *v, const void *p);
void vault_give_back(struct vault *v, void *p);
void *vault_next(struct vault *v, uint32_t *at, size_t *n);

/* --- net/control.h: from when on a worker counts as stuck --- */
void wb_control_set_stuck(struct control *c, uint64_t ms);
/* Clients that wait for keys of several workers, as control memory knows them. */
int wb_claims_used(const struct control *c);

/* --- db/engine.h --- */
struct arena *wb_engine_arena(struct engine *eng);
/* As if it were worker `self` of so many. */
void wb_engine_set_worker(struct engine *eng, int self, int workers);
/* As if a key of database 0 had not been accessed for so long. */
void wb_set_idle(struct engine *eng, const char *key, size_t n, uint64_t seconds);

/* --- mem/share.h: the worker says that it reads the arena of `owner`, or of nobody (-1) --- */
void wb_set_reading(struct control *c, int worker, int owner);

/* --- mem/heap.h: refs are uint32_t --- */
uint32_t wb_heap_alloc(struct arena *a, int owner, size_t size);
uint32_t heap_realloc(struct arena *a, uint32_t r, size_t size);
void heap_free(struct arena *a, uint32_t r);
size_t heap_usable(const struct arena *a, uint32_t r);
bool heap_sparse(const struct arena *a, uint32_t r);
uint32_t heap_move(struct arena *a, uint32_t r);
size_t heap_trim(struct arena *a);
/* struct heap_stats field by field: used, peak, committed, object, blocks, by_owner, moved,
 * trimmed. */
void wb_heap_stats(const struct arena *a, uint64_t out[23]);
uint64_t heap_used(const struct arena *a);
void heap_check(const struct arena *a);
void heap_fail_after(struct arena *a, int64_t n);
/* What is left of heap_fail_after's count; negative once the failure has happened. */
int64_t wb_heap_fail_left(const struct arena *a);

/* --- mem/number.h: text that is not NUL-terminated comes as pointer and length --- */
bool wb_str_to_i64(const char *p, size_t n, int64_t *out);
bool wb_str_to_double(const char *p, size_t n, double *out);
/* Reads both numbers as INCRBYFLOAT does and writes their sum; 0: one of them is no number. */
size_t wb_long_double_sum(const char *p, size_t n, const char *q, size_t m, char *out);
size_t i64_to_text(char out[24], int64_t v);
size_t double_to_text(char out[64], double v);

/* Bytes between two pages that nobody may touch, so reads outside are fatal. */
char *wb_guarded_new(size_t pages);
void wb_guarded_delete(char *p, size_t pages);

/* --- ds/dict.h: items are blocks of a number, which is the key, and a mark --- */
struct dict;
struct dict *wb_dict_new(void);
void wb_dict_delete(struct dict *d); /* its memory in the arena is the test's business */
int wb_dict_insert(struct arena *a, struct dict *d, uint32_t key, bool marked);
void dict_expect(struct arena *a, struct dict *d, uint64_t items);
void wb_dict_fit(struct arena *a, struct dict *d);
bool wb_dict_find(const struct arena *a, const struct dict *d, uint32_t key);
bool wb_dict_remove(struct arena *a, struct dict *d, uint32_t key);
void wb_dict_set_mark(struct arena *a, struct dict *d, uint32_t key, bool on);
uint64_t wb_dict_count(const struct dict *d);
/* Keys in the order of dict_next; `out` has room for all. */
size_t wb_dict_keys(const struct arena *a, const struct dict *d, uint32_t *out);
/* Appends the keys that were visited to out[*n]; returns the next cursor. */
uint64_t wb_dict_scan(struct arena *a, const struct dict *d, uint64_t cursor, size_t count,
                      uint32_t *out, size_t *n);
uint64_t wb_dict_scan_marked(struct arena *a, struct dict *d, uint64_t cursor, size_t max_buckets,
                             uint32_t *out, size_t *n);
/* `state` is that of a generator; it may not be 0. */
uint32_t wb_dict_random(const struct arena *a, const struct dict *d, uint64_t *state);
size_t wb_dict_sample(const struct arena *a, const struct dict *d, size_t want, uint64_t *state,
                      uint32_t *out);
/* Frees the items along with the table. */
bool wb_dict_free_some(struct arena *a, struct dict *d, size_t budget);
size_t dict_memory(const struct arena *a, const struct dict *d);
void dict_relocate(struct arena *a, struct dict *d, uint64_t *cursor, size_t budget);
void wb_dict_check(const struct arena *a, const struct dict *d);
/* struct dict_stats field by field. */
void wb_dict_stats(const struct arena *a, const struct dict *d, uint64_t out[5]);

/* --- ds/listpack.h --- */
void lp_init(uint8_t *lp);
size_t lp_bytes(const uint8_t *lp);
size_t lp_length(const uint8_t *lp);
uint8_t *lp_first(uint8_t *lp);
uint8_t *lp_last(uint8_t *lp);
uint8_t *lp_next(uint8_t *lp, uint8_t *p);
uint8_t *lp_prev(uint8_t *lp, uint8_t *p);
uint8_t *lp_seek(uint8_t *lp, int64_t index);
size_t lp_size_at(const uint8_t *p);
uint8_t *lp_delete(uint8_t *lp, uint8_t *p, size_t count);
bool lp_valid(const uint8_t *lp, size_t bytes);
/* The element's text: in the listpack, or, of an integer, in buf. */
const char *wb_lp_text(const uint8_t *p, char buf[24], size_t *n);
bool wb_lp_equal(const uint8_t *p, const char *s, size_t n);
uint8_t *wb_lp_find(uint8_t *lp, uint8_t *p, const char *s, size_t n, unsigned skip);
size_t wb_lp_entry_bytes(const char *s, size_t n);
uint8_t *wb_lp_insert(uint8_t *lp, uint8_t *p, const char *s, size_t n);
uint8_t *wb_lp_replace(uint8_t *lp, uint8_t *p, const char *s, size_t n);

/* --- ds/intset.h --- */
void intset_init(uint8_t *is);
size_t intset_bytes(const uint8_t *is);
uint32_t intset_length(const uint8_t *is);
int64_t intset_get(const uint8_t *is, uint32_t index);
bool intset_find(const uint8_t *is, int64_t v, uint32_t *pos);
size_t intset_bytes_with(const uint8_t *is, int64_t v);
bool intset_insert(uint8_t *is, int64_t v);
bool intset_delete(uint8_t *is, int64_t v);
bool intset_valid(const uint8_t *is, size_t bytes);

/* --- persist/lzf.h --- */
struct lzf;
struct lzf *lzf_new(void);
void lzf_delete(struct lzf *z);
size_t lzf_compress(struct lzf *z, const char *in, size_t n, char *out, size_t room);
bool lzf_expand(const char *in, size_t n, char *out, size_t size);

/* --- ds/btree.h: items come and go with their place in the tree --- */
struct btree;
struct btree *wb_btree_new(void);
void wb_btree_delete(struct btree *t);
int wb_btree_insert(struct arena *a, struct btree *t, double score, const char *member, size_t n);
void wb_btree_remove(struct arena *a, struct btree *t, uint64_t rank);
int wb_btree_rescore(struct arena *a, struct btree *t, uint64_t rank, double score);
uint64_t wb_btree_count(const struct btree *t);
/* `kind` is that of struct btree_bound. */
uint64_t wb_btree_rank(const struct arena *a, const struct btree *t, int kind, double score,
                       const char *member, size_t n);
uint64_t wb_btree_rank_of(const struct arena *a, const struct btree *t, uint32_t item);
/* Items from this rank on, forwards or backwards; returns how many, at most max. */
size_t wb_btree_items(const struct arena *a, const struct btree *t, uint64_t rank, bool backwards,
                      uint32_t *out, size_t max);
double wb_btree_score(const struct arena *a, uint32_t item);
const char *wb_btree_member(const struct arena *a, uint32_t item, size_t *n);
/* Moves the item's block as the defragmenter does; false: it is where it was. */
bool wb_btree_move_item(struct arena *a, struct btree *t, uint32_t item);
uint64_t btree_relocate(struct arena *a, struct btree *t, uint64_t rank);
bool btree_free_some(struct arena *a, struct btree *t, size_t leaves);
size_t btree_memory(const struct arena *a, const struct btree *t);
void btree_check(const struct arena *a, const struct btree *t);

/* --- ds/idtree.h: keys of two words, payloads of four bytes --- */
struct idtree;
struct idtree *wb_idtree_new(void);
void wb_idtree_delete(struct idtree *t);
int wb_idtree_insert(struct arena *a, struct idtree *t, uint64_t high, uint64_t low);
bool wb_idtree_remove(struct arena *a, struct idtree *t, uint64_t high, uint64_t low);
/* The key is there, with the payload that it was given. */
bool wb_idtree_find(const struct arena *a, const struct idtree *t, uint64_t high, uint64_t low);
/* Keys from this one on, or down from it; returns how many, at most max. */
size_t wb_idtree_keys(const struct arena *a, const struct idtree *t, uint64_t high, uint64_t low,
                      bool backwards, uint64_t *out, size_t max);
bool wb_idtree_free_some(struct arena *a, struct idtree *t, size_t leaves);
/* Moves so many leaves after those to skip; what to skip next, 0 at the end. */
uint64_t wb_idtree_relocate(struct arena *a, struct idtree *t, uint64_t skip, size_t budget);
void wb_idtree_check(const struct arena *a, const struct idtree *t);

#endif
