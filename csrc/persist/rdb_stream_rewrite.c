/* rdb_stream_rewrite.c - streams as commands. */
#include "db/stream_group.h"
#include "db/stream_idmp.h"
#include "ds/listpack.h"
#include "mem/number.h"
#include "persist/rdb_stream.h"

/* One command being put together; numbers and ids have their texts beside it. */
struct line {
    struct rewriter *out;
    int argc;
    struct str argv[16];
    char text[16][STREAM_ID_TEXT];
};

static void word(struct line *l, struct str s) {
    l->argv[l->argc++] = s;
}
static void id_word(struct line *l, struct stream_id id) {
    char *text = l->text[l->argc];
    word(l, (struct str){ text, stream_id_text(text, id) });
}
static void number_word(struct line *l, int64_t v) {
    char *text = l->text[l->argc];
    word(l, (struct str){ text, i64_to_text(text, v) });
}
static void emit(struct line *l) {
    rewrite_command(l->out, l->argc, l->argv);
    l->argc = 0;
}

/* --- entries --- */

static void rewrite_entry(struct rewriter *out, struct str key, const struct stream_entry *e) {
    size_t words = 3 + 2 * (size_t)e->fields;
    struct str *argv = malloc(words * sizeof *argv);
    char(*numbers)[24] = malloc(words * sizeof *numbers);
    char id[STREAM_ID_TEXT];
    ASSERT(argv && numbers);
    argv[0] = STR("XADD");
    argv[1] = key;
    argv[2] = (struct str){ id, stream_id_text(id, e->id) };
    int argc = 3;
    struct stream_field f = stream_fields(e);
    while (stream_field_next(&f)) {
        argv[argc] = lp_text(f.name, numbers[argc]);
        argc++;
        argv[argc] = lp_text(f.value, numbers[argc]);
        argc++;
    }
    rewrite_command(out, argc, argv);
    free(numbers);
    free(argv);
}

static void rewrite_entries(struct line *l, const struct arena *a, struct str key,
                            const struct stream *s) {
    struct stream_cursor c;
    struct stream_entry e;
    if (!s->length) { /* an empty stream exists too */
        struct str made[] = { STR("XADD"), key,      STR("MAXLEN"), STR("0"),
                              STR("0-1"),  STR("x"), STR("y") };
        rewrite_command(l->out, 7, made);
    }
    stream_seek(a, s, STREAM_ID_MIN, STREAM_ID_MAX, false, &c);
    while (stream_next(&c, &e)) rewrite_entry(l->out, key, &e);
    stream_cursor_close(&c);
    word(l, STR("XSETID"));
    word(l, key);
    id_word(l, s->last);
    word(l, STR("ENTRIESADDED"));
    number_word(l, (int64_t)s->added);
    word(l, STR("MAXDELETEDID"));
    id_word(l, s->max_deleted);
    emit(l);
}

/* --- groups --- */

static void rewrite_claim(struct line *l, struct str key, struct str group, struct str consumer,
                          const struct stream_pending *p) {
    word(l, STR("XCLAIM"));
    word(l, key);
    word(l, group);
    word(l, consumer);
    word(l, STR("0"));
    id_word(l, p->id);
    word(l, STR("TIME"));
    number_word(l, (int64_t)pending_time(p));
    word(l, STR("RETRYCOUNT"));
    number_word(l, (int64_t)p->count);
    word(l, STR("JUSTID"));
    word(l, STR("FORCE"));
    emit(l);
}

static void rewrite_consumer(struct line *l, const struct arena *a, struct str key,
                             const struct stream_group *g, const struct stream_consumer *c) {
    struct idtree_iter it;
    if (!c->pending.count) {
        word(l, STR("XGROUP"));
        word(l, STR("CREATECONSUMER"));
        word(l, key);
        word(l, stream_group_name(g));
        word(l, stream_consumer_name(c));
        emit(l);
    }
    const uint8_t *record = idtree_first(a, &stream_ids_kind, &c->pending, &it);
    for (; record; record = idtree_next(a, &stream_ids_kind, &it)) {
        struct stream_pending p;
        struct stream_id id = { idtree_word(record, 0), idtree_word(record, 1) };
        stream_pending_find(a, g, id, &p);
        rewrite_claim(l, key, stream_group_name(g), stream_consumer_name(c), &p);
    }
}

static void rewrite_nacked(struct line *l, const struct arena *a, struct str key,
                           const struct stream_group *g) {
    struct idtree_iter it;
    const uint8_t *record = idtree_first(a, &stream_times_kind, &g->by_time, &it);
    for (uint32_t n = g->nacked; n > 0; n--, record = idtree_next(a, &stream_times_kind, &it)) {
        struct stream_pending p;
        struct stream_id id = { idtree_word(record, 1), idtree_word(record, 2) };
        stream_pending_find(a, g, id, &p);
        word(l, STR("XNACK"));
        word(l, key);
        word(l, stream_group_name(g));
        word(l, STR("FAIL"));
        word(l, STR("IDS"));
        word(l, STR("1"));
        id_word(l, id);
        word(l, STR("RETRYCOUNT"));
        number_word(l, (int64_t)p.count);
        word(l, STR("FORCE"));
        emit(l);
    }
}

static void rewrite_group(struct line *l, const struct arena *a, struct str key,
                          const struct stream_group *g) {
    word(l, STR("XGROUP"));
    word(l, STR("CREATE"));
    word(l, key);
    word(l, stream_group_name(g));
    id_word(l, g->last);
    word(l, STR("ENTRIESREAD"));
    number_word(l, (int64_t)g->entries_read);
    emit(l);
    for (uint32_t i = 0; i < g->consumers.count; i++)
        rewrite_consumer(l, a, key, g, stream_consumer_at(a, g, stream_consumer_number(a, g, i)));
    rewrite_nacked(l, a, key, g);
}

/* --- producers --- */

static void rewrite_limits(struct line *l, struct str key, const struct stream *s) {
    if (s->idmp_duration == RDB_IDMP_DURATION && s->idmp_maxsize == RDB_IDMP_MAXSIZE) return;
    word(l, STR("XCFGSET"));
    word(l, key);
    word(l, STR("IDMP-DURATION"));
    number_word(l, s->idmp_duration);
    word(l, STR("IDMP-MAXSIZE"));
    number_word(l, s->idmp_maxsize);
    emit(l);
}

static void rewrite_producers(struct line *l, const struct arena *a, struct str key,
                              const struct stream *s) {
    const struct stream_idmp *m = stream_idmp_of(a, s);
    for (uint32_t i = 0; m && i < m->producers.count; i++) {
        const struct stream_producer *p = stream_producer_at(a, m, i);
        struct stream_record r;
        size_t offset = 0;
        while (stream_record_next(a, p, &offset, &r)) {
            if (!stream_has(a, s, r.id)) continue; /* would be refused */
            word(l, STR("XIDMPRECORD"));
            word(l, key);
            word(l, (struct str){ p->name, p->name_bytes });
            word(l, r.iid);
            id_word(l, r.id);
            emit(l);
        }
    }
}

void rdb_stream_rewrite(const struct arena *a, const struct entry *e, struct rewriter *out) {
    struct value v = entry_value(e);
    const struct stream *s = stream_of(a, &v);
    struct line l = { .out = out };
    struct str key = entry_key(e);
    rewrite_entries(&l, a, key, s);
    rewrite_limits(&l, key, s);
    for (uint32_t i = 0; i < s->groups.count; i++)
        rewrite_group(&l, a, key, stream_group_at(a, s, i));
    rewrite_producers(&l, a, key, s);
}
