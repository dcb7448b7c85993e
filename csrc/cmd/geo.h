/* geo.h - what the files of geo commands share. */
#ifndef SHMREDIS_CMD_GEO_H
#define SHMREDIS_CMD_GEO_H

#include "cmd/zset.h"
#include "ds/geohash.h"

/* Each replies its error and returns false. */
/* Longitude and latitude at argv[i] and argv[i + 1]. */
bool arg_point(struct call *c, int i, struct geo_point *out);
/* A unit's name as metres. */
bool arg_unit(struct call *c, int i, double *metres);

void reply_point(struct call *c, struct geo_point p);
/* Four digits after the point. */
void reply_distance(struct call *c, double distance);

#endif
