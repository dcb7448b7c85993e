/* hash_import.c - HIMPORT: many hashes of the same fields, whose names are sent once. */
#include "cmd/fieldset.h"
#include "cmd/hash.h"

static struct fieldset **find(struct call *c, struct str name) {
    struct fieldset **at = c->fieldsets;
    while (at && *at && !str_eq((*at)->name, name)) at = &(*at)->next;
    return at && *at ? at : NULL;
}

const struct fieldset *fieldset_find(const struct fieldset *list, struct str name) {
    while (list && !str_eq(list->name, name)) list = list->next;
    return list;
}

static void drop(struct fieldset **at) {
    struct fieldset *gone = *at;
    *at = gone->next;
    free(gone);
}

size_t fieldset_drop_all(struct fieldset **list) {
    size_t n = 0;
    for (; *list; n++) drop(list);
    return n;
}

static int by_bytes(const void *x, const void *y) {
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static bool has_duplicates(const struct str *names, int n) {
    struct str *sorted = malloc((size_t)n * sizeof *sorted);
    bool twice = false;
    ASSERT(sorted);
    memcpy(sorted, names, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_bytes);
    for (int i = 1; i < n && !twice; i++) twice = str_eq(sorted[i - 1], sorted[i]);
    free(sorted);
    return twice;
}

static struct str take_text(char **at, struct str s) {
    memcpy(*at, s.p, s.n);
    *at += s.n;
    return (struct str){ *at - s.n, s.n };
}

static struct fieldset *new_fieldset(struct str name, const struct str *fields, int n) {
    size_t head = sizeof(struct fieldset) + (size_t)n * sizeof *fields, bytes = head + name.n;
    for (int i = 0; i < n; i++) bytes += fields[i].n;
    struct fieldset *f = malloc(bytes);
    ASSERT(f);
    char *at = (char *)f + head;
    f->next = NULL;
    f->n = n;
    f->name = take_text(&at, name);
    for (int i = 0; i < n; i++) f->fields[i] = take_text(&at, fields[i]);
    return f;
}

static void cmd_himport_prepare(struct call *c) {
    if (has_duplicates(c->argv + 3, c->argc - 3)) {
        reply_error(c->out, "ERR duplicate field name in fieldset");
        return;
    }
    struct fieldset **old = find(c, c->argv[2]);
    if (old) drop(old);
    if (c->fieldsets) {
        struct fieldset *f = new_fieldset(c->argv[2], c->argv + 3, c->argc - 3);
        f->next = *c->fieldsets;
        *c->fieldsets = f;
    }
    reply_ok(c->out);
}

static void cmd_himport_discard(struct call *c) {
    struct fieldset **at = find(c, c->argv[2]);
    if (at) drop(at);
    reply_int(c->out, at != NULL);
}

static void cmd_himport_discardall(struct call *c) {
    reply_int(c->out, c->fieldsets ? (int64_t)fieldset_drop_all(c->fieldsets) : 0);
}

/* The whole hash, or nothing. */
static status build(struct call *c, const struct fieldset *f, struct value *v) {
    status st = hash_create_template(&c->eng->arena, v);
    if (st != ST_OK) return st;
    for (int i = 0; i < f->n && st == ST_OK; i++) {
        bool fresh;
        st = hash_set(c->eng, v, f->fields[i], c->argv[4 + i], 0, &fresh);
    }
    if (st != ST_OK) value_free(c->eng, *v, false);
    return st;
}

/* Fieldsets are the connection's alone: what is logged names the fields. */
static void propagate_import(struct call *c, const struct fieldset *f) {
    int argc = 2 + 2 * f->n;
    struct str *argv = malloc((size_t)argc * sizeof *argv);
    ASSERT(argv);
    argv[0] = STR("HSET");
    argv[1] = c->argv[2];
    for (int i = 0; i < f->n; i++) {
        argv[2 + 2 * i] = f->fields[i];
        argv[3 + 2 * i] = c->argv[4 + i];
    }
    call_propagatef(c, "DEL %b", &c->argv[2]);
    call_propagate(c, argc, argv);
    free(argv);
}

static void cmd_himport_set(struct call *c) {
    struct hash h;
    struct value v;
    if (!hash_open_write(c, 2, &h)) return;
    struct fieldset **at = find(c, c->argv[3]);
    const char *problem = NULL;
    if (!at)
        problem = "ERR no such fieldset";
    else if ((*at)->n != c->argc - 4)
        problem = "ERR value count does not match fieldset field count";
    if (problem) {
        reply_error(c->out, problem);
        return;
    }
    if (!call_ok(c, build(c, *at, &v))) return;
    status st = key_replace(c->eng, &h.key, &v);
    if (st != ST_OK) value_free(c->eng, v, false);
    if (!call_ok(c, st)) return;
    hash_changed(c, &h, "hset", 1, (struct field_list){ (*at)->fields, (size_t)(*at)->n, 1 });
    propagate_import(c, *at);
    reply_ok(c->out);
}

#define H "hash"
static const struct command hash_import_rows[] = {
    { "HIMPORT", -2, CMD_CONTAINER, H, NULL, { { 0 } } },
    { "HIMPORT|PREPARE", -4, CMD_DENYOOM, H, cmd_himport_prepare, { { 0 } } },
    { "HIMPORT|SET",
      -5,
      CMD_WRITE | CMD_DENYOOM,
      H,
      cmd_himport_set,
      { KEY(2, KF_OW | KF_UPDATE) } },
    { "HIMPORT|DISCARD", 3, 0, H, cmd_himport_discard, { { 0 } } },
    { "HIMPORT|DISCARDALL", 2, 0, H, cmd_himport_discardall, { { 0 } } },
};
COMMAND_GROUP(hash_import_commands, "hash", hash_import_rows);
