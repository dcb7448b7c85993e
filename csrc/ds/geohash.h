/* geohash.h - places on the earth as numbers: cells of a grid whose longitude and latitude are
 * interleaved bit by bit, so that near places mostly are near numbers.
 *
 * Degrees everywhere, metres for distances. 52 bits (26 steps) fit a double: the scores of sorted
 * sets. The earth is a ball, its latitudes end where the Mercator map does.
 */
#ifndef SHMREDIS_GEOHASH_H
#define SHMREDIS_GEOHASH_H

#include "mem/bytes.h"

#define GEO_STEPS 26u
#define GEO_LON_MAX 180.0
#define GEO_LAT_MAX 85.05112878
#define GEO_EARTH_RADIUS 6372797.560856 /* metres */

struct geo_point {
    double lon, lat;
};
/* A cell of the grid of 2^steps by 2^steps cells; steps 0: none. */
struct geo_cell {
    uint32_t lon, lat; /* its column from the west, its row from the south */
    unsigned steps;
};
struct geo_area {
    double west, east, south, north;
};

double geo_radians(double degrees);
double geo_degrees(double radians);
/* Great-circle distance by the haversine formula. */
double geo_distance(struct geo_point a, struct geo_point b);
/* Of two places of the same longitude. */
double geo_lat_distance(double a, double b);

static inline bool geo_valid(struct geo_point p) {
    return p.lon >= -GEO_LON_MAX && p.lon <= GEO_LON_MAX && p.lat >= -GEO_LAT_MAX &&
           p.lat <= GEO_LAT_MAX;
}
struct geo_cell geo_cell_of(struct geo_point p, unsigned steps);
struct geo_area geo_cell_area(struct geo_cell cell);
/* The cell so many columns and rows away; the grid has no edges. */
struct geo_cell geo_cell_beside(struct geo_cell cell, int columns, int rows);
/* The scores of the places in a cell: from *first, below *end. */
void geo_cell_scores(struct geo_cell cell, double *first, double *end);

uint64_t geo_bits(struct geo_point p);
/* The middle of a score's smallest cell. */
struct geo_point geo_point_of(double score);
/* The usual text of geohash.org, 11 characters. */
#define GEO_TEXT 11
void geo_text(struct geo_point p, char out[GEO_TEXT]);

#endif
