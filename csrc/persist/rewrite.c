/* rewrite.c - gathering elements into commands. */
#include "persist/rewrite.h"

#include "mem/number.h"
#include "persist/rdb_codec.h"

void rewrite_begin(struct rewriter *w, struct str name, struct str key, int width) {
    w->argv[0] = name;
    w->argv[1] = key;
    w->argc = 2;
    w->width = width;
}

void rewrite_add(struct rewriter *w, struct str s) {
    w->argv[w->argc++] = s;
    if (w->argc < 2 + REWRITE_ELEMENTS * w->width) return;
    w->emit(w->ctx, w->argc, w->argv);
    w->argc = 2;
}

void rewrite_end(struct rewriter *w) {
    if (w->argc > 2) w->emit(w->ctx, w->argc, w->argv);
    w->argc = 2;
}

void rewrite_command(struct rewriter *w, int argc, const struct str *argv) {
    w->emit(w->ctx, argc, argv);
}

void rewrite_key(struct rewriter *w, const struct arena *a, const struct entry *e) {
    rdb_codec_of(entry_type(e))->rewrite(a, e, w);
    if (!entry_volatile(e)) return;
    char text[24];
    struct str time = { text, i64_to_text(text, (int64_t)entry_expiry(e)) };
    struct str argv[3] = { STR("PEXPIREAT"), entry_key(e), time };
    rewrite_command(w, 3, argv);
}
