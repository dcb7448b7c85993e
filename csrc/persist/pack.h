/* pack.h - listpacks from files: checked, put into canonical form, copied into the arena.
 *
 * Every listpack is walked before it is trusted, whatever sanitize-dump-payload says: the types
 * walk theirs without a look at where they end. The setting decides about elements that are there
 * twice.
 */
#ifndef SHMREDIS_PACK_H
#define SHMREDIS_PACK_H

#include "ds/listpack.h"
#include "mem/heap.h"
#include "persist/rdb_get.h"

/* A listpack that is being made outside the arena. Zero bytes: none yet. */
struct packer {
    uint8_t *lp;
    size_t room;
};
/* False: it would be larger than a listpack may be. */
bool packer_add(struct packer *p, struct str s);
void packer_free(struct packer *p);

struct pack {
    ref_t root;      /* its block, with `header` bytes before it */
    size_t elements; /* a multiple of the width */
    size_t bytes;
};
struct pack_shape {
    enum mem_owner owner;
    unsigned width;  /* elements in a group: a field and its value */
    unsigned unique; /* first elements of groups must differ, if the reader asks for it */
    size_t header;   /* bytes to leave free before the listpack */
};
/* Reads a string that is a listpack. SOURCE_EMPTY when nothing is in it. */
bool pack_load(struct rdb_reader *r, struct arena *a, const struct pack_shape *shape,
               struct pack *out);
/* The same from bytes that another format was turned into. */
bool pack_adopt(struct rdb_reader *r, struct arena *a, const struct pack_shape *shape,
                const uint8_t *lp, struct pack *out);

/* legacy.c: the forms that listpacks came after, turned into listpacks. False: broken. */
bool ziplist_to_pack(struct str ziplist, struct packer *out);
bool zipmap_to_pack(struct str zipmap, struct packer *out);
/* Reads a string that is one of these. */
bool pack_load_legacy(struct rdb_reader *r, struct arena *a, const struct pack_shape *shape,
                      bool (*convert)(struct str, struct packer *), struct pack *out);

#endif
