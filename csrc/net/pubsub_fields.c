/* pubsub_fields.c - building and telling the messages about fields. */
#include "net/pubsub_fields.h"

#include "cmd/reply.h"
#include "net/pubsub.h"

/* One event on its way; the buffers are used again and again. */
struct telling {
    struct engine *eng;
    struct str event, key;
    int db;
    struct str list;
    struct reply channel, message;
};

static void put(struct reply *out, struct str s) {
    reply_raw(out, s.p, s.n);
}

static void put_counted(struct reply *out, struct str s) {
    char text[24];
    put(out, (struct str){ text, i64_to_text(text, (int64_t)s.n) });
    put(out, STR(":"));
    put(out, s);
}

static void begin_channel(struct telling *t, const char *kind) {
    char text[64];
    int n = snprintf(text, sizeof text, "__%s@%d__:", kind, t->db);
    t->channel.n = t->message.n = 0;
    reply_raw(&t->channel, text, (size_t)n);
}

static void tell(struct telling *t, struct str message) {
    pubsub_tell(t->eng, (struct str){ t->channel.p, t->channel.n }, message);
}

static void tell_space(struct telling *t) {
    begin_channel(t, "subkeyspace");
    put(&t->channel, t->key);
    put(&t->message, t->event);
    put(&t->message, STR("|"));
    put(&t->message, t->list);
    tell(t, (struct str){ t->message.p, t->message.n });
}

static void tell_event(struct telling *t) {
    begin_channel(t, "subkeyevent");
    put(&t->channel, t->event);
    put_counted(&t->message, t->key);
    put(&t->message, STR("|"));
    put(&t->message, t->list);
    tell(t, (struct str){ t->message.p, t->message.n });
}

static void tell_items(struct telling *t, const struct field_list *f) {
    if (t->key.n && memchr(t->key.p, '\n', t->key.n)) return;
    for (size_t i = 0; i < f->n; i++) {
        begin_channel(t, "subkeyspaceitem");
        put(&t->channel, t->key);
        put(&t->channel, STR("\n"));
        put(&t->channel, f->at[i * f->step]);
        tell(t, t->event);
    }
}

static void tell_space_event(struct telling *t) {
    begin_channel(t, "subkeyspaceevent");
    put(&t->channel, t->event);
    put(&t->channel, STR("|"));
    put(&t->channel, t->key);
    tell(t, t->list);
}

void pubsub_fields(struct engine *eng, const char *event, struct str key, int db,
                   const struct field_list *f) {
    int64_t on = eng->config.notify_events;
    struct telling t = { .eng = eng, .event = { event, strlen(event) }, .key = key, .db = db };
    struct reply list = { 0 };
    if (!pubsub_is_heard(eng)) return;
    for (size_t i = 0; i < f->n; i++) {
        if (i) put(&list, STR(","));
        put_counted(&list, f->at[i * f->step]);
    }
    t.list = (struct str){ list.p, list.n };
    if (on & NOTIFY_SUBKEYSPACE) tell_space(&t);
    if (on & NOTIFY_SUBKEYEVENT) tell_event(&t);
    if (on & NOTIFY_SUBKEYSPACEITEM) tell_items(&t, f);
    if (on & NOTIFY_SUBKEYSPACEEVENT) tell_space_event(&t);
    free(list.p);
    free(t.channel.p);
    free(t.message.p);
}
