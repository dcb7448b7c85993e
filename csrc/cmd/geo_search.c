/* geo_search.c - members inside a circle or a box: GEOSEARCH, GEORADIUS and their storing forms.
 *
 * Of the grid whose cells are about as large as the shape, the cell of the centre and its eight
 * neighbours cover it. Each is a range of scores; whoever is in one is measured. Unsorted answers
 * come in the order of these cells.
 */
#include <math.h>

#include "cmd/geo.h"
#include "ds/order.h"

enum form {
    FORM_SEARCH = 1, /* GEOSEARCH: the centre and the shape are options */
    FORM_MEMBER = 2, /* GEORADIUSBYMEMBER */
    FORM_STORES = 4, /* may store, or always does */
};
enum order { ORDER_NONE, ORDER_NEAR, ORDER_FAR };

struct query {
    unsigned form;
    int source; /* argument of the sorted set */
    struct zset z;
    bool from_point, from_member, by_radius, by_box;
    struct geo_point centre;
    double radius, width, height; /* in units */
    double unit;                  /* metres */
    bool with_distance, with_hash, with_point, any;
    enum order order;
    int64_t count;
    int store; /* argument of the key to store at; 0: none */
    bool store_distance;
};

#define SHORT_MEMBER 24u
struct found {
    struct str member;       /* in the arena … */
    char text[SHORT_MEMBER]; /* … or, if short, here: an integer has no text in the arena */
    double score, distance;
    struct geo_point point;
};

/* --- parsing --- */

static bool negative(struct call *c, const char *error) {
    reply_error(c->out, error);
    return false;
}

static bool parse_radius(struct call *c, int i, struct query *q) {
    if (!arg_double(c, i, &q->radius, "ERR need numeric radius")) return false;
    if (q->radius < 0) return negative(c, "ERR radius cannot be negative");
    q->by_radius = true;
    return arg_unit(c, i + 1, &q->unit);
}

static bool parse_box(struct call *c, int i, struct query *q) {
    if (!arg_double(c, i, &q->width, "ERR need numeric width") ||
        !arg_double(c, i + 1, &q->height, "ERR need numeric height"))
        return false;
    if (q->width < 0 || q->height < 0) return negative(c, "ERR height or width cannot be negative");
    q->by_box = true;
    return arg_unit(c, i + 2, &q->unit);
}

/* A missing sorted set has no members, and nothing in it has to be found. */
static bool parse_member(struct call *c, int i, struct query *q) {
    double score;
    q->from_member = true;
    if (!q->z.key.entry) return true;
    if (zset_score(&c->eng->arena, &q->z.value, c->argv[i], &score)) {
        q->centre = geo_point_of(score);
        return true;
    }
    reply_error(c->out, "ERR could not decode requested zset member");
    return false;
}

static bool parse_point(struct call *c, int i, struct query *q) {
    q->from_point = true;
    return arg_point(c, i, &q->centre);
}

static bool parse_count(struct call *c, int i, struct query *q) {
    if (!arg_i64(c, i, &q->count)) return false;
    if (q->count > 0) return true;
    reply_error(c->out, "ERR COUNT must be > 0");
    return false;
}

/* Where to store; the same word twice would be two keys, of which only one is declared. */
static bool parse_store(struct call *c, int i, bool distance, struct query *q, bool seen[2]) {
    if (seen[distance]) return call_syntax_error(c), false;
    seen[distance] = true;
    q->store = i;
    q->store_distance = distance;
    return true;
}

static bool *flag_of(struct call *c, int i, struct query *q) {
    if (arg_is(c, i, "WITHDIST")) return &q->with_distance;
    if (arg_is(c, i, "WITHHASH")) return &q->with_hash;
    if (arg_is(c, i, "WITHCOORD")) return &q->with_point;
    if (arg_is(c, i, "ANY")) return &q->any;
    bool stores = q->form & FORM_SEARCH && q->form & FORM_STORES;
    return stores && arg_is(c, i, "STOREDIST") ? &q->store_distance : NULL;
}

/* An option of GEOSEARCH about the centre or the shape at argv[*i]; false: none. */
static bool parse_shape(struct call *c, int *i, struct query *q, bool *good) {
    int left = c->argc - *i - 1;
    /* A member of a missing sorted set gives no centre. */
    bool placed = q->from_point || (q->from_member && q->z.key.entry);
    bool shaped = q->by_radius || q->by_box;
    static const struct {
        const char *word;
        int words;
        bool (*parse)(struct call *c, int i, struct query *q);
    } options[] = { { "FROMMEMBER", 1, parse_member },
                    { "FROMLONLAT", 2, parse_point },
                    { "BYRADIUS", 2, parse_radius },
                    { "BYBOX", 3, parse_box } };
    for (int o = 0; o < 4; o++) {
        if (!arg_is(c, *i, options[o].word) || left < options[o].words) continue;
        if (o < 2 ? placed : shaped) return false;
        *good = options[o].parse(c, *i + 1, q);
        *i += options[o].words;
        return true;
    }
    return false;
}

