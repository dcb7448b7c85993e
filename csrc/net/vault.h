/* vault.h - parts of commands where they outlive the worker that keeps them (net/stage.h).
 *
 *   | head, tail: u32 | record, record, …                    one in control memory for each worker
 *   record: bytes: u32 (with these words) | kept: u32 | what is kept
 *
 * Records are taken in a row, round and round, and given back in any order. `kept` is set when a
 * record is whole and cleared when it is given back; so a successor finds what its predecessor
 * had, wherever that was when it died.
 *
 * Owns      a mapping. Callers: the worker itself, nobody else. Never blocks.
 * Fails     NULL when there is no room: what is kept then is lost with the worker.
 */
#ifndef SHMREDIS_VAULT_H
#define SHMREDIS_VAULT_H

#include "mem/bytes.h"

#define VAULT_BYTES ((size_t)1 << 20)

struct vault;
/* NULL: no address space. */
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
