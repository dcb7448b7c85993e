/* registry.h - all commands of an engine by name and by row index, with their statistics.
 *
 * Owns      the rows (copies, at stable addresses), those of C and those that Python registers.
 * Promises  find is O(1) in any letter case; row indexes never change. A row that was removed stays
 * where it is, for those who still refer to it, and nobody finds it.
 */
#ifndef SHMREDIS_REGISTRY_H
#define SHMREDIS_REGISTRY_H

#include "cmd/keys.h"

#define HISTOGRAM_BUCKETS 40

struct command_row {
    struct command cmd;
    const char *group;
    int index;
    bool gone;          /* removed: it has a name only until it is added again */
    enum spread spread; /* over several workers, cmd/keys.h */
    int only_key;       /* the argument that is its one key; 0: none, or several */
    unsigned copied;    /* may run on a copy of its key (enum copied), which is argv[copied_key] */
    int copied_key;
    enum channel_use channels; /* among its arguments, cmd/keys.h */
    uint64_t calls, usec, rejected, failed;
    uint64_t *histogram; /* HISTOGRAM_BUCKETS powers of two of us; made at the first call */
};

struct registry *registry_new(void);
void registry_delete(struct registry *reg);
/* Adds a copy of the row; NULL if the name is taken, empty or too long, or the table is full. */
struct command_row *registry_add(struct registry *reg, const struct command *cmd,
                                 const char *group);
/* Nobody finds the row any more, until one of its name is added again, in its place. */
void registry_remove(struct registry *reg, struct command_row *row);
struct command_row *registry_find(struct registry *reg, struct str name);
/* rename-command: clients know the command as `to`, or not at all if that is empty. False: there is
 * no such command, or `to` is one already. The server itself goes on calling it by its own name. */
bool registry_rename(struct registry *reg, const char *from, const char *to);
/* Whether that has taken the command away from clients. */
bool registry_is_taken(const struct registry *reg, int index);
/* Whether clients know a command by this name. */
bool registry_is_known(const struct registry *reg, struct str name);
/* The row of "container|sub"; NULL if there is no such subcommand. */
struct command_row *registry_find_sub(const struct registry *reg,
                                      const struct command_row *container, struct str sub);
int registry_count(const struct registry *reg);
/* Changes whenever rows are added or removed. */
uint64_t registry_version(const struct registry *reg);
struct command_row *registry_row(const struct registry *reg, int index);
/* Counts a finished call. */
void registry_count_call(struct command_row *row, uint64_t usec, bool failed);
void registry_reset_stats(struct registry *reg);
/* Errors by prefix ("ERR", "WRONGTYPE" …), INFO errorstats. The line has no dash. */
void registry_count_error(struct registry *reg, struct str line);
bool registry_error_stat(const struct registry *reg, int i, const char **prefix, uint64_t *count);

#endif