static bool parse_option(struct call *c, int *i, struct query *q, bool seen[2]) {
    bool more = *i + 1 < c->argc, good = true;
    bool stores = q->form & FORM_STORES && !(q->form & FORM_SEARCH);
    bool *flag = flag_of(c, *i, q);
    if (flag)
        *flag = true;
    else if (arg_is(c, *i, "ASC"))
        q->order = ORDER_NEAR;
    else if (arg_is(c, *i, "DESC"))
        q->order = ORDER_FAR;
    else if (arg_is(c, *i, "COUNT") && more)
        return parse_count(c, ++*i, q);
    else if (stores && more && arg_is(c, *i, "STORE"))
        return parse_store(c, ++*i, false, q, seen);
    else if (stores && more && arg_is(c, *i, "STOREDIST"))
        return parse_store(c, ++*i, true, q, seen);
    else if (!(q->form & FORM_SEARCH) || !parse_shape(c, i, q, &good))
        return call_syntax_error(c), false;
    return good;
}

/* Options that do not go together; false: replied. */
static bool check_query(struct call *c, const struct query *q) {
    bool search = q->form & FORM_SEARCH;
    int name = (int)(c->argv[0].n < 64 ? c->argv[0].n : 64);
    if (q->store && (q->with_distance || q->with_hash || q->with_point)) {
        reply_errorf(c->out,
                     "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                     search ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    } else if (search && !q->from_point && !q->from_member) {
        reply_errorf(c->out,
                     "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s", name,
                     c->argv[0].p);
    } else if (search && !q->by_radius && !q->by_box) {
        reply_errorf(c->out, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s",
                     name, c->argv[0].p);
    } else if (q->any && !q->count) {
        reply_error(c->out, "ERR the ANY argument requires COUNT argument");
    } else {
        return true;
    }
    return false;
}

static bool parse_query(struct call *c, struct query *q) {
    int i = q->source + 1;
    bool seen[2] = { false, false };
    if (q->form & FORM_MEMBER) {
        /* Without a sorted set nobody looks at the radius. */
        if (!parse_member(c, i, q) || (q->z.key.entry && !parse_radius(c, i + 1, q))) return false;
        i += 3;
    } else if (!(q->form & FORM_SEARCH)) {
        if (!parse_point(c, i, q) || !parse_radius(c, i + 2, q)) return false;
        i += 4;
    }
    for (; i < c->argc; i++)
        if (!parse_option(c, &i, q, seen)) return false;
    if (q->count && !q->order && !q->any) q->order = ORDER_NEAR;
    return check_query(c, q);
}

/* --- cells that cover the shape --- */

#define CELLS 9
#define MERCATOR_MAX 20037726.37 /* metres from the equator to the end of the map */

static struct geo_area bounding_box(const struct query *q) {
    double height = q->unit * (q->by_radius ? q->radius : q->height / 2);
    double width = q->unit * (q->by_radius ? q->radius : q->width / 2);
    double lat = geo_degrees(height / GEO_EARTH_RADIUS);
    /* A degree of longitude is shortest at the side that is nearer to a pole. */
    double side = q->centre.lat < 0 ? q->centre.lat - lat : q->centre.lat + lat;
    double lon = geo_degrees(width / GEO_EARTH_RADIUS / cos(geo_radians(side)));
    return (struct geo_area){ .west = q->centre.lon - lon,
                              .east = q->centre.lon + lon,
                              .south = q->centre.lat - lat,
                              .north = q->centre.lat + lat };
}

/* Cells of so many steps are as large as the radius, more or less: they shrink towards the poles.
 */
static unsigned steps_for(double radius, double lat) {
    if (radius == 0) return GEO_STEPS;
    int steps = 1;
    for (; radius < MERCATOR_MAX && steps < 2 * (int)GEO_STEPS; radius *= 2) steps++;
    steps -= 2;
    if (fabs(lat) > 66) steps--;
    if (fabs(lat) > 80) steps--;
    return steps < 1 ? 1 : steps > (int)GEO_STEPS ? GEO_STEPS : (unsigned)steps;
}

/* The centre's cell first; then the neighbours in the order of Redis's answers. */
static const struct {
    int columns, rows;
} offsets[CELLS] = { { 0, 0 }, { 0, 1 },  { 0, -1 }, { 1, 0 },  { -1, 0 },
                     { 1, 1 }, { -1, 1 }, { 1, -1 }, { -1, -1 } };

static void nine_cells(struct geo_point centre, unsigned steps, struct geo_cell cells[CELLS]) {
    struct geo_cell middle = geo_cell_of(centre, steps);
    for (int i = 0; i < CELLS; i++)
        cells[i] = geo_cell_beside(middle, offsets[i].columns, offsets[i].rows);
}

static bool cells_reach(const struct geo_cell cells[CELLS], const struct geo_area *box) {
    return geo_cell_area(cells[1]).north >= box->north &&
           geo_cell_area(cells[2]).south <= box->south &&
           geo_cell_area(cells[3]).east >= box->east && geo_cell_area(cells[4]).west <= box->west;
}

static void drop_useless(struct geo_cell cells[CELLS], const struct geo_area *box) {
    struct geo_area middle = geo_cell_area(cells[0]);
    for (int i = 1; i < CELLS; i++) {
        bool useless = (offsets[i].rows < 0 && middle.south < box->south) ||
                       (offsets[i].rows > 0 && middle.north > box->north) ||
                       (offsets[i].columns < 0 && middle.west < box->west) ||
                       (offsets[i].columns > 0 && middle.east > box->east);
        if (useless) cells[i].steps = 0;
    }
}

static void cover(const struct query *q, struct geo_cell cells[CELLS]) {
    struct geo_area box = bounding_box(q);
    double radius = q->radius;
    if (q->by_box) radius = sqrt(q->width / 2 * (q->width / 2) + q->height / 2 * (q->height / 2));
    unsigned steps = steps_for(radius * q->unit, q->centre.lat);
    nine_cells(q->centre, steps, cells);
    if (steps > 1 && !cells_reach(cells, &box)) nine_cells(q->centre, --steps, cells);
    if (steps >= 2) drop_useless(cells, &box);
}

/* --- finding --- */

static struct str member_of(const struct found *f) {
    return f->member.n > SHORT_MEMBER ? f->member : (struct str){ f->text, f->member.n };
}

struct search {
    const struct query *q;
    struct found *found;
    size_t n, room;
    size_t enough; /* 0: all */
};

static bool is_inside(const struct query *q, struct geo_point p, double *distance) {
    if (q->by_radius) {
        *distance = geo_distance(q->centre, p);
        return *distance <= q->radius * q->unit;
    }
    if (geo_lat_distance(p.lat, q->centre.lat) > q->height * q->unit / 2) return false;
    struct geo_point level = { q->centre.lon, p.lat };
    if (geo_distance(p, level) > q->width * q->unit / 2) return false;
    *distance = geo_distance(q->centre, p);
    return true;
}

static bool look_at(void *ctx, struct str member, double score) {
    struct search *s = ctx;
    struct found f = { .member = member, .score = score, .point = geo_point_of(score) };
    if (!is_inside(s->q, f.point, &f.distance)) return true;
    f.distance /= s->q->unit;
    if (member.n <= SHORT_MEMBER) memcpy(f.text, member.p, member.n);
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 32;
        s->found = realloc(s->found, s->room * sizeof *s->found);
        ASSERT(s->found);
    }
    s->found[s->n++] = f;
    return !s->enough || s->n < s->enough;
}

