/* regex.c - trees to programs, and running them: all ways through a pattern at once. */
#include "ds/regex_impl.h"

/* OP_SET goes on to the next instruction when the byte is in its set. */
enum regex_op { OP_SET, OP_JUMP, OP_SPLIT, OP_ASSERT, OP_MATCH };
struct instruction {
    uint16_t op;
    uint16_t x,
        y; /* OP_SET: number of the set; OP_JUMP: where to; OP_SPLIT: both; OP_ASSERT: which */
};
struct regex {
    uint32_t count, sets;
    struct instruction *program;
    struct byte_set *set;
    struct byte_set first; /* bytes that a match can begin with */
    bool anywhere;         /* it may match without a byte: `first` says nothing */
    struct run *run;       /* room for a search */
};

/* --- compiling --- */

struct compiler {
    const struct regex_tree *tree;
    struct regex *re;
    uint32_t visits; /* repeating nothing many times emits nothing, but takes time */
    bool full;
};
#define VISITS_MAX 1000000u

static uint16_t emit(struct compiler *cc, enum regex_op op, uint32_t x) {
    struct regex *re = cc->re;
    if (re->count == REGEX_PROGRAM_MAX) cc->full = true;
    if (cc->full) return 0;
    re->program[re->count] = (struct instruction){ .op = (uint16_t)op, .x = (uint16_t)x };
    return (uint16_t)re->count++;
}

static void emit_node(struct compiler *cc, uint32_t number);

/* a, or nothing; a after the other. */
static void emit_optional(struct compiler *cc, uint32_t a) {
    uint16_t split = emit(cc, OP_SPLIT, cc->re->count + 1);
    emit_node(cc, a);
    cc->re->program[split].y = (uint16_t)cc->re->count;
}

static void emit_star(struct compiler *cc, uint32_t a) {
    uint16_t split = emit(cc, OP_SPLIT, cc->re->count + 1);
    emit_node(cc, a);
    emit(cc, OP_JUMP, split);
    cc->re->program[split].y = (uint16_t)cc->re->count;
}

static void emit_repeat(struct compiler *cc, const struct regex_node *n) {
    for (uint32_t i = 0; i < n->min && !cc->full; i++) emit_node(cc, n->child);
    if (n->max == UINT32_MAX)
        emit_star(cc, n->child);
    else
        for (uint32_t i = n->min; i < n->max && !cc->full; i++) emit_optional(cc, n->child);
}

/* Each alternative but the last jumps to the end; until that is known the jumps are a chain. */
static void emit_either(struct compiler *cc, const struct regex_node *n) {
    const struct regex_node *nodes = cc->tree->nodes;
    struct regex *re = cc->re;
    uint16_t chain = UINT16_MAX;
    uint32_t i = n->child;
    for (; nodes[i].next != NO_NODE && !cc->full; i = nodes[i].next) {
        uint16_t split = emit(cc, OP_SPLIT, re->count + 1);
        emit_node(cc, i);
        uint16_t jump = emit(cc, OP_JUMP, chain);
        re->program[split].y = (uint16_t)re->count;
        chain = jump;
    }
    emit_node(cc, i);
    if (cc->full) return;
    while (chain != UINT16_MAX) {
        uint16_t before = re->program[chain].x;
        re->program[chain].x = (uint16_t)re->count;
        chain = before;
    }
}

static void emit_set(struct compiler *cc, const struct byte_set *set) {
    struct regex *re = cc->re;
    uint32_t i = 0;
    while (i < re->sets && memcmp(re->set + i, set, sizeof *set) != 0) i++;
    if (i == re->sets) {
        re->set = realloc(re->set, (re->sets + 1) * sizeof *re->set);
        ASSERT(re->set);
        re->set[re->sets++] = *set;
    }
    emit(cc, OP_SET, i);
}

/* As deep as the pattern is nested. */
static void emit_node(struct compiler *cc, uint32_t number) {
    const struct regex_node *n = cc->tree->nodes + number;
    if (++cc->visits > VISITS_MAX) cc->full = true;
    if (cc->full) return;
    switch (n->kind) {
    case NODE_SET: emit_set(cc, &n->set); break;
    case NODE_ASSERT: emit(cc, OP_ASSERT, n->assertion); break;
    case NODE_SEQUENCE:
        for (uint32_t i = n->child; i != NO_NODE; i = cc->tree->nodes[i].next) emit_node(cc, i);
        break;
    case NODE_EITHER: emit_either(cc, n); break;
    case NODE_REPEAT: emit_repeat(cc, n); break;
    }
}

/* --- running --- */

/* Instructions that wait for the next byte, each once. */
struct threads {
    uint16_t count;
    uint16_t at[REGEX_PROGRAM_MAX];
};
struct run {
    const struct regex *re;
    const uint8_t *p, *end;
    struct threads now, next;
    uint32_t seen[REGEX_PROGRAM_MAX]; /* in which step an instruction was reached last */
    uint32_t step;
    uint16_t stack[2 * REGEX_PROGRAM_MAX];
};

