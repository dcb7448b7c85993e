/* message.c - commands kept for later. */
#include "net/message.h"

size_t kept_bytes(int argc, const struct str *argv) {
    size_t bytes = sizeof(struct kept) + (size_t)argc * sizeof *argv;
    for (int i = 0; i < argc; i++) bytes += argv[i].n;
    return bytes;
}

struct kept *kept_put(void *place, int from, const struct message *head, int argc,
                      const struct str *argv) {
    struct kept *k = place;
    *k = (struct kept){ .head = *head, .from = from, .argc = argc };
    char *p = (char *)(k->argv + argc);
    for (int i = 0; i < argc; i++) {
        memcpy(p, argv[i].p, argv[i].n);
        k->argv[i] = (struct str){ p, argv[i].n };
        p += argv[i].n;
    }
    return k;
}

struct kept *kept_new(int from, const struct message *head, int argc, const struct str *argv) {
    void *place = malloc(kept_bytes(argc, argv));
    ASSERT(place);
    return kept_put(place, from, head, argc, argv);
}

struct kept *kept_copy(const struct kept *other) {
    struct kept *k = kept_new(other->from, &other->head, 0, NULL);
    size_t bytes = sizeof *k + (size_t)other->argc * sizeof *k->argv, text = bytes;
    for (int i = 0; i < other->argc; i++) bytes += other->argv[i].n;
    k = realloc(k, bytes);
    ASSERT(k);
    memcpy(k, other, bytes);
    for (int i = 0; i < k->argc; i++) {
        k->argv[i].p = (char *)k + text;
        text += k->argv[i].n;
    }
    k->next = NULL;
    return k;
}

void kept_append(struct kept_list *l, struct kept *k) {
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
