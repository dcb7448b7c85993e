/* intset.h - Redis's intset: a sorted array of integers of 2, 4 or 8 bytes each.
 *
 * Byte layout as Redis (interchange format). Works on plain bytes, never allocates.
 * Owns nothing. Promises: find O(log n), insert and delete O(n).
 */
#ifndef SHMREDIS_INTSET_H
#define SHMREDIS_INTSET_H

#include "mem/bytes.h"

#define INTSET_HEADER 8

void intset_init(uint8_t *is); /* writes INTSET_HEADER bytes: width 2, count 0 */
size_t intset_bytes(const uint8_t *is);
uint32_t intset_length(const uint8_t *is);
int64_t intset_get(const uint8_t *is, uint32_t index);
/* True if v is in; *pos is its index, or the one where it would go. */
bool intset_find(const uint8_t *is, int64_t v, uint32_t *pos);
/* Bytes the intset would take with v added. */
size_t intset_bytes_with(const uint8_t *is, int64_t v);
/* Room for intset_bytes_with(is, v) is there. False if v was in already. */
bool intset_insert(uint8_t *is, int64_t v);
bool intset_delete(uint8_t *is, int64_t v);
bool intset_valid(const uint8_t *is, size_t bytes);
void intset_check(const uint8_t *is);

#endif
