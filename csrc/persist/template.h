/* template.h - hashes that share their fields' names, as Redis 8.10 saves those of HIMPORT.
 *
 *   in files     RDB_TEMPLATE id count name …    then records: listpack of id, value …
 *   in payloads  0 | listpack of names | listpack of id, value …
 *
 * Names are in the order that ENC_TEMPLATE has. We save such hashes as pairs, which everybody
 * reads.
 */
#ifndef SHMREDIS_TEMPLATE_H
#define SHMREDIS_TEMPLATE_H

#include "persist/rdb_codec.h"

/* For rdb_hash.c: fills in encoding and root. */
bool template_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte, struct value *v);

#endif
