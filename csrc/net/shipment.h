/* shipment.h - what an operation changes (net/cross.h), where it outlives its worker.
 *
 *   operation: u64 | left: u64 | backed: u64 | kept: a MSG_SHIP with the records of all keys
 *                                            a place in control memory for each worker, which
 *                                            executes one operation at a time
 *
 * Before an operation logs or tells anything, all that it has changed lies there, its worker's own
 * keys too. From the store of `operation` on it has happened: if its worker dies, each owner takes
 * its part out of there, which `left` has bits of,
 *   - one that lives, when it hears of the death, being held by the operation until then
 *   - one that was brought back, the dead worker's successor too, with what it is sent again
 *     (net/redo.h), before it serves anybody.
 * So worker and owners may die in the same instant, and nothing happens by halves. An operation
 * whose worker lives ships again by itself.
 *
 * Callers   net/cross*.c, net/redo.c.
 * Fails     nothing is kept without an append-only file, which alone promises that much; nor what
 *           shared memory has no room for, or more than SHIPMENT_SPACE: of that the worker and an
 *           owner that die together may leave halves.
 */
#ifndef SHMREDIS_SHIPMENT_H
#define SHMREDIS_SHIPMENT_H

#include "net/carry.h"

struct shipments;
/* Those of all workers, in control memory, whose descriptor is duplicated; NULL: no address space.
 */
struct shipments *shipments_map(int fd, int workers);
void shipments_unmap(struct shipments *s);

/* Keeps these keys, as they are here now, for this message of all owners (bits). */
void shipment_keep(struct remote *r, const struct message *m, uint64_t owners, int n,
                   const struct carried *keys);
/* All owners have taken theirs back, or never will. */
void shipment_done(struct remote *r, uint64_t operation);
/* That worker was brought back: takes what its predecessor has left for this one. */
void shipment_reborn(struct remote *r, int from);
/* At the end of a redo: adds what any predecessor has left for this worker to what is to be done;
 * bits of those workers, for shipments_adopted, when it is done. */
uint64_t shipments_adopt(struct remote *r);
void shipments_adopted(struct remote *r, uint64_t workers);
/* What was logged is written: what was taken until now need not lie there any more. */
void shipments_logged(struct remote *r);

#endif
