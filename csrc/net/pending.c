/* pending.c - the table of replies that are awaited from other workers. */
#include "net/remote.h"
#include "net/stage.h"

static struct pending *new_pending(struct remote *r, uint32_t *index) {
    if (!r->free_pending) {
        uint32_t old = r->pendings, now = old ? old * 2 : 64;
        struct pending *grown = malloc(now * sizeof *grown);
        ASSERT(grown);
        for (uint32_t i = 0; i < now; i++) {
            grown[i] = i < old ? r->pending[i] : (struct pending){ .slot = i + 2 };
            if (i >= old) grown[i].generation = r->links->epoch << 16;
        }
        grown[now - 1].slot = 0;
        for (uint32_t i = 0; i < old; i++) { /* the sessions' lists move along */
            struct pending *p = &grown[i];
            if (!p->used || !p->session) continue;
            if (p->prev) p->prev = grown + (p->prev - r->pending);
            if (p->next) p->next = grown + (p->next - r->pending);
            if (!p->prev) p->session->pendings = p;
        }
        free(r->pending);
        r->pending = grown;
        r->pendings = now;
        r->free_pending = old + 1;
    }
    *index = r->free_pending - 1;
    struct pending *p = &r->pending[*index];
    r->free_pending = (uint32_t)p->slot;
    return p;
}

static bool is_silent(const struct session *s) {
    return s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
}

uint64_t remote_expect(struct remote *r, int worker, struct session *s, uint64_t slot,
                       struct gather *g) {
    uint32_t index;
    struct pending *p = new_pending(r, &index);
    *p = (struct pending){ .session = s,
                           .slot = slot,
                           .gather = g,
                           .generation = p->generation + 1,
                           .worker = worker,
                           .message = links_sent(r->links, worker) + 1,
                           .silent = s && is_silent(s),
                           .used = true };
    if (s) {
        p->next = s->pendings;
        if (p->next) p->next->prev = p;
        s->pendings = p;
    }
    return (uint64_t)p->generation << 32 | index;
}

static void unlink_pending(struct pending *p) {
    if (p->prev) p->prev->next = p->next;
    if (p->next) p->next->prev = p->prev;
    if (p->session && p->session->pendings == p) p->session->pendings = p->next;
    p->prev = p->next = NULL;
    p->session = NULL;
}

struct pending *pending_find(struct remote *r, uint64_t id) {
    uint32_t index = (uint32_t)id;
    if (index >= r->pendings) return NULL;
    struct pending *p = &r->pending[index];
    return p->used && p->generation == (uint32_t)(id >> 32) ? p : NULL;
}

void pending_free(struct remote *r, struct pending *p) {
    unlink_pending(p);
    p->used = false;
    p->slot = r->free_pending;
    r->free_pending = (uint32_t)(p - r->pending) + 1;
}

void remote_cancel(struct remote *r, const struct gather *g) {
    for (uint32_t i = 0; i < r->pendings; i++)
        if (r->pending[i].used && r->pending[i].gather == g) pending_free(r, &r->pending[i]);
}

bool remote_part_lost(const struct remote *r, const struct gather *g, int worker, uint64_t taken) {
    for (uint32_t i = 0; i < r->pendings; i++) {
        const struct pending *p = &r->pending[i];
        if (p->used && p->gather == g && p->worker == worker) return p->message <= taken;
    }
    return false;
}

void remote_forget_session(struct session *s) {
    if (s->chain) stage_forget_session(s);
    while (s->pendings) {
        if (s->pendings->gather) s->pendings->gather->session = NULL;
        unlink_pending(s->pendings);
    }
}
