/* cut.c - counting each worker's arguments, then placing them. */
#include "net/cut.h"

static void cut_for_all(struct parts *out, int workers, int argc, const struct str *argv) {
    const size_t each = (size_t)argc + 1;
    out->block = malloc((size_t)workers * each * sizeof *argv);
    ASSERT(out->block);
    for (int w = 0; w < workers; w++) {
        out->argv[w] = out->block + (size_t)w * each;
        memcpy(out->argv[w], argv, (size_t)argc * sizeof *argv);
        out->argc[w] = argc;
    }
    out->owners = UINT64_MAX >> (64 - workers);
}

/* Whose each key is, and how many arguments each worker gets. */
static void find_owners(struct parts *out, int workers, int argc, const struct str *argv,
                        int step) {
    out->order = malloc((size_t)argc);
    ASSERT(out->order);
    for (int i = 1; i < argc; i += step) {
        int w = key_owner(argv[i], workers);
        out->order[out->order_n++] = (uint8_t)w;
        out->argc[w] += step;
        out->owners |= UINT64_C(1) << w;
    }
}

/* A place for each worker's part, which begins with the command's name. */
static void find_places(struct parts *out, int argc, struct str name) {
    out->block = malloc(((size_t)argc + 2 * WORKERS_MAX) * sizeof *out->block);
    ASSERT(out->block);
    struct str *next = out->block;
    for (uint64_t left = out->owners; left; left &= left - 1) {
        int w = __builtin_ctzll(left);
        out->argv[w] = next;
        next += out->argc[w] + 2;
        out->argv[w][0] = name;
        out->argc[w] = 1;
    }
}

void cut(struct parts *out, const struct command_row *row, int workers, int argc,
         const struct str *argv) {
    *out = (struct parts){ 0 };
    int step = row ? spread_step(&row->cmd) : 0;
    if (!step) {
        cut_for_all(out, workers, argc, argv);
        return;
    }
    find_owners(out, workers, argc, argv, step);
    find_places(out, argc, argv[0]);
    for (int i = 1, key = 0; i < argc; i += step) {
        int w = out->order[key++];
        for (int k = 0; k < step; k++) out->argv[w][out->argc[w]++] = argv[i + k];
    }
}

void cut_end(struct parts *parts) {
    free(parts->block);
}
