/* geo.c - members of sorted sets whose scores are places: adding them, where they are, how far. */
#include "cmd/geo.h"

/* --- arguments and replies --- */

bool arg_point(struct call *c, int i, struct geo_point *out) {
    if (!arg_double(c, i, &out->lon, NULL) || !arg_double(c, i + 1, &out->lat, NULL)) return false;
    if (geo_valid(*out)) return true;
    reply_errorf(c->out, "ERR invalid longitude,latitude pair %f,%f", out->lon, out->lat);
    return false;
}

bool arg_unit(struct call *c, int i, double *metres) {
    static const struct {
        const char *word;
        double metres;
    } units[] = { { "M", 1 }, { "KM", 1000 }, { "FT", 0.3048 }, { "MI", 1609.34 } };
    for (int u = 0; u < 4; u++) {
        if (!arg_is(c, i, units[u].word)) continue;
        *metres = units[u].metres;
        return true;
    }
    reply_error(c->out, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

void reply_point(struct call *c, struct geo_point p) {
    reply_array(c->out, 2);
    reply_double(c->out, p.lon);
    reply_double(c->out, p.lat);
}

void reply_distance(struct call *c, double distance) {
    char text[400];
    int n = snprintf(text, sizeof text, "%.4f", distance);
    reply_bulk(c->out, (struct str){ text, (size_t)n });
}

/* --- GEOADD --- */

/* Where the first triple begins; false: error replied. */
static bool parse_geoadd(struct call *c, int *first) {
    bool nx = false, xx = false;
    int i = 2;
    for (; arg_is(c, i, "NX") || arg_is(c, i, "XX") || arg_is(c, i, "CH"); i++) {
        nx |= arg_is(c, i, "NX");
        xx |= arg_is(c, i, "XX");
    }
    *first = i;
    if ((c->argc - i) % 3 == 0 && !(nx && xx)) return true;
    call_syntax_error(c);
    return false;
}

/* Scores for the triples from argv[first] on; false: error replied. */
static bool triples_to_pairs(struct call *c, int first, struct str *pairs, char (*texts)[24]) {
    for (int i = first; i < c->argc; i += 3, pairs += 2, texts++) {
        struct geo_point p;
        if (!arg_point(c, i, &p)) return false;
        pairs[0] = (struct str){ *texts, i64_to_text(*texts, (int64_t)geo_bits(p)) };
        pairs[1] = c->argv[i + 2];
    }
    return true;
}

/* It is ZADD of the scores, and is logged as that. */
static void add_pairs(struct call *c, int argc, struct str *argv) {
    struct str *given = c->argv;
    int given_n = c->argc;
    argv[0] = STR("zadd");
    c->argc = argc;
    c->argv = argv;
    zset_add(c);
    if (c->dirty && !c->rewritten) call_propagate(c, argc, argv);
    c->argc = given_n;
    c->argv = given;
}

static void cmd_geoadd(struct call *c) {
    int first;
    if (!parse_geoadd(c, &first)) return;
    int triples = (c->argc - first) / 3;
    struct str *argv = malloc((size_t)c->argc * sizeof *argv);
    char(*texts)[24] = malloc((size_t)triples * sizeof *texts + 1);
    ASSERT(argv && texts);
    memcpy(argv, c->argv, (size_t)first * sizeof *argv);
    if (triples_to_pairs(c, first, argv + first, texts)) add_pairs(c, first + 2 * triples, argv);
    free(texts);
    free(argv);
}

/* --- looking --- */

static bool find_point(const struct call *c, const struct zset *z, struct str member,
                       struct geo_point *out) {
    double score;
    if (!z->key.entry || !zset_score(&c->eng->arena, &z->value, member, &score)) return false;
    *out = geo_point_of(score);
    return true;
}

static void cmd_geodist(struct call *c) {
    struct zset z;
    struct geo_point a, b;
    double unit = 1;
    if (c->argc > 5) {
        call_syntax_error(c);
        return;
    }
    if (c->argc == 5 && !arg_unit(c, 4, &unit)) return;
    if (!zset_open_read(c, 1, &z)) return;
    if (find_point(c, &z, c->argv[2], &a) && find_point(c, &z, c->argv[3], &b))
        reply_distance(c, geo_distance(a, b) / unit);
    else
        reply_null(c->out);
}

static void cmd_geohash(struct call *c) {
    struct zset z;
    if (!zset_open_read(c, 1, &z)) return;
    reply_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        struct geo_point p;
        char text[GEO_TEXT];
        if (find_point(c, &z, c->argv[i], &p)) {
            geo_text(p, text);
            reply_bulk(c->out, (struct str){ text, GEO_TEXT });
        } else {
            reply_null(c->out);
        }
    }
}

static void cmd_geopos(struct call *c) {
    struct zset z;
    if (!zset_open_read(c, 1, &z)) return;
    reply_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        struct geo_point p;
        if (find_point(c, &z, c->argv[i], &p))
            reply_point(c, p);
        else
            reply_null_array(c->out);
    }
}

#define READS KEY(1, KF_RO | KF_ACCESS)
static const struct command geo_rows[] = {
    { "GEOADD", -5, CMD_WRITE | CMD_DENYOOM, "geo", cmd_geoadd, { KEY(1, KF_RW | KF_UPDATE) } },
    { "GEODIST", -4, CMD_READ, "geo", cmd_geodist, { READS } },
    { "GEOHASH", -2, CMD_READ, "geo", cmd_geohash, { READS } },
    { "GEOPOS", -2, CMD_READ, "geo", cmd_geopos, { READS } },
};
COMMAND_GROUP(geo_commands, "geo", geo_rows);
