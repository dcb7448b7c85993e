/* registry.c - the list of command groups, and look-up by name. */
#include "cmd/registry.h"

/* clang-format off */
extern const struct command_group
    array_commands,
    array_grep_commands,
    array_insert_commands,
    array_range_commands,
    bitfield_commands,
    bitmap_commands,
    bitop_commands,
    connection_commands,
    database_commands,
    dump_commands,
    expiry_commands,
    generic_commands,
    geo_commands,
    geo_search_commands,
    hash_commands,
    hash_import_commands,
    hash_timed_commands,
    hash_ttl_commands,
    hll_commands,
    keyspace_commands,
    lcs_commands,
    list_block_commands,
    list_commands,
    list_edit_commands,
    list_move_commands,
    restore_asking_commands,
    set_algebra_commands,
    set_commands,
    sort_commands,
    stream_add_commands,
    stream_claim_commands,
    stream_commands,
    stream_groups_commands,
    stream_info_commands,
    stream_pending_commands,
    stream_read_commands,
    string_commands,
    string_many_commands,
    string_number_commands,
    string_range_commands,
    zset_algebra_commands,
    zset_block_commands,
    zset_commands,
    zset_pop_commands,
    zset_range_commands;

/* One line a group: adding a file of commands adds its line here and above. */
static const struct command_group *const groups[] = {
    &array_commands,
    &array_grep_commands,
    &array_insert_commands,
    &array_range_commands,
    &bitfield_commands,
    &bitmap_commands,
    &bitop_commands,
    &connection_commands,
    &database_commands,
    &dump_commands,
    &expiry_commands,
    &generic_commands,
    &geo_commands,
    &geo_search_commands,
    &hash_commands,
    &hash_import_commands,
    &hash_timed_commands,
    &hash_ttl_commands,
    &hll_commands,
    &keyspace_commands,
    &lcs_commands,
    &list_block_commands,
    &list_commands,
    &list_edit_commands,
    &list_move_commands,
    &restore_asking_commands,
    &set_algebra_commands,
    &set_commands,
    &sort_commands,
    &stream_add_commands,
    &stream_claim_commands,
    &stream_commands,
    &stream_groups_commands,
    &stream_info_commands,
    &stream_pending_commands,
    &stream_read_commands,
    &string_commands,
    &string_many_commands,
    &string_number_commands,
    &string_range_commands,
    &zset_algebra_commands,
    &zset_block_commands,
    &zset_commands,
    &zset_pop_commands,
    &zset_range_commands,
};
/* clang-format on */

#define NAME_MAX_BYTES 63u
#define SLOTS 2048u /* of the open-addressing table; a power of two, several times the commands */
#define ERRORS_MAX 128

struct error_stat {
    char prefix[32];
    uint64_t count;
};

#define RECENT_BYTES 16u
struct recent {
    struct command_row *row;
    char name[RECENT_BYTES];
};

/* rename-command. */
struct renamed {
    struct command_row *row;
    char name[NAME_MAX_BYTES + 1]; /* upper case; empty: none */
};

struct registry {
    struct renamed *renamed;
    int renamed_n;
    struct recent recent[RECENT_BYTES]; /* by length; [0] stays empty */
    struct command_row **rows;
    int count, capacity;
    uint64_t version;
    uint16_t slots[SLOTS]; /* row index + 1 */
    int errors;
    struct error_stat error[ERRORS_MAX];
};

/* Upper-cases s into out and hashes it (FNV-1a); false if it is too long for a name. */
static bool fold_name(struct str s, char out[NAME_MAX_BYTES + 1], uint32_t *hash) {
    if (s.n == 0 || s.n > NAME_MAX_BYTES) return false;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c >= 'a' && c <= 'z') c = (char)(c - 32);
        out[i] = c;
        h = (h ^ (unsigned char)c) * 16777619u;
    }
    out[s.n] = '\0';
    *hash = h ^ h >> 15;
    return true;
}

