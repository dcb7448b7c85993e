/* array_cell.h - one element of an array in eight bytes.
 *
 *   0                  nothing is here
 *   ref      << 2 | 0  a block {uint32_t length, bytes}
 *   integer  << 2 | 1  canonical text of an integer of 62 bits
 *   double       | 2   canonical text of a double whose two low bits are 0 (0.5, -12.0)
 *   bytes | length << 2 | 3   at most 7 bytes, behind the first of the eight
 *
 * Which of the forms a string takes follows from its bytes alone; files name the same four.
 *
 * Owns      the block of a long string.
 * Fails     ST_ARENA_FULL from array_cell_make, nothing allocated.
 */
#ifndef SHMREDIS_ARRAY_CELL_H
#define SHMREDIS_ARRAY_CELL_H

#include "mem/heap.h"

typedef uint64_t array_cell;

enum array_form { CELL_REF, CELL_INTEGER, CELL_DOUBLE, CELL_SHORT };
#define CELL_SHORT_MAX 7u
#define CELL_TEXT 64u /* room that array_cell_text needs */

static inline enum array_form array_cell_form(array_cell c) {
    return (enum array_form)(c & 3);
}
static inline ref_t array_cell_ref(array_cell c) {
    return (ref_t)(c >> 2);
}
static inline int64_t array_cell_integer(array_cell c) {
    return (int64_t)c >> 2;
}
static inline double array_cell_double(array_cell c) {
    uint64_t bits = c & ~(uint64_t)3;
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

status array_cell_make(struct arena *a, struct str s, array_cell *out);
/* Frees what the cell refers to, if anything. */
void array_cell_drop(struct arena *a, array_cell c);
/* The string of a cell that is not empty: in `buf`, or in the arena. */
struct str array_cell_text(const struct arena *a, array_cell c, char buf[CELL_TEXT]);
/* The text of a double as cells have it: 12.0, 0.5, 1e+300. */
size_t array_double_text(char buf[CELL_TEXT], double v);
void array_cell_check(const struct arena *a, array_cell c);

#endif
