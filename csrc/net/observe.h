/* observe.h - who is told when keys change: WATCH, clients that wait for keys,
 * subscribers, clients that track what they have read.
 *
 * The engine's hooks `modified`, `replacing` and `event` end here.
 */
#ifndef SHMREDIS_OBSERVE_H
#define SHMREDIS_OBSERVE_H

#include "db/engine.h"

void observe_create(struct engine *eng);
void observe_delete(struct engine *eng);

#endif