/* A row of this name, be it gone. */
static struct command_row *find_any(const struct registry *reg, const char *upper, uint32_t hash) {
    for (uint32_t i = hash % SLOTS; reg->slots[i]; i = (i + 1) % SLOTS) {
        struct command_row *row = reg->rows[reg->slots[i] - 1];
        if (!strcmp(row->cmd.name, upper)) return row;
    }
    return NULL;
}

static struct command_row *find(const struct registry *reg, struct str name) {
    char upper[NAME_MAX_BYTES + 1];
    uint32_t h;
    if (!fold_name(name, upper, &h) || strlen(upper) != name.n) return NULL;
    struct command_row *row = find_any(reg, upper, h);
    return row && !row->gone ? row : NULL;
}

static struct command_row *find_renamed(const struct registry *reg, struct str name) {
    for (int i = 0; i < reg->renamed_n; i++)
        if (str_is(name, reg->renamed[i].name) && !reg->renamed[i].row->gone)
            return reg->renamed[i].row;
    return NULL;
}

/* Names as clients spell them are few: the last one of each length is remembered. */
struct command_row *registry_find(struct registry *reg, struct str name) {
    struct recent *r = &reg->recent[name.n < RECENT_BYTES ? name.n : 0];
    if (r->row && name.n && !memcmp(r->name, name.p, name.n)) return r->row;
    struct command_row *row = find_renamed(reg, name);
    if (!row) row = find(reg, name);
    if (row && name.n < RECENT_BYTES) {
        memcpy(r->name, name.p, name.n);
        r->row = row;
    }
    return row;
}

struct command_row *registry_find_sub(const struct registry *reg,
                                      const struct command_row *container, struct str sub) {
    char name[NAME_MAX_BYTES + 1];
    size_t n = strlen(container->cmd.name);
    if (n + 1 + sub.n > NAME_MAX_BYTES) return NULL;
    memcpy(name, container->cmd.name, n);
    name[n] = '|';
    memcpy(name + n + 1, sub.p, sub.n);
    return find(reg, (struct str){ name, n + 1 + sub.n });
}

bool registry_rename(struct registry *reg, const char *from, const char *to) {
    struct command_row *row = find(reg, (struct str){ from, strlen(from) });
    struct str name = { to, strlen(to) };
    struct renamed fresh = { .row = row };
    uint32_t h;
    if (!row || find(reg, name) || find_renamed(reg, name)) return false;
    if (name.n && !fold_name(name, fresh.name, &h)) return false;
    size_t n = (size_t)reg->renamed_n + 1;
    reg->renamed = realloc(reg->renamed, n * sizeof fresh);
    ASSERT(reg->renamed);
    reg->renamed[reg->renamed_n++] = fresh;
    return true;
}

bool registry_is_taken(const struct registry *reg, int index) {
    for (int i = 0; i < reg->renamed_n; i++)
        if (reg->renamed[i].row->index == index) return !reg->renamed[i].name[0];
    return false;
}

bool registry_is_known(const struct registry *reg, struct str name) {
    if (LIKELY(!reg->renamed_n) || find_renamed(reg, name)) return true;
    const struct command_row *row = find(reg, name);
    for (int i = 0; row && i < reg->renamed_n; i++)
        if (reg->renamed[i].row == row) return false;
    return row;
}

static void append_row(struct registry *reg, struct command_row *row, uint32_t hash) {
    if (reg->count == reg->capacity) {
        reg->capacity = reg->capacity ? 2 * reg->capacity : 256;
        reg->rows = realloc(reg->rows, (size_t)reg->capacity * sizeof(struct command_row *));
        ASSERT(reg->rows);
    }
    row->index = reg->count;
    reg->rows[reg->count++] = row;
    uint32_t i = hash % SLOTS;
    while (reg->slots[i]) i = (i + 1) % SLOTS;
    reg->slots[i] = (uint16_t)(row->index + 1);
}

static void describe(struct command_row *row, const char *upper, const struct command *cmd,
                     const char *group) {
    row->cmd = *cmd;
    row->cmd.name = strdup(upper);
    row->cmd.acl = strdup(cmd->acl ? cmd->acl : "");
    row->group = strdup(group);
    row->spread = spread_of(&row->cmd);
    row->only_key = only_key_of(&row->cmd);
    row->channels = channels_of(&row->cmd);
    row->copied = copied_of(&row->cmd, &row->copied_key);
}

