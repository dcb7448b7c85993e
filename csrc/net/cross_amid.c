/* cross_amid.c - what a script needs of the workers that its operation holds, waited for.
 *
 * A script cannot be put aside until an answer comes. So this is the one place where a worker waits
 * for others: for those that it holds, which execute nothing else, and AMID_WAIT_MS at most. What
 * comes in the rings meanwhile is handled as ever; being held itself, it executes no command of
 * theirs. Operations are executed between two messages only (cross_run_due), so that the rings can
 * be read.
 *
 * If a worker dies meanwhile, or is late, the operation is lost: the script runs no more commands,
 * and what was under way is brought to its end when the worker is back (net/cross.c).
 */
#include "db/batch.h"
#include "db/clock.h"
#include "net/cross_impl.h"
#include "net/scan.h"
#include "net/stage.h"
#include "net/turn.h"

#define AMID_WAIT_MS 5000u
#define DOZE_MS 50

/* What executing the operation has in use. */
struct aside {
    struct reply out;
    const struct acl_user *user;
    struct block_wish wish;
    uint64_t clock_ns;
    int asker, depth;
    bool again, partly;
};

static struct aside put_aside(struct remote *r) {
    struct aside a = { .out = r->out,
                       .user = r->eng->acting_user,
                       .wish = r->wish,
                       .clock_ns = r->clock_ns,
                       .asker = r->asker,
                       .depth = batch_suspend(r->eng),
                       .again = r->again,
                       .partly = r->partly };
    r->out = (struct reply){ .resp = 2 };
    r->asker = ASKER_NONE;
    return a;
}

static void take_up(struct remote *r, const struct aside *a) {
    free(r->out.p);
    r->out = a->out;
    r->eng->acting_user = a->user;
    r->wish = a->wish;
    r->clock_ns = a->clock_ns;
    r->asker = a->asker;
    r->again = a->again;
    r->partly = a->partly;
    batch_resume(r->eng, a->depth);
}

/* --- waiting --- */

static bool has_all(const struct cross *o) {
    return !o->shipping && !o->fetching && !(o->all && o->all->left);
}

/* Until all is there that was asked for. False: a worker has died, or is late. */
static bool await(struct remote *r, const struct cross *o) {
    uint64_t end_ns = clock_monotonic_ns() + AMID_WAIT_MS * UINT64_C(1000000);
    while (!has_all(o) && !remote_has_late(r) && clock_monotonic_ns() < end_ns) {
        if (r->eng->unlogged) turn_log(r->eng); /* or nothing that was sent may leave */
        links_wake(r->links);
        if (!remote_drain_amid(r)) links_doze(r->links, DOZE_MS);
        control_beat(r->links->control, r->self);
    }
    return has_all(o) && o->trouble == ST_OK;
}

/* The operation cannot go on. Writes why. */
static void lose(struct cross *o, struct reply *out) {
    o->lost = true;
    o->fetching = 0; /* nobody needs them any more */
    out->n = 0;
    if (o->trouble == ST_OK)
        reply_error(out, CROSS_LOST);
    else
        reply_status(out, o->trouble);
}

bool cross_is_lost(const struct remote *r) {
    return r->crossing->running && r->crossing->running->lost;
}

/* --- commands about all keys --- */

/* What has changed is with its owners, and nothing of theirs is here. */
static bool bring_home(struct remote *r, struct cross *o) {
    cross_ship_keys(r, o);
    if (!await(r, o)) return false;
    cross_drop_copies(r, o);
    return true;
}

static bool copy_again(struct remote *r, struct cross *o) {
    cross_copy_keys(r, o);
    return await(r, o);
}

/* Has those asked that are to run it; what is this worker's to do is done. */
static void ask(struct remote *r, struct cross *o) {
    if (!cross_send_run(r, o, o->amid, o->amid_to)) return;
    cross_run_part(r, &o->sent, o->amid->argc, o->amid->argv);
    gather_add(o->all, r->self, remote_part_reply(r));
}

static void begin(struct remote *r, struct cross *o, struct message *m,
                  const struct command_row *row) {
    uint64_t position;
    if (row->cmd.flags & CMD_WRITE && stage_position(r, &position)) m->value = position + 1;
    o->sent = *m;
    o->all = gather_new(NULL, row->spread);
    if (row->spread == SPREAD_ALL_RANDOM) remote_draw(r, o->all, m->db);
}

/* All have run it; of SCAN one after the other. False: a worker has died, or is late. */
static bool complete(struct remote *r, struct cross *o) {
    do {
        ask(r, o);
        if (!await(r, o)) return false;
    } while (scan_turns_to(r, o->all, &o->amid, &o->amid_to));
    return true;
}

static void forget(struct cross *o) {
    gather_delete(o->all);
    free(o->amid);
    o->all = NULL;
    o->amid = NULL;
}

static bool run(struct remote *r, struct cross *o, struct message *m, const struct command_row *row,
                struct reply *out) {
    bool about_keys = !(row->cmd.flags & CMD_PUBSUB);
    if (about_keys && !bring_home(r, o)) return false;
    begin(r, o, m, row);
    if (!complete(r, o)) return false;
    gather_merge(o->all, out);
    cross_count(r, o, o->all->whole ? o->all->whole : o->amid, out);
    forget(o);
    return !about_keys || copy_again(r, o);
}

bool cross_amid(struct remote *r, const struct command_row *row, int db, int argc,
                const struct str *argv, struct reply *out) {
    struct cross *o = r->crossing->running;
    struct message m = { .kind = MSG_RUN,
                         .resp = out->resp == 3 ? 3 : 2,
                         .row = (uint16_t)(row->index + 1),
                         .db = db,
                         .id = o->id,
                         .client = o->command->head.client };
    o->amid = kept_new(r->self, &m, argc, argv);
    o->amid_to = row->spread == SPREAD_SCAN ? UINT64_C(1) << scan_worker(r, argv[1])
                                            : UINT64_MAX >> (64 - r->n);
    struct aside aside = put_aside(r);
    bool done = run(r, o, &m, row, out);
    take_up(r, &aside);
    if (!done) lose(o, out);
    return done;
}

bool cross_amid_ran(struct remote *r, struct cross *o, int worker, struct part_reply reply) {
    if (!o->amid) return false;
    bool last = gather_add(o->all, worker, reply);
    if (!last || r->crossing->running == o) return true;
    forget(o); /* the script has long ended */
    if (!o->shipping) cross_settle(r, o);
    return true;
}

/* --- keys of a worker that is frozen --- */

status cross_amid_fetch(struct remote *r, int owner, int db, struct str name) {
    struct cross *o = r->crossing->running;
    struct message m = { .kind = MSG_FETCH, .id = o->id };
    const struct carried key = { .db = db, .name = name };
    if (o->lost) return ST_AWAY_KEY;
    struct aside aside = put_aside(r);
    o->fetching = UINT64_C(1) << owner;
    carry_send(r, owner, &m, 1, &key, (struct str){ NULL, 0 });
    bool done = await(r, o);
    take_up(r, &aside);
    if (done) return ST_OK;
    o->lost = true;
    o->fetching = 0;
    return o->trouble == ST_OK ? ST_AWAY_KEY : o->trouble;
}
