/* pubsub_fields.h - messages about the fields of hashes (notify-keyspace-events, letters S T I V).
 *
 *   letter  channel                                 message
 *   S       __subkeyspace@<db>__:<key>              <event>|<list>
 *   T       __subkeyevent@<db>__:<event>            <length of key>:<key>|<list>
 *   I       __subkeyspaceitem@<db>__:<key>\n<field> <event>, for each field
 *   V       __subkeyspaceevent@<db>__:<event>|<key> <list>
 *
 * list is <length>:<field>, joined by commas. A key that contains a line feed has no messages of I,
 * whose channels could not be told apart.
 *
 * Callers   the engine's hook.
 */
#ifndef SHMREDIS_PUBSUB_FIELDS_H
#define SHMREDIS_PUBSUB_FIELDS_H

#include "db/engine.h"

/* To all workers' subscribers. */
void pubsub_fields(struct engine *eng, const char *event, struct str key, int db,
                   const struct field_list *f);

#endif
