/* remote_route.c - where a client's command is executed, and sending it there. */
#include "cmd/fieldset.h"
#include "net/access.h"
#include "net/block_retry.h"
#include "net/busy.h"
#include "net/cross.h"
#include "net/hub.h"
#include "net/multi.h"
#include "net/peek.h"
#include "net/reach.h"
#include "net/scan.h"
#include "net/stage.h"
#include "net/tracking.h"

#define BACKLOG_HIGH ((size_t)4 << 20) /* bytes queued to one worker: its askers wait */

uint64_t remote_open_slot(struct session *s) {
    struct reply *out = &s->eng->hub->reply;
    reply_settle(out);
    output_append(&s->out, out->p, out->n);
    out->n = 0;
    return output_open_slot(&s->out);
}

struct message remote_message(const struct session *s, enum message_kind kind,
                              const struct command_row *row) {
    /* Commands of modules need not have the same row everywhere. */
    bool by_name = !row || row->cmd.flags & CMD_INSIDE;
    return (struct message){ .kind = kind & 0x3f,
                             .resp = s->resp == 3 ? 3 : 2,
                             .flags = (s->flags & SESSION_NO_TOUCH ? MSG_NO_TOUCH : 0) |
                                      (tracking_reads(s) ? MSG_TRACKED : 0),
                             .row = (uint16_t)(by_name ? 0 : row->index + 1),
                             .db = s->db,
                             .value = access_is_free(s) ? 0 : access_number(s),
                             .client = s->tracking ? tracker_code(s->id, s->eng->worker) : 0 };
}

static enum remote_verdict forward(struct remote *r, struct session *s, int to,
                                   const struct command_row *row, int argc,
                                   const struct str *argv) {
    struct message m = remote_message(s, MSG_REQUEST, row);
    uint64_t slot = remote_open_slot(s);
    m.id = remote_expect(r, to, s, slot, NULL);
    if (row->cmd.flags & CMD_BLOCKING) {
        m.flags |= MSG_TICKET;
        m.value = claim_ticket(r->links->control);
        s->barrier = slot;
        s->blocked_at = to;
        s->blocked_id = m.id;
        block_count_session(r->eng, 1);
    }
    remote_send_command(r, to, &m, argc, argv);
    r->stats.requests_sent++;
    return REMOTE_SENT;
}

/* A command whose reply nobody waits for. */
static void send_along(struct remote *r, const struct session *s, int to, int argc,
                       const struct str *argv) {
    struct message m = remote_message(s, MSG_REQUEST, NULL);
    m.id = remote_expect(r, to, NULL, 0, NULL);
    remote_send_command(r, to, &m, argc, argv);
}

/* HIMPORT SET names a fieldset that only this connection has: it goes along, under a name that no
 * other worker lends. */
static enum remote_verdict forward_import(struct remote *r, struct session *s, int to,
                                          const struct command_row *row, int argc,
                                          const struct str *argv) {
    const struct fieldset *f = fieldset_find(s->fieldsets, argv[3]);
    if (!f) return forward(r, s, to, row, argc, argv);
    int words = argc > f->n + 3 ? argc : f->n + 3;
    size_t n = argv[3].n + 8;
    char *name = malloc(n);
    struct str *lent = malloc((size_t)words * sizeof *lent);
    ASSERT(name && lent);
    n = (size_t)snprintf(name, n, "%d:", r->self);
    memcpy(name + n, argv[3].p, argv[3].n);
    lent[0] = argv[0];
    lent[1] = STR("PREPARE");
    lent[2] = (struct str){ name, n + argv[3].n };
    memcpy(lent + 3, f->fields, (size_t)f->n * sizeof *lent);
    send_along(r, s, to, f->n + 3, lent);
    memcpy(lent, argv, (size_t)argc * sizeof *lent);
    lent[3] = (struct str){ name, n + argv[3].n };
    forward(r, s, to, row, argc, lent);
    lent[1] = STR("DISCARD");
    lent[2] = lent[3];
    send_along(r, s, to, 3, lent);
    free(lent);
    free(name);
    return REMOTE_SENT;
}

/* The one owner of all keys; -1: there are several. No keys belong here. */
static int owner_of(const struct remote *r, const struct command *cmd, int argc,
                    const struct str *argv) {
    struct key_at few[16], *keys = few;
    int n = command_keys(cmd, argc, argv, keys, 16), owner = r->self;
    if (n > 16) {
        keys = malloc((size_t)n * sizeof *keys);
        ASSERT(keys);
        command_keys(cmd, argc, argv, keys, n);
    }
    for (int i = 0; i < n; i++) {
        int w = key_owner(argv[keys[i].index], r->n);
        if (i > 0 && w != owner) {
            owner = -1;
            break;
        }
        owner = w;
    }
    if (keys != few) free(keys);
    return owner;
}

