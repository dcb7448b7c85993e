/* fieldset.h - named lists of hash fields that a connection has prepared for HIMPORT SET.
 *
 * Owns      its text, in one block of malloc each; a connection has a list of them.
 */
#ifndef SHMREDIS_FIELDSET_H
#define SHMREDIS_FIELDSET_H

#include "mem/bytes.h"

struct fieldset {
    struct fieldset *next;
    struct str name;
    int n;
    struct str fields[];
};

/* The one of this name, or NULL. */
const struct fieldset *fieldset_find(const struct fieldset *list, struct str name);
/* Removes them all; returns how many there were. */
size_t fieldset_drop_all(struct fieldset **list);

#endif
