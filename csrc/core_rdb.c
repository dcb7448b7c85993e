/* core_rdb.c - RDB files as Python sees them (core_files.h). */
#include "cmd/keys.h"
#include "core_files.h"
#include "mem/number.h"
#include "mem/share.h"
#include "persist/crc64.h"
#include "persist/rdb_load.h"
#include "persist/rdb_save.h"

/* --- writing --- */

bool engine_rdb_write(const struct engine *eng, int fd, const struct rdb_plan *plan,
                      struct rdb_written *out) {
    struct file_sink f;
    struct rdb_writer w;
    struct rdb_save_options options = { .key_delay_us = plan->key_delay_us,
                                        .keys_done = plan->keys_done,
                                        .cancelled = plan->cancelled };
    file_sink_init(&f, fd, plan->sync_every);
    f.sink.checksum = plan->checksum;
    rdb_writer_init(&w, &f.sink, plan->compress);
    bool whole = true;
    if (plan->pieces & RDB_PIECE_HEAD) {
        int version = plan->version ? plan->version : rdb_save_version(eng);
        rdb_save_head(&w, version, heap_used(&eng->arena), plan->aof_base);
        if (plan->extra_n) sink_put(&f.sink, plan->extra, plan->extra_n);
    }
    if (plan->pieces & RDB_PIECE_BODY) whole = rdb_save_part(eng, &w, &options);
    if (whole && plan->pieces & RDB_PIECE_TAIL) rdb_save_tail(&w, plan->checksum);
    sink_flush(&f.sink);
    *out = (struct rdb_written){ .bytes = sink_bytes(&f.sink),
                                 .crc = sink_crc(&f.sink),
                                 .error = f.sink.error,
                                 .cancelled = !whole && !f.sink.error };
    rdb_writer_free(&w);
    sink_free(&f.sink);
    return whole && !out->error;
}

uint64_t core_crc64(uint64_t crc, const char *p, size_t n) {
    return crc64(crc, p, n);
}

uint64_t core_crc64_combine(uint64_t first, uint64_t second, uint64_t second_bytes) {
    return crc64_combine(first, second, second_bytes);
}

const char *core_rdb_type_name(int type_byte) {
    return rdb_type_name((uint8_t)type_byte);
}

/* --- loading --- */

struct note {
    enum rdb_note kind; /* RDB_NOTE_AUX: name and value; RDB_NOTE_FUNCTION: value only */
    size_t name_n, value_n;
    uint64_t offset;
    char bytes[];
};

struct rdb_loading {
    struct rdb_loader loader;
    struct source src;
    struct note **notes;
    size_t n, room;
    char *key;
    size_t key_n;
    int type_byte;
    uint64_t by_type[32], expires, already_expired;
};

static void keep_note(struct rdb_loading *l, enum rdb_note kind, struct str name,
                      struct str value) {
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 16;
        l->notes = realloc(l->notes, l->room * sizeof *l->notes);
        ASSERT(l->notes);
    }
    struct note *note = malloc(sizeof *note + name.n + value.n);
    ASSERT(note);
    *note = (struct note){
        .kind = kind, .name_n = name.n, .value_n = value.n, .offset = source_offset(&l->src)
    };
    memcpy(note->bytes, name.p, name.n);
    memcpy(note->bytes + name.n, value.p, value.n);
    l->notes[l->n++] = note;
}

static void on_aux(void *ctx, struct str name, struct str value) {
    keep_note(ctx, RDB_NOTE_AUX, name, value);
}

static const char *on_function(void *ctx, struct str source) {
    keep_note(ctx, RDB_NOTE_FUNCTION, STR(""), source);
    return NULL;
}

static void on_record(void *ctx, struct str key, uint8_t type_byte, int64_t expiry,
                      uint64_t offset) {
    struct rdb_loading *l = ctx;
    (void)offset;
    char *copy = realloc(l->key, key.n + 1);
    ASSERT(copy);
    memcpy(copy, key.p, key.n);
    l->key = copy;
    l->key_n = key.n;
    l->type_byte = type_byte;
    l->by_type[type_byte < 32 ? type_byte : 31]++;
    l->expires += expiry != -1;
    l->already_expired += expiry != -1 && expiry < (int64_t)l->loader.now_ms;
}

