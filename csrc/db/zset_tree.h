/* zset_tree.h - the table-and-tree encoding of sorted sets; for type_zset.c and zset_build.c only.
 *
 * Both hold the ref of the same item (ds/btree.h gives its layout). The table owns it.
 */
#ifndef SHMREDIS_ZSET_TREE_H
#define SHMREDIS_ZSET_TREE_H

#include "db/type_zset.h"
#include "ds/dict.h"

struct zset_tree {
    struct dict members;
    struct btree order;
};
extern const struct dict_kind zset_kind;

status ztree_create(struct arena *a, struct value *v);
static inline struct zset_tree *ztree_of(const struct arena *a, const struct value *v) {
    return arena_ptr(a, v->root);
}
/* The item of a member, or NULL. */
void *ztree_find(const struct arena *a, const struct zset_tree *z, struct str member);
/* Adds a member that is not there. */
status ztree_add(struct arena *a, struct zset_tree *z, struct str member, double score);
status ztree_rescore(struct arena *a, struct zset_tree *z, struct str member, double score);
bool ztree_remove(struct arena *a, struct zset_tree *z, struct str member);
void ztree_remove_range(struct arena *a, struct zset_tree *z, uint64_t rank, uint64_t n);
void ztree_each(const struct arena *a, const struct zset_tree *z, uint64_t rank, uint64_t n,
                bool reverse, zset_visit_fn visit, void *ctx);
/* Frees about `budget` members; true when the root itself is gone too. */
bool ztree_free_some(struct arena *a, struct value *v, size_t budget);
void ztree_relocate(struct arena *a, struct value *v, uint64_t *cursor, size_t budget);
size_t ztree_memory(const struct arena *a, const struct zset_tree *z, size_t samples);
void ztree_check(const struct arena *a, const struct zset_tree *z);

#endif
