/* regex_parse.c - patterns to trees, by descent: alternatives, sequences, repetitions, atoms. */
#include "ds/regex_impl.h"

#include <ctype.h>

const char regex_backreference[] = "backreferences";

static const char bad_pattern[] = "Invalid regexp";
static const char bad_collation[] = "Unknown collating element";
static const char bad_class[] = "Unknown character class name";
static const char bad_escape[] = "Trailing backslash";
static const char bad_reference[] = "Invalid back reference";
static const char bad_bracket[] = "Missing ']'";
static const char bad_parenthesis[] = "Missing ')'";
static const char bad_brace[] = "Missing '}'";
static const char bad_bound[] = "Invalid contents of {}";
static const char bad_range[] = "Invalid character range";
static const char bad_repeat[] = "Invalid use of repetition operators";
static const char bad_maximum[] = "Maximum repetition in {} larger than 255";
static const char no_memory[] = "Out of memory";

struct parser {
    const uint8_t *p, *end;
    struct regex_tree *tree;
    const char *error; /* NULL: fine so far */
    uint32_t depth;
    bool nocase, quoting;  /* between \Q and \E */
    int groups, reference; /* which may be referred to; the greatest that is, -1: none */
};

static uint32_t fail(struct parser *ps, const char *error) {
    if (!ps->error) ps->error = error;
    ps->p = ps->end;
    return 0;
}

static uint32_t node(struct parser *ps, struct regex_node n) {
    struct regex_tree *t = ps->tree;
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 64;
        t->nodes = realloc(t->nodes, t->room * sizeof *t->nodes);
        ASSERT(t->nodes);
    }
    if (t->count == 4 * REGEX_PROGRAM_MAX) return fail(ps, no_memory);
    n.next = NO_NODE;
    t->nodes[t->count] = n;
    return t->count++;
}

/* An empty list of children, and one more at its end; *last is the one before. */
static uint32_t list(struct parser *ps, unsigned kind) {
    return node(ps, (struct regex_node){ .kind = kind, .child = NO_NODE });
}
static void append(struct parser *ps, uint32_t parent, uint32_t *last, uint32_t child) {
    struct regex_node *nodes = ps->tree->nodes;
    if (ps->error) return;
    if (*last == NO_NODE)
        nodes[parent].child = child;
    else
        nodes[*last].next = child;
    *last = child;
}

static uint32_t empty(struct parser *ps) {
    return list(ps, NODE_SEQUENCE);
}
static uint32_t assertion(struct parser *ps, enum regex_assert what) {
    return node(ps, (struct regex_node){ .kind = NODE_ASSERT, .assertion = what });
}

/* --- sets of bytes --- */

static void add_case(struct parser *ps, struct byte_set *s, uint8_t b) {
    set_add_byte(s, b);
    if (!ps->nocase || b >= 0x80) return;
    set_add_byte(s, (uint8_t)tolower(b));
    set_add_byte(s, (uint8_t)toupper(b));
}

static uint32_t literal(struct parser *ps, uint8_t b) {
    struct regex_node n = { .kind = NODE_SET };
    add_case(ps, &n.set, b);
    return node(ps, n);
}

struct class_name {
    const char *name;
    int (*has)(int c);
};
static int is_word(int c) {
    return isalnum(c) || c == '_';
}
static const struct class_name classes[] = {
    { "alnum", isalnum }, { "alpha", isalpha }, { "blank", isblank }, { "cntrl", iscntrl },
    { "digit", isdigit }, { "graph", isgraph }, { "lower", islower }, { "print", isprint },
    { "punct", ispunct }, { "space", isspace }, { "upper", isupper }, { "xdigit", isxdigit },
};

static void add_class(struct parser *ps, struct byte_set *s, int (*has)(int c), bool negated) {
    for (int b = 0; b < 256; b++)
        if ((b < 0x80 && has(b)) != negated) add_case(ps, s, (uint8_t)b);
}

static uint32_t class_node(struct parser *ps, int (*has)(int c), bool negated) {
    struct regex_node n = { .kind = NODE_SET };
    add_class(ps, &n.set, has, negated);
    return node(ps, n);
}

/* What follows "[:" up to ":]". */
static bool named_class(struct parser *ps, struct byte_set *s) {
    const uint8_t *name = ps->p + 2, *end = name;
    while (end < ps->end && *end != ':') end++;
    if (end == ps->end) return fail(ps, bad_class), false;
    struct str given = { (const char *)name, (size_t)(end - name) };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strlen(classes[i].name) != given.n || memcmp(classes[i].name, given.p, given.n) != 0)
            continue;
        add_class(ps, s, classes[i].has, false);
        ps->p = end + 2 <= ps->end && end[1] == ']' ? end + 2 : ps->end;
        return true;
    }
    return fail(ps, bad_class), false;
}

