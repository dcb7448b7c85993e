/* geohash.c - cells and their numbers, distances. */
#include "ds/geohash.h"

#include <math.h>

#define DEGREE (3.14159265358979323846 / 180.0)

double geo_radians(double degrees) {
    return degrees * DEGREE;
}

double geo_degrees(double radians) {
    return radians / DEGREE;
}

double geo_lat_distance(double a, double b) {
    return GEO_EARTH_RADIUS * fabs(geo_radians(b) - geo_radians(a));
}

double geo_distance(struct geo_point a, struct geo_point b) {
    double v = sin((geo_radians(b.lon) - geo_radians(a.lon)) / 2);
    if (v == 0) return geo_lat_distance(a.lat, b.lat);
    double lat_a = geo_radians(a.lat), lat_b = geo_radians(b.lat);
    double u = sin((lat_b - lat_a) / 2);
    return 2.0 * GEO_EARTH_RADIUS * asin(sqrt(u * u + cos(lat_a) * cos(lat_b) * v * v));
}

/* --- cells --- */

/* A zero bit after each bit of v. */
static uint64_t spread_bits(uint32_t v) {
    uint64_t x = v;
    x = (x | x << 16) & 0x0000ffff0000ffffu;
    x = (x | x << 8) & 0x00ff00ff00ff00ffu;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fu;
    x = (x | x << 2) & 0x3333333333333333u;
    return (x | x << 1) & 0x5555555555555555u;
}

static uint32_t gather_bits(uint64_t x) {
    x &= 0x5555555555555555u;
    x = (x | x >> 1) & 0x3333333333333333u;
    x = (x | x >> 2) & 0x0f0f0f0f0f0f0f0fu;
    x = (x | x >> 4) & 0x00ff00ff00ff00ffu;
    x = (x | x >> 8) & 0x0000ffff0000ffffu;
    return (uint32_t)(x | x >> 16);
}

static uint64_t cell_bits(struct geo_cell cell) {
    return spread_bits(cell.lat) | spread_bits(cell.lon) << 1;
}

/* The cells of the grid between -lon_max and lon_max, -lat_max and lat_max. */
static struct geo_cell cell_in(struct geo_point p, double lon_max, double lat_max, unsigned steps) {
    double lon = (p.lon + lon_max) / (2 * lon_max), lat = (p.lat + lat_max) / (2 * lat_max);
    double cells = (double)((uint64_t)1 << steps);
    return (struct geo_cell){ (uint32_t)(lon * cells), (uint32_t)(lat * cells), steps };
}

struct geo_cell geo_cell_of(struct geo_point p, unsigned steps) {
    return cell_in(p, GEO_LON_MAX, GEO_LAT_MAX, steps);
}

struct geo_area geo_cell_area(struct geo_cell cell) {
    double cells = (double)((uint64_t)1 << cell.steps);
    double lon = 2 * GEO_LON_MAX, lat = 2 * GEO_LAT_MAX;
    return (struct geo_area){
        .west = -GEO_LON_MAX + cell.lon / cells * lon,
        .east = -GEO_LON_MAX + (cell.lon + 1.0) / cells * lon,
        .south = -GEO_LAT_MAX + cell.lat / cells * lat,
        .north = -GEO_LAT_MAX + (cell.lat + 1.0) / cells * lat,
    };
}

struct geo_cell geo_cell_beside(struct geo_cell cell, int columns, int rows) {
    uint32_t mask = (uint32_t)(((uint64_t)1 << cell.steps) - 1);
    if (columns) cell.lon = (cell.lon + (uint32_t)columns) & mask;
    if (rows) cell.lat = (cell.lat + (uint32_t)rows) & mask;
    return cell;
}

void geo_cell_scores(struct geo_cell cell, double *first, double *end) {
    uint64_t bits = cell_bits(cell);
    unsigned shift = 2 * (GEO_STEPS - cell.steps);
    *first = (double)(bits << shift);
    *end = (double)((bits + 1) << shift);
}

/* --- places --- */

uint64_t geo_bits(struct geo_point p) {
    return cell_bits(geo_cell_of(p, GEO_STEPS));
}

static double clamp(double v, double max) {
    return v > max ? max : v < -max ? -max : v;
}

/* Scores may be any number that ZADD has put there. */
static uint64_t bits_of(double score) {
    if (score >= 0) return score < 18446744073709551616.0 ? (uint64_t)score : 0;
    return score >= -9223372036854775808.0 ? (uint64_t)(int64_t)score : (uint64_t)1 << 63;
}

struct geo_point geo_point_of(double score) {
    uint64_t bits = bits_of(score);
    struct geo_area a =
        geo_cell_area((struct geo_cell){ gather_bits(bits >> 1), gather_bits(bits), GEO_STEPS });
    return (struct geo_point){ clamp((a.west + a.east) / 2, GEO_LON_MAX),
                               clamp((a.south + a.north) / 2, GEO_LAT_MAX) };
}

void geo_text(struct geo_point p, char out[GEO_TEXT]) {
    static const char digits[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = cell_bits(cell_in(p, GEO_LON_MAX, 90, GEO_STEPS));
    /* The 52 bits are 10 digits; the last one is there for those who expect 11. */
    for (unsigned i = 0; i < GEO_TEXT; i++)
        out[i] = digits[i == GEO_TEXT - 1 ? 0 : bits >> (52 - 5 * (i + 1)) & 31];
}
