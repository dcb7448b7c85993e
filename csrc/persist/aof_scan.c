/* aof_scan.c - looking through an append-only file for what is no ordinary command (core_files.h):
 * for the tool that checks files, and for commands of several workers whose parts are not all
 * there.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include "core_files.h"
#include "persist/aof_read.h"

struct aof_scan {
    struct aof_reader reader;
};

struct aof_scan *aof_scan_new(int fd, uint64_t offset, uint64_t lines) {
    struct stat file;
    if (fstat(fd, &file) || offset > (uint64_t)file.st_size) return NULL;
    size_t n = (size_t)file.st_size;
    char *p = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (p == MAP_FAILED) return NULL;
    if (n) madvise(p, n, MADV_SEQUENTIAL);
    struct aof_scan *s = calloc(1, sizeof *s);
    ASSERT(s);
    aof_reader_init(&s->reader, p, n, (size_t)offset);
    s->reader.lines = lines;
    return s;
}

void aof_scan_delete(struct aof_scan *s) {
    if (!s) return;
    if (s->reader.n) munmap((void *)(uintptr_t)s->reader.p, s->reader.n);
    aof_reader_free(&s->reader);
    free(s);
}

static int kind_of(const struct aof_reader *r, enum aof_item item) {
    if (item != AOF_COMMAND) return (int)item + SCAN_LINE - AOF_LINE;
    if (r->argc < 1) return SCAN_COMMAND;
    if (str_is(r->argv[0], "MULTI")) return SCAN_MULTI;
    return str_is(r->argv[0], "EXEC") ? SCAN_EXEC : SCAN_COMMAND;
}

int aof_scan_next(struct aof_scan *s, struct scan_info *out) {
    struct aof_reader *r = &s->reader;
    int kind;
    do {
        kind = kind_of(r, aof_next(r));
    } while (kind == SCAN_COMMAND);
    *out = (struct scan_info){
        .start = r->start, .end = r->at, .lines = r->lines, .string_at = r->string_at
    };
    bool failed = kind == SCAN_TORN || kind == SCAN_BAD;
    if (failed) out->end = r->why_at;
    struct str text = failed              ? (struct str){ r->why, strlen(r->why) }
                      : kind == SCAN_LINE ? r->argv[0]
                                          : (struct str){ "", 0 };
    snprintf(out->text, sizeof out->text, "%.*s", (int)text.n, text.p);
    return kind;
}