static void on_select(void *ctx, uint64_t db) {
    char text[24];
    keep_note(ctx, RDB_NOTE_DB, STR(""), (struct str){ text, i64_to_text(text, (int64_t)db) });
}

static bool is_ours(void *ctx, struct str key) {
    const struct engine *eng = ((struct rdb_loading *)ctx)->loader.eng;
    return key_owner(key, eng->workers) == eng->worker;
}

struct rdb_loading *rdb_loading_new(struct engine *eng, int fd, uint64_t bytes,
                                    const struct rdb_loading_plan *plan) {
    struct rdb_loading *l = calloc(1, sizeof *l);
    ASSERT(l);
    struct rdb_load_options options = { .drop_expired = plan->drop_expired,
                                        .unique = plan->unique,
                                        .no_checksum = plan->no_checksum,
                                        .values = !plan->check,
                                        .key_delay_us = plan->key_delay_us,
                                        .duplicates =
                                            plan->merge ? DUPLICATES_REPLACE : DUPLICATES_FAIL };
    struct rdb_load_events events = { .ctx = l,
                                      .keep = eng->workers > 1 ? is_ours : NULL,
                                      .aux = on_aux,
                                      .function = on_function,
                                      .select = plan->check ? on_select : NULL,
                                      .record = plan->check ? on_record : NULL };
    l->type_byte = -1;
    source_init_fd(&l->src, fd, bytes);
    l->src.checksum = !plan->no_checksum;
    rdb_load_begin(&l->loader, eng, &l->src, &options, &events);
    return l;
}

int rdb_loading_step(struct rdb_loading *l, uint64_t bytes) {
    struct arena *a = &l->loader.eng->arena;
    share_begin(a);
    arena_enter(a);
    enum rdb_progress progress = rdb_load_step(&l->loader, bytes);
    arena_leave(a);
    share_end(a);
    return (int)progress;
}

void rdb_loading_facts(struct rdb_loading *l, struct rdb_loading_facts *out) {
    const struct rdb_load_stats *s = &l->loader.stats;
    *out = (struct rdb_loading_facts){ .version = s->version,
                                       .valkey = s->valkey,
                                       .offset = source_offset(&l->src),
                                       .keys = s->keys,
                                       .volatile_keys = s->volatile_keys,
                                       .expired = s->expired,
                                       .empty = s->empty,
                                       .foreign = s->foreign,
                                       .functions = s->functions,
                                       .notes = l->n,
                                       .error = (int)l->src.error,
                                       .error_number = l->src.number,
                                       .error_offset = l->src.error_offset,
                                       .key = l->key,
                                       .key_n = l->key_n,
                                       .type_byte = l->type_byte,
                                       .expires = l->expires,
                                       .already_expired = l->already_expired,
                                       .doing = l->loader.doing,
                                       .checksum = (int)s->checksum };
    memcpy(out->error_text, l->src.text, sizeof out->error_text);
    memcpy(out->by_type, l->by_type, sizeof out->by_type);
}

const char *rdb_loading_note(const struct rdb_loading *l, uint64_t i, int which, size_t *n,
                             uint64_t *offset) {
    const struct note *note = i < l->n ? l->notes[i] : NULL;
    enum rdb_note kind = which == RDB_NOTE_AUX_VALUE ? RDB_NOTE_AUX : (enum rdb_note)which;
    if (!note || note->kind != kind) return NULL;
    if (offset) *offset = note->offset;
    *n = which == RDB_NOTE_AUX ? note->name_n : note->value_n;
    return note->bytes + (which == RDB_NOTE_AUX ? 0 : note->name_n);
}

void rdb_loading_delete(struct rdb_loading *l) {
    if (!l) return;
    rdb_load_end(&l->loader);
    source_free(&l->src);
    for (size_t i = 0; i < l->n; i++) free(l->notes[i]);
    free(l->notes);
    free(l->key);
    free(l);
}
