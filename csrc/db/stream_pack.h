/* stream_pack.h - stream nodes as Redis's listpacks, and back: RDB files and payloads have those.
 *
 *   listpack   live | deleted | fields | names | 0 | entry …
 *   entry      flags | ms | seq | [fields] | values, or names and values | count of elements so far
 */
#ifndef SHMREDIS_STREAM_PACK_H
#define SHMREDIS_STREAM_PACK_H

#include "db/stream_node.h"

/* Writes the listpack, stream_node_pack_bytes(n) bytes. */
void stream_pack_write(struct stream_node *n, struct stream_id base, uint8_t *lp);

enum stream_pack_check {
    STREAM_PACK_FINE,
    STREAM_PACK_EMPTY, /* sound, but no entry is left in it: *node is REF_NULL */
    STREAM_PACK_BAD,
    STREAM_PACK_FULL, /* the arena is */
};
/* Builds a node of hostile bytes; the id of its last entry goes to *last. */
enum stream_pack_check stream_pack_read(struct arena *a, const uint8_t *lp, size_t bytes,
                                        struct stream_id base, ref_t *node, struct stream_id *last);

#endif
