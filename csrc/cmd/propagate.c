/* propagate.c - rewritten commands of a call. */
#include "cmd/propagate.h"

#include <stdarg.h>

#include "db/batch.h"

struct rewrite {
    struct rewrite *next;
    int argc;
    struct str argv[];
};

/* One block: the struct, the argument vector and all bytes. */
static struct rewrite *copy_command(int argc, const struct str *argv) {
    size_t bytes = sizeof(struct rewrite) + (size_t)argc * sizeof(struct str);
    for (int i = 0; i < argc; i++) bytes += argv[i].n;
    struct rewrite *rw = malloc(bytes);
    ASSERT(rw);
    rw->next = NULL;
    rw->argc = argc;
    char *p = (char *)(rw->argv + argc);
    for (int i = 0; i < argc; i++) {
        memcpy(p, argv[i].p, argv[i].n);
        rw->argv[i] = (struct str){ p, argv[i].n };
        p += argv[i].n;
    }
    return rw;
}

void call_propagate(struct call *c, int argc, const struct str *argv) {
    if (!engine_propagates(c->eng)) return;
    struct rewrite **end = &c->rewritten;
    while (*end) end = &(*end)->next;
    *end = copy_command(argc, argv);
}

static size_t word_length(const char *p) {
    const char *space = strchr(p, ' ');
    return space ? (size_t)(space - p) : strlen(p);
}

/* Arguments that `format` makes at most. */
static size_t count_words(const struct call *c, const char *format) {
    size_t n = 1;
    for (const char *p = format; *p; p++) {
        n += *p == ' ';
        n += *p == '%' && p[1] == 'a' ? (size_t)c->argc : 0;
    }
    return n;
}

void call_propagatef(struct call *c, const char *format, ...) {
    if (!engine_propagates(c->eng)) return;
    size_t max = count_words(c, format);
    struct str *argv = malloc(max * sizeof *argv);
    char(*numbers)[24] = malloc(max * sizeof *numbers);
    ASSERT(argv && numbers);
    int argc = 0;
    va_list args;
    va_start(args, format);
    for (const char *p = format; *p;) {
        size_t n = word_length(p);
        if (n == 2 && !memcmp(p, "%b", 2)) {
            argv[argc++] = *va_arg(args, const struct str *);
        } else if (n == 2 && !memcmp(p, "%i", 2)) {
            size_t digits = i64_to_text(numbers[argc], va_arg(args, int64_t));
            argv[argc] = (struct str){ numbers[argc], digits };
            argc++;
        } else if (n == 2 && !memcmp(p, "%a", 2)) {
            for (int i = va_arg(args, int); i < c->argc; i++) argv[argc++] = c->argv[i];
        } else {
            argv[argc++] = (struct str){ p, n };
        }
        p += n + (p[n] == ' ');
    }
    va_end(args);
    call_propagate(c, argc, argv);
    free(numbers);
    free(argv);
}

static void send_rewritten(struct call *c) {
    bool several = c->rewritten->next;
    if (several) batch_begin(c->eng);
    for (struct rewrite *rw = c->rewritten; rw; rw = rw->next)
        engine_propagate(c->eng, c->db, rw->argc, rw->argv);
    if (several) batch_end(c->eng);
}

void call_flush_propagation(struct call *c) {
    if (c->rewritten && !c->quiet)
        send_rewritten(c);
    else if (c->dirty && !c->quiet)
        engine_propagate(c->eng, c->db, c->argc, c->argv);
    while (c->rewritten) {
        struct rewrite *next = c->rewritten->next;
        free(c->rewritten);
        c->rewritten = next;
    }
}
