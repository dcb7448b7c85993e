/* roster.h - members with names: found by name, by number, and in the order of their names.
 *
 *   block    ref_t member[room] | u32 number[room]      numbers in the order of names
 *   member   a block of its own that begins with u32 name_bytes; its name lies at `name_at`
 *
 * A member keeps its number as long as it lives, so others may note it; numbers are used again.
 *
 * Owns      the block. Members belong to the caller, who also moves them.
 * Promises  find O(log n); add and remove move 4 bytes a member.
 * Fails     ST_ARENA_FULL from add, nothing changed.
 */
#ifndef SHMREDIS_ROSTER_H
#define SHMREDIS_ROSTER_H

#include "mem/heap.h"

#define ROSTER_NONE UINT32_MAX

/* In the arena. Zero bytes are an empty roster. */
struct roster {
    uint32_t count;
    uint32_t room;
    ref_t block;
};

/* What the members of a roster look like. */
struct roster_kind {
    uint8_t owner;    /* enum mem_owner of the block */
    uint16_t name_at; /* offset of the name in a member */
};

/* The number of the member with this name, or ROSTER_NONE; where it is, or would be, in *rank. */
uint32_t roster_find(const struct arena *a, const struct roster_kind *k, const struct roster *r,
                     struct str name, uint32_t *rank);
/* A member whose name is not there yet. */
status roster_add(struct arena *a, const struct roster_kind *k, struct roster *r, ref_t member,
                  uint32_t *number);
/* Takes the member at this rank out and gives it to the caller. */
ref_t roster_remove(struct arena *a, struct roster *r, uint32_t rank);
/* Number of the member at a rank below count. */
uint32_t roster_number(const struct arena *a, const struct roster *r, uint32_t rank);
/* Where the ref of a numbered member lies. */
ref_t *roster_place(const struct arena *a, const struct roster *r, uint32_t number);
/* Frees the block; members are gone already or belong to somebody else. */
void roster_free(struct arena *a, struct roster *r);
/* An empty block in *dst with room for the members of r under their own numbers. */
status roster_copy(struct arena *to, const struct arena *from, const struct roster_kind *k,
                   const struct roster *r, struct roster *dst);
void roster_relocate(struct arena *a, struct roster *r);
void roster_check(const struct arena *a, const struct roster_kind *k, const struct roster *r);

#endif