static void search_cell(struct call *c, struct search *s, struct geo_cell cell) {
    const struct arena *a = &c->eng->arena;
    const struct value *v = &s->q->z.value;
    struct btree_bound from = { .kind = BOUND_SCORE }, to = { .kind = BOUND_SCORE };
    geo_cell_scores(cell, &from.score, &to.score);
    uint64_t rank = zset_count_below(a, v, &from), end = zset_count_below(a, v, &to);
    if (end > rank) zset_each(a, v, rank, end - rank, false, look_at, s);
}

static bool same_cell(struct geo_cell a, struct geo_cell b) {
    return a.lon == b.lon && a.lat == b.lat && a.steps == b.steps;
}

/* Large shapes have neighbours that are the same cell: each is searched once. */
static void search_cells(struct call *c, struct search *s) {
    struct geo_cell cells[CELLS];
    cover(s->q, cells);
    for (int i = 0; i < CELLS && (!s->enough || s->n < s->enough); i++) {
        bool skip = !cells[i].steps;
        for (int j = 0; j < i && !skip; j++) skip = same_cell(cells[i], cells[j]);
        if (!skip) search_cell(c, s, cells[i]);
    }
}

/* Brings the nearest or farthest `keep` to the front, in order; of equally far ones those found
 * first. */
static void put_in_order(struct search *s, size_t keep) {
    struct ordered *items = malloc(s->n * sizeof *items);
    struct found *kept = malloc(keep * sizeof *kept);
    ASSERT(items && kept);
    double sign = s->q->order == ORDER_NEAR ? 1 : -1;
    for (size_t i = 0; i < s->n; i++) items[i] = (struct ordered){ sign * s->found[i].distance, i };
    order_part(items, s->n, 0, keep, NULL, NULL);
    for (size_t i = 0; i < keep; i++) kept[i] = s->found[items[i].index];
    free(items);
    free(s->found);
    s->found = kept;
}

