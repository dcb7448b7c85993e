/* stash.c - input that waits for its rest, in a buffer sized for the argument that is arriving. */
#include "net/feed.h"
#include "net/hub.h"

#define STASH_STEP ((size_t)16 * 1024)
#define BULK_STEP                                                                                  \
    ((size_t)1 << 20) /* a declared bulk length is believed this far ahead of its bytes */

void stash_drop(struct session *s) {
    if (!s->stash) return;
    resp_free(&s->stash->parser);
    free(s->stash->p);
    free(s->stash);
    s->stash = NULL;
}

/* How large the stash should be to go on reading: as large as the rest of the command if that is
 * known and near; otherwise by a part of itself larger, so that many small arguments are not copied
 * for each, with room for the argument that is arriving, whose declared length is not believed all
 * at once. */
static size_t stash_room(const struct resp_parser *parser, size_t have) {
    size_t wants = resp_wants(parser), step = STASH_STEP + have / 2;
    bool near = wants <= have + BULK_STEP;
    if (near && wants > have && resp_at_last(parser)) return wants;
    if (!near) return have + BULK_STEP + step;
    return wants > have + step ? wants : have + step;
}

static void stash_reserve(struct stash *st) {
    size_t have = st->n - st->start;
    size_t want = st->start + stash_room(&st->parser, have);
    size_t room = st->cap - st->n;
    if (st->cap >= want || (room >= STASH_STEP / 4 && room >= have / 4)) return;
    char *p = malloc(want);
    ASSERT(p);
    memcpy(p, st->p, st->n);
    resp_rebase(&st->parser, st->p + st->start, p + st->start);
    free(st->p);
    st->p = p;
    st->cap = want;
}

/* Keeps what is left of the feed in the session's own buffer. */
void stash_keep(struct session *s, struct feed *f) {
    size_t rest = f->n - f->start;
    struct stash *st = s->stash;
    if (!st) {
        st = calloc(1, sizeof *st);
        ASSERT(st);
        st->cap = stash_room(f->parser, rest);
        st->p = malloc(st->cap);
        ASSERT(st->p);
        memcpy(st->p, f->p + f->start, rest);
        resp_rebase(f->parser, f->p + f->start, st->p);
        st->parser = *f->parser;
        resp_init(f->parser);
        s->stash = st;
        st->n = rest;
        f->outcome |= FEED_BUFFER;
        return;
    }
    if (f->start > 0) {
        memmove(st->p, st->p + f->start, rest);
        resp_rebase(&st->parser, st->p + f->start, st->p);
    }
    st->start = 0;
    st->n = rest;
}

char *session_input(struct session *s, size_t *size) {
    if (!s->stash) {
        *size = HUB_INPUT_BYTES;
        return s->eng->hub->input;
    }
    stash_reserve(s->stash);
    *size = s->stash->cap - s->stash->n;
    return s->stash->p + s->stash->n;
}
