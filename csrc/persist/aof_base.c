/* aof_base.c - all keys as commands. */
#include "persist/aof_base.h"

#include <unistd.h>

#include "mem/wire.h"
#include "persist/rewrite.h"
#include "persist/sink.h"

static void put_header(struct sink *s, char mark, size_t n) {
    char *p = sink_room(s, WIRE_HEAD);
    sink_used(s, (size_t)(wire_head(p, mark, n) - p));
}

static void put_command(void *ctx, int argc, const struct str *argv) {
    struct sink *s = ctx;
    put_header(s, '*', (size_t)argc);
    for (int i = 0; i < argc; i++) {
        put_header(s, '$', argv[i].n);
        sink_put(s, argv[i].p, argv[i].n);
        sink_put(s, "\r\n", 2);
    }
}

static void put_select(struct rewriter *w, int db) {
    char text[24];
    struct str argv[2] = { STR("SELECT"), { text, i64_to_text(text, db) } };
    rewrite_command(w, 2, argv);
}

static void put_database(struct fork_task *task, struct rewriter *w, int index) {
    const struct arena *a = &task->eng->arena;
    const struct dict *keys = &engine_db(task->eng, index)->keys;
    const struct sink *s = w->ctx;
    struct dict_iter it = { 0 };
    if (!keys->count) return;
    put_select(w, index);
    for (ref_t r; !s->error && (r = dict_next(a, keys, &it));) {
        rewrite_key(w, a, arena_ptr(a, r));
        task->report->keys_done++;
        if (task->options.key_delay_us > 0) usleep((useconds_t)task->options.key_delay_us);
    }
}

void aof_write_base(struct fork_task *task) {
    struct file_sink file;
    struct rewriter *w = malloc(sizeof *w);
    ASSERT(w);
    file_sink_init(&file, task->fd, task->options.sync_every);
    file.sink.checksum = false;
    *w = (struct rewriter){ .emit = put_command, .ctx = &file.sink };
    for (int i = 0; i < task->eng->databases; i++) put_database(task, w, i);
    sink_flush(&file.sink);
    task->report->bytes = sink_bytes(&file.sink);
    task->report->error = file.sink.error;
    sink_free(&file.sink);
    free(w);
}