static void find_all(struct call *c, struct search *s) {
    const struct query *q = s->q;
    s->enough = q->any ? (size_t)q->count : 0;
    search_cells(c, s);
    size_t keep = q->count && (uint64_t)q->count < s->n ? (size_t)q->count : s->n;
    if (q->order && keep) put_in_order(s, keep);
    s->n = keep;
}

/* --- answers --- */

static void reply_found(struct call *c, const struct search *s) {
    const struct query *q = s->q;
    size_t extras = (size_t)q->with_distance + q->with_hash + q->with_point;
    reply_array(c->out, s->n);
    for (size_t i = 0; i < s->n; i++) {
        const struct found *f = &s->found[i];
        if (extras) reply_array(c->out, 1 + extras);
        reply_bulk(c->out, member_of(f));
        if (q->with_distance) reply_distance(c, f->distance);
        if (q->with_hash) reply_int(c->out, (int64_t)f->score);
        if (q->with_point) reply_point(c, f->point);
    }
}

static status build(struct call *c, const struct search *s, struct value *v) {
    size_t longest = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->found[i].member.n > longest) longest = s->found[i].member.n;
    status st = zset_create(c->eng, v, s->n, longest);
    if (st != ST_OK) return st;
    for (size_t i = 0; i < s->n && st == ST_OK; i++) {
        const struct found *f = &s->found[i];
        struct zset_outcome o;
        st =
            zset_put(c->eng, v, member_of(f), s->q->store_distance ? f->distance : f->score, 0, &o);
    }
    if (st != ST_OK) value_free(c->eng, *v, false);
    return st;
}

static void store_found(struct call *c, const struct search *s) {
    struct value v = { 0 };
    if (s->n && !call_ok(c, build(c, s, &v))) return;
    zset_store(c, s->q->store, &v, s->q->form & FORM_SEARCH ? "geosearchstore" : "georadiusstore");
}

static void run(struct call *c, struct query *q) {
    struct search s = { .q = q };
    if (!zset_open_read(c, q->source, &q->z) || !parse_query(c, q)) return;
    if (q->z.key.entry) find_all(c, &s);
    if (q->store)
        store_found(c, &s);
    else
        reply_found(c, &s);
    free(s.found);
}

static void cmd_geosearch(struct call *c) {
    run(c, &(struct query){ .form = FORM_SEARCH, .source = 1 });
}
static void cmd_geosearchstore(struct call *c) {
    run(c, &(struct query){ .form = FORM_SEARCH | FORM_STORES, .source = 2, .store = 1 });
}
static void cmd_georadius(struct call *c) {
    run(c, &(struct query){ .form = FORM_STORES, .source = 1 });
}
static void cmd_georadius_ro(struct call *c) {
    run(c, &(struct query){ .source = 1 });
}
static void cmd_georadiusbymember(struct call *c) {
    run(c, &(struct query){ .form = FORM_MEMBER | FORM_STORES, .source = 1 });
}
static void cmd_georadiusbymember_ro(struct call *c) {
    run(c, &(struct query){ .form = FORM_MEMBER, .source = 1 });
}

#define READS KEY(1, KF_RO | KF_ACCESS)
#define STORES KF_OW | KF_UPDATE
#define MAY_STORE CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS
#define AFTER(word, from)                                                                          \
    {                                                                                              \
        .flags = STORES | KF_INCOMPLETE, .begin = 'k', .find = 'r', .at = (from), .b = 1,          \
        .keyword = (word)                                                                          \
    }
static const struct command geo_search_rows[] = {
    { "GEOSEARCH", -7, CMD_READ, "geo", cmd_geosearch, { READS } },
    { "GEOSEARCHSTORE",
      -8,
      CMD_WRITE | CMD_DENYOOM,
      "geo",
      cmd_geosearchstore,
      { KEY(1, STORES), KEY(2, KF_RO | KF_ACCESS) } },
    { "GEORADIUS",
      -6,
      MAY_STORE,
      "geo",
      cmd_georadius,
      { READS, AFTER("STORE", 6), AFTER("STOREDIST", 6) } },
    { "GEORADIUSBYMEMBER",
      -5,
      MAY_STORE,
      "geo",
      cmd_georadiusbymember,
      { READS, AFTER("STORE", 5), AFTER("STOREDIST", 5) } },
    { "GEORADIUS_RO", -6, CMD_READ, "geo", cmd_georadius_ro, { READS } },
    { "GEORADIUSBYMEMBER_RO", -5, CMD_READ, "geo", cmd_georadiusbymember_ro, { READS } },
};
COMMAND_GROUP(geo_search_commands, "geo", geo_search_rows);
