/* acl.c - users as they are handed down from Python. */
#include "net/acl.h"

static struct str copy_of(const char *p, size_t n) {
    char *copy = malloc(n + 1);
    ASSERT(copy);
    memcpy(copy, p, n);
    copy[n] = '\0';
    return (struct str){ copy, n };
}

static void free_text(struct str s) {
    free((char *)(uintptr_t)s.p);
}

/* Room for one more element behind n of them. */
static void *grow(void *at, int n, size_t size) {
    if (n & (n - 1)) return at; /* doubled at powers of two */
    void *more = realloc(at, (n ? 2 * (size_t)n : 1) * size);
    ASSERT(more);
    return more;
}

static void free_patterns(struct acl_patterns *p) {
    for (int i = 0; i < p->n; i++) free_text(p->at[i].text);
    free(p->at);
}

static void drop_rules(struct acl_user *u) {
    for (int i = 0; i < u->n_selectors; i++) {
        struct acl_selector *sel = &u->selectors[i];
        free_patterns(&sel->keys);
        free_patterns(&sel->channels);
        for (int k = 0; k < sel->n_first_args; k++) free_text(sel->first_args[k].word);
        free(sel->first_args);
    }
    free(u->selectors);
    u->selectors = NULL;
    u->n_selectors = 0;
}

struct acl_user *acl_user_new(const char *name, size_t n) {
    struct acl_user *u = calloc(1, sizeof *u);
    ASSERT(u);
    u->references = 1;
    u->name = copy_of(name, n);
    return u;
}

struct acl_user *acl_user_keep(struct acl_user *u) {
    if (u) u->references++;
    return u;
}

void acl_user_release(struct acl_user *u) {
    if (!u || --u->references) return;
    drop_rules(u);
    free_text(u->name);
    free(u);
}

void acl_user_define(struct acl_user *u, bool is_free, bool skips_sanitizing, int selectors) {
    drop_rules(u);
    u->free = is_free;
    u->skips_sanitizing = skips_sanitizing;
    u->selectors = calloc((size_t)selectors + 1, sizeof *u->selectors);
    ASSERT(u->selectors);
    u->n_selectors = selectors;
}

void acl_user_commands(struct acl_user *u, int selector, const uint64_t *bits, int words) {
    ASSERT(selector < u->n_selectors && words <= ACL_WORDS);
    memcpy(u->selectors[selector].commands, bits, (size_t)words * sizeof *bits);
}

void acl_user_open(struct acl_user *u, int selector, bool all_keys, bool all_channels) {
    ASSERT(selector < u->n_selectors);
    u->selectors[selector].all_keys = all_keys;
    u->selectors[selector].all_channels = all_channels;
}

void acl_user_first_arg(struct acl_user *u, int selector, int row, const char *word, size_t n) {
    ASSERT(selector < u->n_selectors);
    struct acl_selector *sel = &u->selectors[selector];
    sel->first_args = grow(sel->first_args, sel->n_first_args, sizeof *sel->first_args);
    sel->first_args[sel->n_first_args++] = (struct acl_first_arg){ row, copy_of(word, n) };
}

static void add_pattern(struct acl_patterns *p, unsigned permissions, const char *text, size_t n) {
    p->at = grow(p->at, p->n, sizeof *p->at);
    p->at[p->n++] = (struct acl_pattern){ copy_of(text, n), permissions };
}

void acl_user_key(struct acl_user *u, int selector, unsigned permissions, const char *pattern,
                  size_t n) {
    ASSERT(selector < u->n_selectors);
    add_pattern(&u->selectors[selector].keys, permissions, pattern, n);
}

void acl_user_channel(struct acl_user *u, int selector, const char *pattern, size_t n) {
    ASSERT(selector < u->n_selectors);
    add_pattern(&u->selectors[selector].channels, 0, pattern, n);
}

/* --- by number --- */

struct acl_users {
    struct acl_user **at; /* in the order of their numbers */
    int n, cap;
};

/* The place of the first one whose number is not below. */
static int place_of(const struct acl_users *all, uint64_t number) {
    int low = 0, high = all ? all->n : 0;
    while (low < high) {
        int middle = (low + high) / 2;
        if (all->at[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct acl_users *with_room(struct engine *eng) {
    if (!eng->users) eng->users = calloc(1, sizeof *eng->users);
    struct acl_users *all = eng->users;
    ASSERT(all);
    if (all->n == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 8;
        all->at = realloc(all->at, (size_t)all->cap * sizeof(struct acl_user *));
        ASSERT(all->at);
    }
    return all;
}

void engine_know_user(struct engine *eng, struct acl_user *u, uint64_t number) {
    struct acl_users *all = with_room(eng);
    int i = place_of(all, number);
    u->number = number;
    memmove(all->at + i + 1, all->at + i, (size_t)(all->n - i) * sizeof(struct acl_user *));
    all->at[i] = acl_user_keep(u);
    all->n++;
}

void engine_forget_user(struct engine *eng, struct acl_user *u) {
    struct acl_users *all = eng->users;
    int i = place_of(all, u->number);
    if (!all || i == all->n || all->at[i] != u) return;
    all->n--;
    memmove(all->at + i, all->at + i + 1, (size_t)(all->n - i) * sizeof(struct acl_user *));
    acl_user_release(u);
}

const struct acl_user *acl_find(const struct engine *eng, uint64_t number) {
    static const struct acl_user nobody = { .name = { "", 0 } };
    const struct acl_users *all = eng->users;
    int i = place_of(all, number);
    return all && i < all->n && all->at[i]->number == number ? all->at[i] : &nobody;
}

void acl_delete(struct engine *eng) {
    struct acl_users *all = eng->users;
    for (int i = 0; all && i < all->n; i++) acl_user_release(all->at[i]);
    if (all) free(all->at);
    free(all);
    acl_user_release(eng->user);
}
