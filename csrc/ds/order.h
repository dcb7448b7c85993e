/* order.h - the part of an order that somebody wants: of n items those of the ranks [first, end).
 *
 * Owns nothing. O(n) for a few ranks, O(n log n) for all, whatever the input (a heap takes over
 * where quicksort does badly). Never fails.
 */
#ifndef SHMREDIS_ORDER_H
#define SHMREDIS_ORDER_H

#include "mem/bytes.h"

/* An item stands for something of the caller's; NaN is not allowed. */
struct ordered {
    double by;
    size_t index;
};
/* The order of two whose `by` are equal: <0, 0 or >0. NULL: that of their indices. */
typedef int (*order_tie_fn)(size_t a, size_t b, void *ctx);

/* Ascending; items of equal `by` without a tie, or with one of 0, in the order of their indices. */
void order_part(struct ordered *items, size_t n, size_t first, size_t end, order_tie_fn tie,
                void *ctx);

#endif
