/* stream_open.c - the stream at a key, its groups and consumers, its entries in replies. */
#include "cmd/stream.h"
#include "ds/listpack.h"
#include "mem/wire.h"

/* --- opening --- */

static bool opened(struct call *c, struct stream_key *k) {
    k->s = NULL;
    if (!k->key.entry) return true;
    k->value = entry_value(k->key.entry);
    k->s = stream_of(&c->eng->arena, &k->value);
    return true;
}

bool stream_open_read(struct call *c, int i, struct stream_key *k) {
    return call_read(c, i, TYPE_STREAM, &k->key) && opened(c, k);
}

bool stream_open_write(struct call *c, int i, struct stream_key *k) {
    return call_write(c, i, TYPE_STREAM, &k->key) && opened(c, k);
}

bool stream_open_update(struct call *c, int i, struct stream_key *k) {
    return call_update(c, i, TYPE_STREAM, &k->key) && opened(c, k);
}

void stream_no_group(struct call *c, struct str key, struct str group) {
    reply_errorf(c->out, "NOGROUP No such key '%.*s' or consumer group '%.*s'", (int)key.n, key.p,
                 (int)group.n, group.p);
}

bool stream_open_group(struct call *c, int i, struct stream_key *k, struct stream_group **g) {
    if (!stream_open_write(c, i, k)) return false;
    *g = k->s ? stream_group_find(&c->eng->arena, k->s, c->argv[i + 1]) : NULL;
    if (*g) return true;
    stream_no_group(c, c->argv[i], c->argv[i + 1]);
    return false;
}

/* --- replies --- */

void reply_stream_id(struct reply *r, struct stream_id id) {
    char text[STREAM_ID_TEXT];
    size_t n = stream_id_text(text, id);
    reply_bulk(r, (struct str){ text, n });
}

/* Room that the field and its value take in a reply, at most. */
static size_t field_room(const struct stream_field *f) {
    return lp_body_bytes(f->name) + lp_body_bytes(f->value) + 2 * (WIRE_HEAD + 20);
}

void reply_stream_entry(struct reply *r, const struct stream_entry *e, size_t elements) {
    char text[STREAM_ID_TEXT], buf[24];
    char *begin = reply_room(r, 3 * WIRE_HEAD + STREAM_ID_TEXT);
    char *p = wire_head(begin, '*', 2 + elements);
    p = wire_bulk(p, (struct str){ text, stream_id_text(text, e->id) });
    p = wire_head(p, '*', 2 * (size_t)e->fields);
    r->n += (size_t)(p - begin);
    struct stream_field f = stream_fields(e);
    while (stream_field_next(&f)) {
        begin = reply_room(r, field_room(&f));
        p = wire_bulk(begin, lp_text(f.name, buf));
        p = wire_bulk(p, lp_text(f.value, buf));
        r->n += (size_t)(p - begin);
    }
}

bool reply_stream_entry_of(struct call *c, const struct stream *s, struct stream_id id,
                           size_t elements) {
    struct stream_cursor cursor;
    struct stream_entry e;
    stream_seek(&c->eng->arena, s, id, id, false, &cursor);
    bool there = stream_next(&cursor, &e);
    if (there) reply_stream_entry(c->out, &e, elements);
    stream_cursor_close(&cursor);
    return there;
}

void reply_stream_range(struct call *c, const struct stream *s, struct stream_id start,
                        struct stream_id end, bool backwards, int64_t count) {
    struct stream_cursor cursor;
    struct stream_entry e;
    size_t mark = reply_defer(c->out), n = 0;
    stream_seek(&c->eng->arena, s, start, end, backwards, &cursor);
    while ((count < 0 || n < (size_t)count) && stream_next(&cursor, &e)) {
        reply_stream_entry(c->out, &e, 0);
        n++;
    }
    stream_cursor_close(&cursor);
    reply_set_deferred_array(c->out, mark, n);
}

/* --- groups --- */

status stream_consumer_open(struct call *c, const struct key *k, struct stream_group *g,
                            struct str name, uint32_t *number, bool *created) {
    struct arena *a = &c->eng->arena;
    *created = false;
    *number = stream_consumer_find(a, g, name);
    if (*number == ROSTER_NONE) {
        status st = stream_consumer_create(a, g, name, engine_wall_ms(c->eng), number);
        if (st != ST_OK) return st;
        *created = true;
        engine_regrouped(c->eng, k->name, k->db);
        engine_notify(c->eng, NOTIFY_STREAM, "xgroup-createconsumer", k->name, k->db);
    }
    stream_consumer_at(a, g, *number)->seen_ms = engine_wall_ms(c->eng);
    return ST_OK;
}

void stream_propagate_claim(struct call *c, struct str key, struct str group, struct str consumer,
                            const struct stream_pending *p, struct stream_id last) {
    char id_text[STREAM_ID_TEXT], last_text[STREAM_ID_TEXT];
    if (!engine_propagates(c->eng)) return;
    struct str id = { id_text, stream_id_text(id_text, p->id) };
    struct str last_id = { last_text, stream_id_text(last_text, last) };
    call_propagatef(c, "XCLAIM %b %b %b 0 %b TIME %i RETRYCOUNT %i FORCE JUSTID LASTID %b", &key,
                    &group, &consumer, &id, (int64_t)pending_time(p), (int64_t)p->count, &last_id);
}

void stream_propagate_setid(struct call *c, struct str key, struct str group,
                            const struct stream_group *g) {
    char text[STREAM_ID_TEXT];
    if (!engine_propagates(c->eng)) return;
    struct str id = { text, stream_id_text(text, g->last) };
    call_propagatef(c, "XGROUP SETID %b %b %b ENTRIESREAD %i", &key, &group, &id,
                    (int64_t)g->entries_read);
}
