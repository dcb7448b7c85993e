/* propagate.c - rewritten commands of a call. */
#include "cmd/propagate.h"

#include <stdarg.h>

#include "db/batch.h"

void call_propagate(struct call *c, int argc, const struct str *argv) {
    if (!engine_propagates(c->eng)) return;
    struct kept_command **end = &c->rewritten;
    while (*end) end = &(*end)->next;
    *end = kept_command_new(c->db, argc, argv);
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
    for (struct kept_command *rw = c->rewritten; rw; rw = rw->next)
        engine_propagate(c->eng, rw->db, rw->argc, rw->argv);
    if (several) batch_end(c->eng);
}

void call_flush_propagation(struct call *c) {
    if (c->rewritten && !c->quiet)
        send_rewritten(c);
    else if (c->dirty && !c->quiet)
        engine_propagate(c->eng, c->db, c->argc, c->argv);
    while (c->rewritten) {
        struct kept_command *next = c->rewritten->next;
        free(c->rewritten);
        c->rewritten = next;
    }
}