static bool starts(const struct parser *ps, const char *two) {
    return ps->end - ps->p >= 2 && ps->p[0] == (uint8_t)two[0] && ps->p[1] == (uint8_t)two[1];
}

/* One member of a bracket expression: a class, a range or a byte. */
static bool bracket_item(struct parser *ps, struct byte_set *s, bool first) {
    if (starts(ps, "[.") || starts(ps, "[=")) return fail(ps, bad_collation), false;
    if (starts(ps, "[:")) return named_class(ps, s);
    uint8_t low = *ps->p++, high = low;
    if (ps->end - ps->p >= 2 && ps->p[0] == '-' && ps->p[1] != ']') {
        ps->p++;
        if (starts(ps, "[.") || starts(ps, "[=")) return fail(ps, bad_collation), false;
        if (starts(ps, "[:")) return fail(ps, bad_range), false;
        high = *ps->p++;
    } else if (low == '-' && !first && ps->p < ps->end && *ps->p != ']') {
        return fail(ps, bad_range), false; /* behind a range, maybe */
    }
    if (high < low) return fail(ps, bad_range), false;
    for (unsigned b = low; b <= high; b++) add_case(ps, s, (uint8_t)b);
    return true;
}

static uint32_t bracket(struct parser *ps) {
    struct regex_node n = { .kind = NODE_SET };
    bool negated = ps->p < ps->end && *ps->p == '^';
    if (negated) ps->p++;
    const uint8_t *first = ps->p;
    while (ps->p < ps->end && (*ps->p != ']' || ps->p == first))
        if (!bracket_item(ps, &n.set, ps->p == first)) return 0;
    if (ps->p == ps->end) return fail(ps, bad_bracket);
    ps->p++;
    for (int i = 0; negated && i < 4; i++) n.set.bits[i] = ~n.set.bits[i];
    return node(ps, n);
}

/* --- escapes --- */

static int hex_value(uint8_t b) {
    return isdigit(b) ? b - '0' : isxdigit(b) ? tolower(b) - 'a' + 10 : -1;
}

/* \xHH or \x{H…} */
static uint32_t hex_escape(struct parser *ps) {
    bool braced = ps->p < ps->end && *ps->p == '{';
    if (braced) ps->p++;
    unsigned v = 0, most = braced ? 8 : 2, n = 0;
    for (; n < most && ps->p < ps->end && hex_value(*ps->p) >= 0; n++)
        v = v << 4 | (unsigned)hex_value(*ps->p++);
    if (braced && (ps->p == ps->end || *ps->p++ != '}')) return fail(ps, bad_brace);
    return literal(ps, (uint8_t)v);
}

static uint32_t escape(struct parser *ps) {
    static const char from[] = "tnrfae", to[] = "\t\n\r\f\a\x1b";
    if (ps->p == ps->end) return fail(ps, bad_escape);
    uint8_t b = *ps->p++;
    const char *simple = b ? strchr(from, b) : NULL;
    if (simple) return literal(ps, (uint8_t)to[simple - from]);
    switch (b) {
    case 'w': return class_node(ps, is_word, false);
    case 'W': return class_node(ps, is_word, true);
    case 's': return class_node(ps, isspace, false);
    case 'S': return class_node(ps, isspace, true);
    case 'd': return class_node(ps, isdigit, false);
    case 'D': return class_node(ps, isdigit, true);
    case '<': return assertion(ps, AT_WORD_START);
    case '>': return assertion(ps, AT_WORD_END);
    case 'b':
    case 'y': return assertion(ps, AT_WORD);
    case 'B': return assertion(ps, AT_NO_WORD);
    case 'x': return hex_escape(ps);
    case 'Q': ps->quoting = true; return empty(ps);
    default:
        if (b < '0' || b > '9') return literal(ps, b);
        if (b - '0' > ps->reference) ps->reference = b - '0';
        return empty(ps);
    }
}

/* --- repetitions --- */

/* A number within braces; false: none is there. */
static bool number(struct parser *ps, uint32_t *v) {
    const uint8_t *from = ps->p;
    for (*v = 0; ps->p < ps->end && isdigit(*ps->p); ps->p++)
        if (*v <= REGEX_REPEAT_MAX) *v = *v * 10 + (uint32_t)(*ps->p - '0');
    return ps->p > from;
}

