/* behind.c - finding the client behind a command; its slow commands that others execute. */
#include "net/behind.h"

#include "net/block_retry.h"

/* NULL: it is gone. */
static const struct session *find(struct remote *r, const struct behind *b) {
    if (b->waits) return retry_session(r, b->id);
    const struct pending *p = pending_find(r, b->id);
    if (!p) return NULL;
    return p->gather ? p->gather->session : p->session;
}

bool behind_tell(struct remote *r, struct slow_command *c) {
    const struct behind b = r->behind;
    if (b.worker == ASKER_NONE) return false;
    if (b.worker == r->self) {
        const struct session *s = find(r, &b);
        if (s) session_describe(s, &c->addr, &c->name);
        return false;
    }
    struct message m = { .kind = MSG_SLOW, .id = b.id, .flags = b.waits ? MSG_TICKET : 0 };
    struct str entry = slowlog_pack(r->eng, c);
    remote_send(r, b.worker, &m, entry);
    free((char *)(uintptr_t)entry.p);
    return true;
}

void behind_receive(struct remote *r, const struct message *m, struct str body) {
    const struct behind b = { .worker = r->self, .id = m->id, .waits = m->flags & MSG_TICKET };
    const struct session *s = find(r, &b);
    struct str addr = { NULL, 0 }, name = addr;
    if (s) session_describe(s, &addr, &name);
    slowlog_add_packed(r->eng, body, addr, name);
}
