/* tracking_send.c - messages to clients that track: pushes, redirected ones, broken redirections.
 */
#include "net/remote.h"
#include "net/tracking_impl.h"

/* "invalidate" as a push of RESP3, or a message of a channel for a client of RESP2. */
static void compose(struct reply *m, int resp, const struct str *keys, size_t n) {
    m->n = 0;
    m->resp = resp;
    if (resp == 3) {
        reply_push(m, 2);
        reply_cstr(m, "invalidate");
    } else {
        reply_array(m, 3);
        reply_cstr(m, "message");
        reply_cstr(m, "__redis__:invalidate");
    }
    if (!n) {
        reply_null(m);
        return;
    }
    reply_array(m, n);
    for (size_t i = 0; i < n; i++) reply_bulk(m, keys[i]);
}

/* To a session that speaks RESP3, or that is told of others' keys while it is subscribed. */
static void push(struct session *s, bool redirected, const struct str *keys, size_t n) {
    struct reply *m = &s->eng->tracks->message;
    if (s->resp != 3 && !(redirected && s->subscriber)) return;
    compose(m, s->resp == 3 ? 3 : 2, keys, n);
    if (n)
        session_push(s, m->p, m->n);
    else
        session_push_first(s, m->p, m->n);
}

/* The client that should have been told is gone. */
static void note_broken(struct session *s) {
    struct reply *m = &s->eng->tracks->message;
    s->tracking->flags |= TRACKING_BROKEN;
    if (s->resp != 3) return;
    m->n = 0;
    m->resp = 3;
    reply_push(m, 2);
    reply_cstr(m, "tracking-redir-broken");
    reply_int(m, (int64_t)s->tracking->redirect);
    session_push(s, m->p, m->n);
}

static void redirect(struct session *s, const struct str *keys, size_t n) {
    struct engine *eng = s->eng;
    const struct tracking *t = s->tracking;
    struct message m = { .kind = MSG_REDIRECTED, .client = t->redirect, .value = s->id };
    if (t->redirect_worker != eng->worker) {
        remote_send_command(eng->remote, t->redirect_worker, &m, (int)n, keys);
        return;
    }
    const struct participant *to = tracks_find(eng, t->redirect);
    if (to)
        push(to->session, true, keys, n);
    else
        note_broken(s);
}

void tracking_tell(struct session *s, const struct str *keys, size_t n) {
    if (s->tracking->redirect)
        redirect(s, keys, n);
    else
        push(s, false, keys, n);
}

void tracking_invalidate(struct engine *eng, uint64_t client, uint64_t writer,
                         const struct str *keys, size_t n) {
    const struct participant *p = tracks_find(eng, client);
    if (!p || !p->session->tracking) return;
    uint32_t flags = p->session->tracking->flags;
    if (flags & TRACKING_BCAST || (flags & TRACKING_NOLOOP && writer == client)) return;
    tracking_tell(p->session, keys, n);
}

static int audience_of(const struct session *s) {
    if (!s->tracking) return 0;
    return s->tracking->flags & TRACKING_BCAST ? BROAD : READERS;
}

void tracking_tell_all(struct engine *eng, int audience) {
    const struct keytable *t = &eng->tracks->participants;
    for (size_t i = 0; i < t->buckets && t->n; i++)
        for (const struct key_node *k = t->bucket[i]; k; k = k->next) {
            struct session *s = ((const struct participant *)k)->session;
            if (audience_of(s) & audience) tracking_tell(s, NULL, 0);
        }
}

/* --- other workers --- */

void tracking_receive_redirected(struct engine *eng, int from, const struct message *m, int argc,
                                 const struct str *argv) {
    const struct participant *to = tracks_find(eng, m->client);
    struct message broken = { .kind = MSG_BROKEN, .client = m->value, .value = m->client };
    if (to)
        push(to->session, true, argv, (size_t)argc);
    else
        remote_send(eng->remote, from, &broken, (struct str){ NULL, 0 });
}

void tracking_receive_broken(struct engine *eng, const struct message *m) {
    const struct participant *p = tracks_find(eng, m->client);
    if (p && p->session->tracking && p->session->tracking->redirect == m->value)
        note_broken(p->session);
}
