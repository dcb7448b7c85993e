/* message.c - commands kept for later. */
#include "net/message.h"

size_t kept_bytes(int argc, const struct str *argv) {
    return sizeof(struct kept) + (size_t)argc * sizeof *argv + words_bytes(argc, argv);
}

struct kept *kept_put(void *place, int from, const struct message *head, int argc,
                      const struct str *argv) {
    struct kept *k = place;
    *k = (struct kept){ .head = *head, .from = from, .argc = argc };
    words_copy(k->argv, (char *)(k->argv + argc), argc, argv);
    return k;
}

struct kept *kept_new(int from, const struct message *head, int argc, const struct str *argv) {
    void *place = malloc(kept_bytes(argc, argv));
    ASSERT(place);
    return kept_put(place, from, head, argc, argv);
}

struct kept *kept_copy(const struct kept *other) {
    const size_t bytes = kept_bytes(other->argc, other->argv);
    struct kept *k = malloc(bytes);
    ASSERT(k);
    memcpy(k, other, bytes);
    k->next = NULL;
    const char *p = (char *)(k->argv + k->argc); /* where its argv points is the other's */
    for (int i = 0; i < k->argc; p += k->argv[i++].n) k->argv[i].p = p;
    return k;
}

void kept_append(struct kept_list *l, struct kept *k) {
    k->next = NULL;
    if (l->first)
        l->last->next = k;
    else
        l->first = k;
    l->last = k;
}

struct kept *kept_take(struct kept_list *l) {
    struct kept *k = l->first;
    if (k) l->first = k->next;
    return k;
}