/* Bits of all who own keys of it, or may own some that it comes upon. */
static uint64_t owners_of(const struct remote *r, const struct command_row *row, int argc,
                          const struct str *argv) {
    const uint64_t everybody = UINT64_MAX >> (64 - r->n);
    if (spread_to_all(row->spread) || reach_is_wide(r, &row->cmd, argc, argv)) return everybody;
    int n = command_keys(&row->cmd, argc, argv, NULL, 0);
    struct key_at *keys = malloc(((size_t)n + 1) * sizeof *keys);
    uint64_t owners = 0;
    ASSERT(keys);
    command_keys(&row->cmd, argc, argv, keys, n);
    for (int i = 0; i < n; i++) owners |= UINT64_C(1) << key_owner(argv[keys[i].index], r->n);
    free(keys);
    return owners;
}

/* What others are going to log of the command is on disk only when their logs are: WAITAOF. */
static void note_loggers(const struct remote *r, struct session *s, const struct command_row *row,
                         int owner, int argc, const struct str *argv) {
    if (!(row->cmd.flags & (CMD_WRITE | CMD_MAY_REPLICATE | CMD_INSIDE))) return;
    s->unsynced |= owner >= 0 ? UINT64_C(1) << owner : owners_of(r, row, argc, argv);
}

/* Who is to execute it; -1: several workers together. */
static int owner_of_command(const struct remote *r, const struct command_row *row, int argc,
                            const struct str *argv) {
    if (row->only_key) return key_owner(argv[row->only_key], r->n);
    if (spread_to_all(row->spread)) return -1;
    int step = row->spread == SPREAD_NOT ? 1 : spread_step(&row->cmd);
    if ((argc - 1) % step) return r->self; /* MSET of half a pair: an error anywhere */
    return owner_of(r, &row->cmd, argc, argv);
}

static bool backed_up(const struct remote *r, int to) {
    return to >= 0 ? r->links->link[to].waiting > BACKLOG_HIGH : r->links->waiting > BACKLOG_HIGH;
}

static enum remote_verdict send_cross(struct remote *r, struct session *s,
                                      const struct command_row *row, int argc,
                                      const struct str *argv) {
    s->barrier = output_first_slot(&s->out); /* what the client has sent before comes before */
    if (s->barrier) return REMOTE_BARRED;
    if (row->cmd.flags & CMD_BLOCKING) return retry_begin(r, s, row, argc, argv);
    struct message m = remote_message(s, MSG_CROSS, row);
    s->barrier = remote_open_slot(s);
    cross_send(r, s, s->barrier, NULL, &m, &row->cmd, argc, argv);
    return REMOTE_SENT;
}

/* Whether the command may be begun while staged ones of its session are not committed. */
static bool may_follow(const struct remote *r, const struct session *s,
                       const struct command_row *row, int owner) {
    return owner < 0 && row->spread != SPREAD_NOT && stage_may_follow(r, s);
}

/* The worker (-1: none) runs a script for long, and the command is none that may come then. */
static bool is_busy(const struct remote *r, int worker, const struct command_row *row) {
    return worker >= 0 && UNLIKELY(busy_state(r, worker)) && !(row->cmd.flags & CMD_ALLOW_BUSY);
}

enum remote_verdict remote_route(struct remote *r, struct session *s, const struct command_row *row,
                                 int argc, const struct str *argv) {
    if (stage_any(r)) stage_apply(r);
    if (cross_held(r)) return is_busy(r, cross_holder(r), row) ? REMOTE_BUSY : REMOTE_WAIT;
    bool alone = row->spread == SPREAD_SESSION || row->spread == SPREAD_SCAN;
    if (UNLIKELY(s->chain != NULL) && alone) return REMOTE_BARRED;
    if (row->spread == SPREAD_SESSION) return multi_route(r, s, row, argc, argv);
    if (row->spread == SPREAD_SCAN) {
        scan_begin(r, s, row, argc, argv);
        return REMOTE_SENT;
    }
    int owner = owner_of_command(r, row, argc, argv);
    if (reach_is_wide(r, &row->cmd, argc, argv)) owner = -1;
    if (UNLIKELY(s->chain != NULL) && !may_follow(r, s, row, owner)) return REMOTE_BARRED;
    if (owner >= 0 && row->only_key) session_vote(s, owner);
    if (owner == r->self) return REMOTE_HERE;
    if (owner >= 0 && row->copied && peek_take(r, s, row, owner, argc, argv)) return REMOTE_COPIED;
    if (is_busy(r, owner, row)) return REMOTE_BUSY;
    if (backed_up(r, owner)) return remote_stall(r);
    note_loggers(r, s, row, owner, argc, argv);
    if (owner >= 0 && row->only_key == 2 && !strcmp(row->cmd.name, "HIMPORT|SET"))
        return forward_import(r, s, owner, row, argc, argv);
    /* Whoever may lose a right while waiting is asked again here each time. */
    bool watched = row->cmd.flags & CMD_BLOCKING && !access_is_free(s);
    if (owner >= 0 && !watched) return forward(r, s, owner, row, argc, argv);
    if (row->spread != SPREAD_NOT) {
        stage_begin(r, s, row, argc, argv);
        return REMOTE_SENT;
    }
    return send_cross(r, s, row, argc, argv);
}
