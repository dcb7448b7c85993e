/* scan.c - where a call of SCAN begins, and whether and how it goes on at the next worker. */
#include "net/scan.h"

int scan_worker(const struct remote *r, struct str cursor) {
    uint64_t at = 0;
    for (size_t i = 0; i < cursor.n && i < 20; i++)
        at = cursor.p[i] >= '0' && cursor.p[i] <= '9' ? at * 10 + (uint64_t)(cursor.p[i] - '0') : 0;
    uint64_t worker = at >> 32;
    return worker < (uint64_t)r->n ? (int)worker : r->self;
}

/* --- whether it goes on --- */

/* How many elements the call is to look for; its options are valid, a worker has replied. */
static int64_t asked_for(const struct kept *whole) {
    int64_t count = 10;
    for (int i = 2; i + 1 < whole->argc; i += 2)
        if (str_is(whole->argv[i], "COUNT")) str_to_i64(whole->argv[i + 1], &count);
    return count;
}

/* As far as is known; they tell now and then. */
static bool seems_empty(const struct remote *r, int worker, int db) {
    const struct control_worker *w = &r->links->control->worker[worker];
    return db < CONTROL_DATABASES && !atomic_load_explicit(&w->keys[db], memory_order_relaxed);
}

/* What the call leaves for the next worker to find; 0: it ends here. A worker without keys is
 * looked at in any case, so that a call which has found everything can say so. */
static int64_t room_for(const struct remote *r, const struct gather *g, const struct kept *whole,
                        int *next) {
    struct scan_page page;
    if (!gather_page(g, &page)) return 0;
    *next = (int)(page.cursor >> 32);
    bool passed_on = *next > page.worker && *next < r->n && !(page.cursor & UINT32_MAX);
    if (!passed_on) return 0;
    int64_t room = asked_for(whole) - page.found;
    if (room > 0) return room;
    return seems_empty(r, *next, whole->head.db) ? 1 : 0;
}

/* The call as the next worker gets it: from its beginning, for as many as there is room for. */
static struct kept *command_for(const struct kept *whole, int next, int64_t room) {
    char cursor[24], count[24];
    struct str *argv = malloc(((size_t)whole->argc + 2) * sizeof *argv);
    ASSERT(argv);
    memcpy(argv, whole->argv, (size_t)whole->argc * sizeof *argv);
    int n = snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)next << 32);
    argv[1] = (struct str){ cursor, (size_t)n };
    argv[whole->argc] = STR("COUNT"); /* the last one counts */
    n = snprintf(count, sizeof count, "%lld", (long long)room);
    argv[whole->argc + 1] = (struct str){ count, (size_t)n };
    struct kept *k = kept_new(whole->from, &whole->head, whole->argc + 2, argv);
    free(argv);
    return k;
}

/* --- a client's call --- */

static void ask(struct remote *r, struct gather *g, int to, int argc, struct str *argv) {
    struct message m = g->whole->head;
    m.kind = MSG_PART;
    m.id = remote_expect(r, to, g->session, g->slot, g);
    g->left = 1;
    if (to == r->self) {
        remote_request(r, to, &m, argc, argv);
        return;
    }
    remote_send_command(r, to, &m, argc, argv);
    r->stats.requests_sent++;
}

void scan_begin(struct remote *r, struct session *s, const struct command_row *row, int argc,
                const struct str *argv) {
    struct message whole = remote_message(s, MSG_PART, row);
    struct gather *g = gather_new(s, SPREAD_SCAN);
    whole.value = 0; /* no rights are looked at any more */
    uint64_t slot = g->slot = remote_open_slot(s);
    g->silent = s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    g->whole = kept_new(r->self, &whole, argc, argv);
    ask(r, g, scan_worker(r, argv[1]), argc, g->whole->argv);
    if (s->pendings && s->pendings->slot == slot) s->barrier = slot;
}

bool scan_goes_on(struct remote *r, struct gather *g) {
    int next;
    int64_t room = g->whole && g->session ? room_for(r, g, g->whole, &next) : 0;
    if (!room) return false;
    struct kept *k = command_for(g->whole, next, room);
    ask(r, g, next, k->argc, k->argv);
    free(k);
    return true;
}

/* --- under holds --- */

bool scan_turns_to(const struct remote *r, struct gather *g, struct kept **command, uint64_t *to) {
    const struct kept *whole = g->whole ? g->whole : *command;
    int next;
    int64_t room = g->how == SPREAD_SCAN ? room_for(r, g, whole, &next) : 0;
    if (!room) return false;
    struct kept *k = command_for(whole, next, room);
    if (g->whole)
        free(*command);
    else
        g->whole = *command;
    *command = k;
    *to = UINT64_C(1) << next;
    return true;
}