/* {3} {3,} {3,5} {,5}: what follows the brace. */
static bool bounds(struct parser *ps, uint32_t *min, uint32_t *max) {
    bool low = number(ps, min), comma = ps->p < ps->end && *ps->p == ',';
    if (comma) ps->p++;
    bool high = comma && number(ps, max);
    if (!comma) *max = *min;
    if (comma && !high) *max = UINT32_MAX;
    if ((low && *min > REGEX_REPEAT_MAX) || (high && *max > REGEX_REPEAT_MAX))
        return fail(ps, bad_maximum), false;
    if (ps->p == ps->end) return fail(ps, bad_brace), false;
    if (*ps->p++ != '}' || (!low && !high) || *max < *min) return fail(ps, bad_bound), false;
    return true;
}

/* The repetitions behind an atom. */
static uint32_t repeated(struct parser *ps, uint32_t atom) {
    while (!ps->error && !ps->quoting && ps->p < ps->end && strchr("*+?{", *ps->p) && *ps->p) {
        struct regex_node n = { .kind = NODE_REPEAT, .child = atom, .max = UINT32_MAX };
        uint8_t how = *ps->p++;
        if (how == '+') n.min = 1;
        if (how == '?') n.max = 1;
        if (how == '{' && !bounds(ps, &n.min, &n.max)) return 0;
        if (ps->p < ps->end && *ps->p == '?')
            ps->p++;
        else if (ps->p < ps->end && (*ps->p == '*' || *ps->p == '+'))
            return fail(ps, bad_repeat);
        atom = node(ps, n);
    }
    return atom;
}

/* --- groups, sequences, alternatives --- */

static uint32_t alternatives(struct parser *ps);

/* (?flags) or (?flags: … ; true: a group is open. */
static bool group_flags(struct parser *ps, bool *open) {
    bool on = true;
    for (; ps->p < ps->end; ps->p++) {
        if (*ps->p == ':' || *ps->p == ')') {
            *open = *ps->p++ == ':';
            return true;
        }
        if (*ps->p == '-')
            on = false;
        else if (*ps->p == 'i')
            ps->nocase = on;
        else if (!strchr("nrU", *ps->p) || !*ps->p)
            break;
    }
    return fail(ps, bad_pattern), false;
}

static uint32_t group(struct parser *ps) {
    bool before = ps->nocase, open = true, plain = ps->p == ps->end || *ps->p != '?';
    ps->groups += plain;
    if (!plain) {
        ps->p++;
        if (!group_flags(ps, &open)) return 0;
        if (!open) return empty(ps);
    }
    if (++ps->depth > REGEX_NESTING_MAX) return fail(ps, no_memory);
    uint32_t inner = alternatives(ps);
    ps->depth--;
    ps->nocase = before;
    if (ps->error) return 0;
    if (ps->p == ps->end) return fail(ps, bad_parenthesis);
    ps->p++;
    return inner;
}

static uint32_t atom(struct parser *ps) {
    if (ps->quoting) {
        if (!starts(ps, "\\E")) return literal(ps, *ps->p++);
        ps->p += 2;
        ps->quoting = false;
        return empty(ps);
    }
    if (strchr("*+?{", *ps->p) && *ps->p) return empty(ps); /* of nothing */
    struct regex_node any = { .kind = NODE_SET };
    switch (*ps->p++) {
    case '(': return group(ps);
    case '[': return bracket(ps);
    case '\\': return escape(ps);
    case '^': return assertion(ps, AT_START);
    case '$': return assertion(ps, AT_END);
    case '.': memset(&any.set, 0xff, sizeof any.set); return node(ps, any);
    default: return literal(ps, ps->p[-1]);
    }
}

static bool sequence_ends(const struct parser *ps) {
    if (ps->error || ps->p == ps->end) return true;
    return !ps->quoting && (*ps->p == '|' || (*ps->p == ')' && ps->depth > 0));
}

static uint32_t sequence(struct parser *ps) {
    uint32_t all = empty(ps), last = NO_NODE;
    while (!sequence_ends(ps)) append(ps, all, &last, repeated(ps, atom(ps)));
    return all;
}

static uint32_t alternatives(struct parser *ps) {
    uint32_t all = list(ps, NODE_EITHER), last = NO_NODE;
    append(ps, all, &last, sequence(ps));
    while (!ps->error && ps->p < ps->end && *ps->p == '|') {
        ps->p++;
        append(ps, all, &last, sequence(ps));
    }
    return all;
}

const char *regex_parse(struct str pattern, bool nocase, struct regex_tree *tree) {
    const uint8_t *p = (const uint8_t *)pattern.p;
    struct parser ps = {
        .p = p, .end = p + pattern.n, .tree = tree, .nocase = nocase, .reference = -1
    };
    *tree = (struct regex_tree){ 0 };
    tree->root = alternatives(&ps);
    if (ps.reference > ps.groups) fail(&ps, bad_reference);
    if (ps.reference >= 0) fail(&ps, regex_backreference);
    return ps.error;
}