static void forget(struct command_row *row) {
    free((char *)(uintptr_t)row->cmd.name);
    free((char *)(uintptr_t)row->cmd.acl);
    free((char *)(uintptr_t)row->group);
    free(row->histogram);
}

/* The row that went by this name, empty; or a new one. NULL: there is no room. */
static struct command_row *make_row(struct registry *reg, struct command_row *old, uint32_t hash) {
    if (!old && reg->count == SLOTS / 2) return NULL;
    struct command_row *row = old ? old : calloc(1, sizeof *row);
    ASSERT(row);
    if (!old) {
        append_row(reg, row, hash);
        return row;
    }
    int index = row->index;
    forget(row);
    *row = (struct command_row){ .index = index };
    return row;
}

struct command_row *registry_add(struct registry *reg, const struct command *cmd,
                                 const char *group) {
    struct str name = { cmd->name, strlen(cmd->name) };
    char upper[NAME_MAX_BYTES + 1];
    uint32_t h;
    if (!fold_name(name, upper, &h)) return NULL;
    struct command_row *old = find_any(reg, upper, h);
    if (old && !old->gone) return NULL;
    struct command_row *row = make_row(reg, old, h);
    if (!row) return NULL;
    describe(row, upper, cmd, group);
    reg->version++;
    return row;
}

void registry_remove(struct registry *reg, struct command_row *row) {
    row->gone = true;
    memset(reg->recent, 0, sizeof reg->recent);
    reg->version++;
}

uint64_t registry_version(const struct registry *reg) {
    return reg->version;
}

struct registry *registry_new(void) {
    struct registry *reg = calloc(1, sizeof *reg);
    ASSERT(reg);
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        for (size_t i = 0; i < groups[g]->count; i++)
            ASSERT(registry_add(reg, &groups[g]->rows[i], groups[g]->name));
    return reg;
}

void registry_delete(struct registry *reg) {
    if (!reg) return;
    free(reg->renamed);
    for (int i = 0; i < reg->count; i++) {
        forget(reg->rows[i]);
        free(reg->rows[i]);
    }
    free(reg->rows);
    free(reg);
}

int registry_count(const struct registry *reg) {
    return reg->count;
}

struct command_row *registry_row(const struct registry *reg, int index) {
    return index >= 0 && index < reg->count ? reg->rows[index] : NULL;
}

void registry_count_call(struct command_row *row, uint64_t usec, bool failed) {
    row->calls++;
    row->usec += usec;
    row->failed += failed;
    if (UNLIKELY(!row->histogram)) {
        row->histogram = calloc(HISTOGRAM_BUCKETS, sizeof(uint64_t));
        ASSERT(row->histogram);
    }
    int bucket = usec ? 63 - __builtin_clzll(usec) : 0;
    row->histogram[bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1]++;
}

void registry_reset_stats(struct registry *reg) {
    for (int i = 0; i < reg->count; i++) {
        struct command_row *row = reg->rows[i];
        row->calls = row->usec = row->rejected = row->failed = 0;
        free(row->histogram);
        row->histogram = NULL;
    }
    reg->errors = 0;
}

void registry_count_error(struct registry *reg, struct str line) {
    size_t n = 0;
    while (n < line.n && n < sizeof reg->error->prefix - 1 && line.p[n] != ' ' && line.p[n] != '\r')
        n++;
    for (int i = 0; i < reg->errors; i++) {
        if (strlen(reg->error[i].prefix) == n && !memcmp(reg->error[i].prefix, line.p, n)) {
            reg->error[i].count++;
            return;
        }
    }
    if (reg->errors == ERRORS_MAX) return;
    struct error_stat *e = &reg->error[reg->errors++];
    memcpy(e->prefix, line.p, n);
    e->prefix[n] = '\0';
    e->count = 1;
}

bool registry_error_stat(const struct registry *reg, int i, const char **prefix, uint64_t *count) {
    if (i < 0 || i >= reg->errors) return false;
    *prefix = reg->error[i].prefix;
    *count = reg->error[i].count;
    return true;
}
