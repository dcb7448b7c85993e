/* claims.h - clients that wait for keys: in which order they came, and who serves which.
 *
 * Each waiting client has a ticket. Tickets grow in the order in which clients begin to wait,
 * whichever workers they are connected to, and so queues of clients (net/block.h) are in the order
 * of arrival although messages overtake each other.
 *
 * Who waits for keys of several workers stands in queues of all of them, and has a word in control
 * memory. Whoever has something for it takes the word by compare-and-swap, so that one worker
 * serves it and no other.
 *
 *   claim_new ──► EXECUTING ──claim_wait──► OPEN ──claim_take──► TAKEN ──claim_serve──► SERVED
 *                     ▲───────claim_again────┘▲────claim_return────┘
 *
 *   word   ticket: 48 bits | the client's worker: 8 | state: 2, who has taken it: 6     0: free
 *
 * Writers   the client's worker makes a word, executes the command again, and frees the word; the
 *           executor of its command (under holds) lets it wait; owners of its keys take it.
 * Crash     the next life of the client's worker frees its words (claims_forget); of a word that
 *           was taken by a worker that has died, the client's worker knows what it means.
 */
#ifndef SHMREDIS_CLAIMS_H
#define SHMREDIS_CLAIMS_H

#include <stdatomic.h>

#include "mem/bytes.h"

#define CLAIMS 32768u /* so many clients can wait for keys of several workers */

struct control;
struct claims {
    _Atomic uint64_t tickets; /* given out so far */
    _Atomic uint64_t word[CLAIMS];
};

enum claim_state { CLAIM_EXECUTING, CLAIM_OPEN, CLAIM_TAKEN, CLAIM_SERVED, CLAIM_OVER };

/* The next ticket, never 0. */
uint64_t claim_ticket(struct control *c);
/* The same with a word, for a client of that worker; 0: all words are in use. */
uint64_t claim_new(struct control *c, int worker);
/* How far the client with the ticket is; *taker: who has taken it, or serves it. */
enum claim_state claim_state(const struct control *c, uint64_t ticket, int *taker);
/* Steps from one state to the next: false if it was in another one. */
bool claim_wait(struct control *c, uint64_t ticket);
bool claim_again(struct control *c, uint64_t ticket);
bool claim_take(struct control *c, uint64_t ticket, int taker);
bool claim_return(struct control *c, uint64_t ticket, int taker);
bool claim_serve(struct control *c, uint64_t ticket, int taker);
/* It waits no longer; false: somebody serves it just now. */
bool claim_end(struct control *c, uint64_t ticket);
/* Whatever the state. */
void claim_free(struct control *c, uint64_t ticket);
/* The worker begins a new life: nobody waits there. */
void claims_forget(struct control *c, int worker);

#endif
