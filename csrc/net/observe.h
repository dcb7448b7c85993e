/* observe.h - who is told when keys change: WATCH, and clients that wait for keys.
 *
 * The engine's hooks `modified` and `replacing` end here.
 */
#ifndef SHMREDIS_OBSERVE_H
#define SHMREDIS_OBSERVE_H

#include "db/engine.h"

void observe_create(struct engine *eng);
void observe_delete(struct engine *eng);

#endif
