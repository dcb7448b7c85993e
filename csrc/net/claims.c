/* claims.c - tickets, and the words of those who wait for keys of several workers. */
#include "net/claims.h"

#include "net/control.h"

#define TICKET_SHIFT 16
#define WORKER_SHIFT 8
#define WORKER_MASK 0xffu
#define STATE_SHIFT 6
#define STATE_MASK UINT64_C(0xff) /* with the taker */
#define TAKER_MASK 0x3fu
static_assert(WORKERS_MAX <= TAKER_MASK + 1, "a taker fits");

static _Atomic uint64_t *word_of(struct control *c, uint64_t ticket) {
    return &c->claims.word[ticket % CLAIMS];
}

static uint64_t state_bits(enum claim_state state, int taker) {
    return (uint64_t)state << STATE_SHIFT | (uint64_t)taker;
}

uint64_t claim_ticket(struct control *c) {
    return atomic_fetch_add(&c->claims.tickets, 1) + 1;
}

uint64_t claim_new(struct control *c, int worker) {
    for (uint32_t tries = 0; tries < CLAIMS; tries++) {
        uint64_t ticket = claim_ticket(c), vacant = 0;
        uint64_t word = ticket << TICKET_SHIFT | (uint64_t)worker << WORKER_SHIFT |
                        state_bits(CLAIM_EXECUTING, 0);
        if (atomic_compare_exchange_strong(word_of(c, ticket), &vacant, word)) return ticket;
    }
    return 0;
}

enum claim_state claim_state(const struct control *c, uint64_t ticket, int *taker) {
    uint64_t word = atomic_load(&c->claims.word[ticket % CLAIMS]);
    *taker = (int)(word & TAKER_MASK);
    if (word >> TICKET_SHIFT != ticket) return CLAIM_OVER;
    return (enum claim_state)((word & STATE_MASK) >> STATE_SHIFT);
}

static bool step(struct control *c, uint64_t ticket, uint64_t from, uint64_t to) {
    _Atomic uint64_t *place = word_of(c, ticket);
    uint64_t word = atomic_load(place);
    if (word >> TICKET_SHIFT != ticket || (word & STATE_MASK) != from) return false;
    return atomic_compare_exchange_strong(place, &word, (word & ~STATE_MASK) | to);
}

bool claim_wait(struct control *c, uint64_t ticket) {
    return step(c, ticket, state_bits(CLAIM_EXECUTING, 0), state_bits(CLAIM_OPEN, 0));
}

bool claim_again(struct control *c, uint64_t ticket) {
    return step(c, ticket, state_bits(CLAIM_OPEN, 0), state_bits(CLAIM_EXECUTING, 0));
}

bool claim_take(struct control *c, uint64_t ticket, int taker) {
    return step(c, ticket, state_bits(CLAIM_OPEN, 0), state_bits(CLAIM_TAKEN, taker));
}

bool claim_return(struct control *c, uint64_t ticket, int taker) {
    return step(c, ticket, state_bits(CLAIM_TAKEN, taker), state_bits(CLAIM_OPEN, 0));
}

bool claim_serve(struct control *c, uint64_t ticket, int taker) {
    return step(c, ticket, state_bits(CLAIM_TAKEN, taker), state_bits(CLAIM_SERVED, taker));
}

bool claim_end(struct control *c, uint64_t ticket) {
    _Atomic uint64_t *place = word_of(c, ticket);
    uint64_t word = atomic_load(place);
    uint64_t state = word & STATE_MASK;
    if (word >> TICKET_SHIFT != ticket) return true;
    if (state != state_bits(CLAIM_OPEN, 0) && state != state_bits(CLAIM_EXECUTING, 0)) return false;
    return atomic_compare_exchange_strong(place, &word, 0);
}

void claim_free(struct control *c, uint64_t ticket) {
    _Atomic uint64_t *place = word_of(c, ticket);
    uint64_t word = atomic_load(place);
    while (word >> TICKET_SHIFT == ticket && !atomic_compare_exchange_weak(place, &word, 0)) {
    }
}

void claims_forget(struct control *c, int worker) {
    for (uint32_t i = 0; i < CLAIMS; i++) {
        uint64_t word = atomic_load(&c->claims.word[i]);
        bool own = word && (int)(word >> WORKER_SHIFT & WORKER_MASK) == worker;
        if (own) claim_free(c, word >> TICKET_SHIFT);
    }
}
