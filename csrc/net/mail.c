/* mail.c - what workers' Python sides write to each other. */
#include "core_workers.h"
#include "net/remote.h"

struct mail {
    struct mail *next;
    int from, kind;
    uint64_t id;
    size_t n;
    char bytes[];
};

void remote_take_mail(struct remote *r, int from, const struct message *m, struct str body) {
    struct mail *mail = malloc(sizeof *mail + body.n);
    ASSERT(mail);
    *mail = (struct mail){ .from = from, .kind = (int)m->value, .id = m->id, .n = body.n };
    memcpy(mail->bytes, body.p, body.n);
    if (r->mail)
        r->last_mail->next = mail;
    else
        r->mail = mail;
    r->last_mail = mail;
}

void remote_note_mail(struct remote *r, int kind, uint64_t id) {
    struct message m = { .id = id, .value = (uint64_t)kind };
    remote_take_mail(r, r->self, &m, (struct str){ "", 0 });
    remote_wake_self(r);
}

void engine_post(struct engine *eng, int worker, uint64_t id, int kind, const char *p, size_t n) {
    struct remote *r = eng->remote;
    struct message m = { .kind = MSG_MAIL, .id = id, .value = (uint64_t)kind };
    remote_send(r, worker, &m, (struct str){ p, n });
    links_wake(r->links);
}

const char *engine_next_mail(struct engine *eng, int *worker, uint64_t *id, int *kind, size_t *n) {
    struct remote *r = eng->remote;
    free(r->read_mail);
    struct mail *mail = r->read_mail = r->mail;
    if (!mail) return NULL;
    r->mail = mail->next;
    *worker = mail->from;
    *id = mail->id;
    *kind = mail->kind;
    *n = mail->n;
    return mail->bytes;
}

void remote_drop_mail(struct remote *r) {
    for (struct mail *m; (m = r->mail);) {
        r->mail = m->next;
        free(m);
    }
    free(r->read_mail);
}
