/* order.c - quicksort that leaves out what nobody asked for. */
#include "ds/order.h"

#define SHORT 16u /* runs that insertion sorts faster */

struct order {
    struct ordered *items;
    size_t first, end;
    order_tie_fn tie;
    void *ctx;
};

static inline bool is_before(const struct order *o, const struct ordered *a,
                             const struct ordered *b) {
    if (a->by != b->by) return a->by < b->by;
    int tie = o->tie ? o->tie(a->index, b->index, o->ctx) : 0;
    return tie ? tie < 0 : a->index < b->index;
}

static inline void swap(struct ordered *a, struct ordered *b) {
    struct ordered t = *a;
    *a = *b;
    *b = t;
}

/* [low, high) */
static void insertion(const struct order *o, size_t low, size_t high) {
    for (size_t i = low + 1; i < high; i++) {
        struct ordered item = o->items[i];
        size_t at = i;
        for (; at > low && is_before(o, &item, &o->items[at - 1]); at--)
            o->items[at] = o->items[at - 1];
        o->items[at] = item;
    }
}

/* --- heap, for runs that are not divided well --- */

static void sift(const struct order *o, struct ordered *heap, size_t at, size_t n) {
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_before(o, &heap[child], &heap[child + 1])) child++;
        if (!is_before(o, &heap[at], &heap[child])) return;
        swap(&heap[at], &heap[child]);
    }
}

static void heap_sort(const struct order *o, size_t low, size_t high) {
    struct ordered *heap = o->items + low;
    size_t n = high - low;
    for (size_t i = n / 2; i-- > 0;) sift(o, heap, i, n);
    for (size_t last = n; last-- > 1;) {
        swap(&heap[0], &heap[last]);
        sift(o, heap, 0, last);
    }
}

/* --- quicksort --- */

/* Puts the middle one of three into the first place. */
static void choose_pivot(const struct order *o, size_t low, size_t high) {
    struct ordered *a = &o->items[low], *b = &o->items[low + (high - low) / 2],
                   *c = &o->items[high - 1];
    if (is_before(o, b, a)) swap(a, b);
    if (is_before(o, c, b)) swap(b, c);
    if (is_before(o, b, a)) swap(a, b);
    swap(a, b);
}

/* No two items are equal, so the pivot has one place; it is returned. */
static size_t divide(const struct order *o, size_t low, size_t high) {
    choose_pivot(o, low, high);
    struct ordered pivot = o->items[low];
    size_t i = low + 1, j = high - 1;
    for (;;) {
        while (i <= j && is_before(o, &o->items[i], &pivot)) i++;
        while (i <= j && is_before(o, &pivot, &o->items[j])) j--;
        if (i >= j) break;
        swap(&o->items[i++], &o->items[j--]);
    }
    swap(&o->items[low], &o->items[j]);
    return j;
}

static void quicksort(const struct order *o, size_t low, size_t high, unsigned depth) {
    while (high - low > SHORT && low < o->end && high > o->first) {
        if (!depth--) {
            heap_sort(o, low, high);
            return;
        }
        size_t middle = divide(o, low, high);
        if (middle - low < high - middle) {
            quicksort(o, low, middle, depth);
            low = middle + 1;
        } else {
            quicksort(o, middle + 1, high, depth);
            high = middle;
        }
    }
    if (low < o->end && high > o->first && high > low) insertion(o, low, high);
}

void order_part(struct ordered *items, size_t n, size_t first, size_t end, order_tie_fn tie,
                void *ctx) {
    struct order o = { .items = items, .first = first, .end = end, .tie = tie, .ctx = ctx };
    unsigned depth = 8;
    for (size_t m = n; m > 1; m /= 2) depth += 2;
    if (n > 1 && first < end) quicksort(&o, 0, n, depth);
}
