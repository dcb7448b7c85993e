/* gather.c - adding, joining, interleaving partial replies. */
#include "net/gather.h"

struct gather *gather_new(struct session *s, enum spread how) {
    struct gather *g = calloc(1, sizeof *g);
    ASSERT(g);
    g->session = s;
    g->how = how;
    return g;
}

void gather_delete(struct gather *g) {
    for (int i = 0; i < WORKERS_MAX; i++) free((char *)(uintptr_t)g->part[i].p);
    free(g->order);
    free(g->whole);
    free(g);
}

bool gather_add(struct gather *g, int worker, struct part_reply reply) {
    const struct str resp = reply.resp;
    char *copy = malloc(resp.n + 1);
    ASSERT(copy && !g->part[worker].p);
    memcpy(copy, resp.p, resp.n);
    copy[resp.n] = '\0';
    g->part[worker] = (struct str){ copy, resp.n };
    g->ns += reply.ns;
    return --g->left == 0;
}

/* The first part that is an error, or NULL. */
static const struct str *first_error(const struct gather *g) {
    for (int i = 0; i < WORKERS_MAX; i++)
        if (g->part[i].n && g->part[i].p[0] == '-') return &g->part[i];
    return NULL;
}

/* The number behind the first byte of a header line; parts are replies of our own making. */
static int64_t header_number(const char *p) {
    return strtoll(p + 1, NULL, 10);
}

static const char *after_line(const char *p) {
    return strchr(p, '\n') + 1;
}

static void merge_sum(const struct gather *g, struct reply *out) {
    int64_t sum = 0;
    for (int i = 0; i < WORKERS_MAX; i++)
        if (g->part[i].n) sum += header_number(g->part[i].p);
    reply_int(out, sum);
}

static void merge_arrays(const struct gather *g, struct reply *out) {
    int64_t n = 0;
    for (int i = 0; i < WORKERS_MAX; i++)
        if (g->part[i].n) n += header_number(g->part[i].p);
    reply_array(out, (size_t)n);
    for (int i = 0; i < WORKERS_MAX; i++) {
        if (!g->part[i].n) continue;
        const char *body = after_line(g->part[i].p);
        reply_raw(out, body, (size_t)(g->part[i].p + g->part[i].n - body));
    }
}

/* Bytes of the bulk string or null at p. */
static size_t element_bytes(const char *p) {
    const char *body = after_line(p);
    int64_t n = *p == '$' ? header_number(p) : -1;
    return (size_t)(body - p) + (n < 0 ? 0 : (size_t)n + 2);
}

static void merge_values(const struct gather *g, struct reply *out) {
    const char *at[WORKERS_MAX];
    for (int i = 0; i < WORKERS_MAX; i++) at[i] = g->part[i].n ? after_line(g->part[i].p) : NULL;
    reply_array(out, (size_t)g->order_n);
    for (int i = 0; i < g->order_n; i++) {
        const char **p = &at[g->order[i]];
        size_t n = element_bytes(*p);
        reply_raw(out, *p, n);
        *p += n;
    }
}

static bool is_null(const struct str *part) {
    return part->p[0] == '_' || part->p[1] == '-';
}

/* A worker's element stands for all its keys. */
static uint64_t weight_of(const struct gather *g, int worker) {
    if (!g->part[worker].n || is_null(&g->part[worker])) return 0;
    if (g->db >= CONTROL_DATABASES) return 1;
    uint64_t keys =
        atomic_load_explicit(&g->control->worker[worker].keys[g->db], memory_order_relaxed);
    return keys ? keys : 1; /* they came after it last told */
}

static void merge_random(const struct gather *g, struct reply *out) {
    uint64_t total = 0;
    for (int i = 0; i < WORKERS_MAX; i++) total += weight_of(g, i);
    if (!total) {
        reply_null(out);
        return;
    }
    uint64_t at = g->draw % total;
    int chosen = 0;
    for (uint64_t w; at >= (w = weight_of(g, chosen)); chosen++) at -= w;
    reply_raw(out, g->part[chosen].p, g->part[chosen].n);
}

/* --- SCAN: a cursor, and the elements --- */

static const char *elements_of(const struct str *page) {
    return after_line(after_line(after_line(page->p)));
}

bool gather_page(const struct gather *g, struct scan_page *out) {
    *out = (struct scan_page){ .worker = -1 };
    if (first_error(g)) return false;
    for (int i = 0; i < WORKERS_MAX; i++) {
        if (!g->part[i].n) continue;
        out->worker = i;
        out->cursor = strtoull(after_line(after_line(g->part[i].p)), NULL, 10);
        out->found += header_number(elements_of(&g->part[i]));
    }
    return out->worker >= 0;
}

static void merge_pages(const struct gather *g, struct reply *out) {
    struct scan_page page;
    char cursor[24];
    gather_page(g, &page);
    int n = snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)page.cursor);
    reply_array(out, 2);
    reply_bulk(out, (struct str){ cursor, (size_t)n });
    reply_array(out, (size_t)page.found);
    for (int i = 0; i < WORKERS_MAX; i++) {
        if (!g->part[i].n) continue;
        const char *body = after_line(elements_of(&g->part[i]));
        reply_raw(out, body, (size_t)(g->part[i].p + g->part[i].n - body));
    }
}

/* The only part there is. */
static void pass_on(const struct gather *g, struct reply *out) {
    for (int i = 0; i < WORKERS_MAX; i++)
        if (g->part[i].p) reply_raw(out, g->part[i].p, g->part[i].n);
}

void gather_merge(const struct gather *g, struct reply *out) {
    const struct str *error = first_error(g);
    if (error)
        reply_raw(out, error->p, error->n);
    else if (g->how == SPREAD_SUM || g->how == SPREAD_ALL_SUM)
        merge_sum(g, out);
    else if (g->how == SPREAD_VALUES)
        merge_values(g, out);
    else if (g->how == SPREAD_ALL_CONCAT)
        merge_arrays(g, out);
    else if (g->how == SPREAD_ALL_RANDOM)
        merge_random(g, out);
    else if (g->how == SPREAD_SCAN && g->whole)
        merge_pages(g, out);
    else if (g->how == SPREAD_SCAN)
        pass_on(g, out);
    else
        reply_ok(out);
}
