/* attach.h - taking over the arena of a worker that has ended, in order or not.
 *
 * An arena is trusted when it is whole (magic, layout, page table, roots), when nothing was being
 * changed in it (`busy`), and when its seal, if it has one, is good. What belongs to it in time and
 * place - whose data it is, which files are older or newer - is for the caller to judge.
 */
#ifndef SHMREDIS_ATTACH_H
#define SHMREDIS_ATTACH_H

#include "db/engine.h"

/* Fills eng->arena and what the engine knows of it. False: out->why says why not. */
bool attach_arena(struct engine *eng, int fd, const char *name, const struct attach_terms *terms,
                  struct attach_report *out);

#endif