static bool word_byte(uint8_t b) {
    return b == '_' || (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'z');
}

/* At byte `at` of the text. Its end counts as a zero byte, and a zero byte as the end. */
static bool holds(const struct run *r, enum regex_assert what, size_t at) {
    size_t n = (size_t)(r->end - r->p);
    uint8_t before = at > 0 ? r->p[at - 1] : 0, after = at < n ? r->p[at] : 0;
    bool word_before = word_byte(before), word_after = word_byte(after);
    switch (what) {
    case AT_START: return at == 0;
    case AT_END: return after == 0;
    case AT_WORD: return at == 0 || after == 0 || word_before != word_after;
    case AT_NO_WORD: return at > 0 && after != 0 && word_before == word_after;
    case AT_WORD_START: return !word_before && word_after;
    case AT_WORD_END: return word_before && !word_after;
    }
    return false;
}

/* Follows jumps from an instruction to all that read a byte; true: one of them is the match. */
static bool reach(struct run *r, struct threads *to, uint16_t from, size_t at) {
    uint32_t depth = 0;
    r->stack[depth++] = from;
    while (depth > 0) {
        uint16_t pc = r->stack[--depth];
        if (r->seen[pc] == r->step) continue;
        r->seen[pc] = r->step;
        const struct instruction *i = r->re->program + pc;
        switch (i->op) {
        case OP_SET: to->at[to->count++] = pc; break;
        case OP_MATCH: return true;
        case OP_JUMP: r->stack[depth++] = i->x; break;
        case OP_SPLIT:
            r->stack[depth++] = i->y;
            r->stack[depth++] = i->x;
            break;
        default:
            if (holds(r, (enum regex_assert)i->x, at)) r->stack[depth++] = (uint16_t)(pc + 1);
        }
    }
    return false;
}

static bool run(struct run *r) {
    const struct regex *re = r->re;
    size_t n = (size_t)(r->end - r->p);
    r->step = 1;
    r->now.count = 0;
    for (size_t at = 0;; at++) {
        if (re->anywhere || at == n || set_has(&re->first, r->p[at]))
            if (reach(r, &r->now, 0, at)) return true;
        if (at == n) return false;
        r->step++;
        r->next.count = 0;
        for (uint16_t i = 0; i < r->now.count; i++) {
            uint16_t pc = r->now.at[i];
            if (!set_has(re->set + re->program[pc].x, r->p[at])) continue;
            if (reach(r, &r->next, (uint16_t)(pc + 1), at + 1)) return true;
        }
        memcpy(r->now.at, r->next.at, r->next.count * sizeof r->next.at[0]);
        r->now.count = r->next.count;
    }
}

bool regex_search(const struct regex *re, struct str s) {
    struct run *r = re->run;
    r->re = re;
    r->p = (const uint8_t *)s.p;
    r->end = r->p + s.n;
    memset(r->seen, 0, re->count * sizeof r->seen[0]);
    return run(r);
}

/* Bytes that some match begins with; a program that may match nothing, or asks where it is, has to
 * be tried everywhere. */
static void find_first(struct regex *re) {
    uint16_t stack[2 * REGEX_PROGRAM_MAX];
    uint8_t seen[REGEX_PROGRAM_MAX] = { 0 };
    uint32_t depth = 0;
    stack[depth++] = 0;
    while (depth > 0 && !re->anywhere) {
        uint16_t pc = stack[--depth];
        if (seen[pc]) continue;
        seen[pc] = 1;
        const struct instruction *i = re->program + pc;
        if (i->op == OP_SET)
            for (int k = 0; k < 4; k++) re->first.bits[k] |= re->set[i->x].bits[k];
        else if (i->op == OP_JUMP || i->op == OP_SPLIT)
            stack[depth++] = i->x;
        else
            re->anywhere = true;
        if (i->op == OP_SPLIT) stack[depth++] = i->y;
    }
}

struct regex *regex_compile(struct str pattern, bool nocase, const char **error) {
    struct regex_tree tree;
    *error = regex_parse(pattern, nocase, &tree);
    struct regex *re = NULL;
    if (!*error) {
        re = calloc(1, sizeof *re);
        ASSERT(re);
        re->program = malloc(REGEX_PROGRAM_MAX * sizeof *re->program);
        re->run = malloc(sizeof *re->run);
        ASSERT(re->program && re->run);
        struct compiler cc = { .tree = &tree, .re = re };
        emit_node(&cc, tree.root);
        emit(&cc, OP_MATCH, 0);
        if (cc.full) *error = "Out of memory";
    }
    free(tree.nodes);
    if (re && !*error) {
        find_first(re);
        return re;
    }
    regex_free(re);
    return NULL;
}

void regex_free(struct regex *re) {
    if (!re) return;
    free(re->program);
    free(re->run);
    free(re->set);
    free(re);
}
