/* regex_impl.h - what the parser of regular expressions (regex_parse.c) hands to the rest. */
#ifndef SHMREDIS_REGEX_IMPL_H
#define SHMREDIS_REGEX_IMPL_H

#include "ds/regex.h"

struct byte_set {
    uint64_t bits[4];
};
static inline bool set_has(const struct byte_set *s, uint8_t b) {
    return s->bits[b >> 6] >> (b & 63) & 1;
}
static inline void set_add_byte(struct byte_set *s, uint8_t b) {
    s->bits[b >> 6] |= (uint64_t)1 << (b & 63);
}

enum regex_assert { AT_START, AT_END, AT_WORD, AT_NO_WORD, AT_WORD_START, AT_WORD_END };

/* The pattern as a tree. Nodes refer to others by their numbers; children are a list. */
#define NO_NODE UINT32_MAX
struct regex_node {
    enum { NODE_SET, NODE_ASSERT, NODE_SEQUENCE, NODE_EITHER, NODE_REPEAT } kind;
    uint32_t child, next; /* the first child; the next one of the same parent */
    uint32_t min, max;    /* NODE_REPEAT; max UINT32_MAX: any number */
    enum regex_assert assertion;
    struct byte_set set;
};
struct regex_tree {
    struct regex_node *nodes; /* malloc */
    uint32_t count, room;
    uint32_t root;
};

/* NULL, or what is wrong. The nodes are the caller's to free either way. */
const char *regex_parse(struct str pattern, bool nocase, struct regex_tree *tree);

#endif
