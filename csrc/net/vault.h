/* vault.h - parts of commands where they outlive the worker that keeps them (net/stage.h).
 *
 *   | head, tail, backed | record, record, …                 one in control memory for each worker
 *   record: bytes: u32 (with these words) | kept: u32 | what is kept
 *
 * Records are taken in a row, round and round, and given back in any order. `kept` is set when a
 * record is whole and cleared when it is given back; so a successor finds what its predecessor
 * had, wherever that was when it died. When there is no room it grows; as soon as it is empty it
 * begins anew with as little memory as at first.
 *
 * Owns      a mapping and a descriptor. Callers: the worker itself, nobody else. Never blocks.
 * Fails     NULL when shared memory is full, or when it has gone round and the ring is.
 */
#ifndef SHMREDIS_VAULT_H
#define SHMREDIS_VAULT_H

#include "mem/bytes.h"

#define VAULT_BYTES ((size_t)1 << 20) /* that it has memory for from the start */
#define VAULT_SPACE ((size_t)1 << 30)

struct vault;
/* The one at that offset of the object, whose descriptor is duplicated. NULL: no address space. */
struct vault *vault_map(int fd, size_t offset);
void vault_unmap(struct vault *v);
/* Room for n bytes, 8-byte aligned. */
void *vault_take(struct vault *v, size_t n);
/* It is whole now. */
void vault_keep(void *kept);
bool vault_has(const struct vault *v, const void *p);
void vault_give_back(struct vault *v, void *p);
/* What a predecessor has left: from *at (0: the oldest) on, which moves on; NULL: no more. */
void *vault_next(struct vault *v, uint32_t *at, size_t *n);

#endif
