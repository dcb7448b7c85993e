/* peek.h - one key of another process's arena, as it was at one instant, in memory of this process.
 *
 *   memory:  superblock | one database, its one bucket | the entry | its value
 *
 * The memory is laid out as an arena of one key or none, so whatever only reads, and nothing but
 * that key, can run on it as if the key were here. Keys of up to 255 bytes, and values that are one
 * block of at most PEEK_VALUE_MAX bytes, or none.
 *
 * Owns      nothing; peek_memory_new is the caller's to free().
 */
#ifndef SHMREDIS_PEEK_H
#define SHMREDIS_PEEK_H

#include "db/engine.h"
#include "ds/dict_peek.h"

#define PEEK_VALUE_MAX ((size_t)32 << 10)

char *peek_memory_new(void);
/* Copies the key, with its value if that is asked for; otherwise only the entry may be looked at.
 * PEEK_MISSING is a result like PEEK_FOUND: the memory holds no key then. */
enum peek_result peek_key(const struct share_reader *r, int db, struct str name, bool value,
                          char *memory);
/* Begins to load n keys (PEEK_LOADED at most) into the processor's cache; as keyspace_load. */
#define PEEK_LOADED DICT_PEEK_LOAD
void peek_load(const struct share_reader *r, int db, const struct str *names, int n);
/* The entry that was found. */
struct entry *peek_entry(char *memory);

#endif
