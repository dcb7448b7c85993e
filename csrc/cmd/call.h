/* call.h - one command being executed: its arguments, its reply, and how it tells the world.
 *
 * A command reads as its own specification: parse the arguments, find the key with the type
 * expected, call the type's function, reply. It checks everything before it changes anything.
 */
#ifndef SHMREDIS_CALL_H
#define SHMREDIS_CALL_H

#include "cmd/command.h"
#include "cmd/reply.h"
#include "db/keyspace.h"

/* What a blocking command that has found nothing waits for. */
struct block_wish {
    bool wanted;
    bool bulk;             /* where nobody may wait the reply is a null bulk string, no array */
    uint64_t until_ms;     /* wall clock; 0: for ever */
    uint64_t again_ms;     /* then it may find something though no key has changed; 0: never */
    int first, last, step; /* the arguments that are its keys */
    char *texts; /* malloc: of arguments that the command has changed in argv; whoever keeps a copy
                  * of the command frees it. NULL: none */
};

struct inside; /* net/inside.h */

/* Bytes of a request, as HOTKEYS counts them. */
#define REQUEST_AS_IT_IS 0u
#define REQUEST_HIDDEN SIZE_MAX        /* of nobody's: the command is not counted at all */
#define REQUEST_NOTHING (SIZE_MAX - 1) /* it is counted, for its reply alone */

struct call {
    struct engine *eng;
    struct reply *out;
    const struct command *cmd;
    struct session *session;     /* NULL when nobody is connected (tests, loading) */
    struct fieldset **fieldsets; /* of the connection, cmd/fieldset.h; NULL likewise */
    uint64_t reader; /* what it reads is to be remembered for this client, net/tracking.h; 0: not */
    uint64_t client; /* without a session: the id of who it is for; 0: of nobody */
    int argc;
    struct str
        *argv; /* argv[0] is the name; bytes live until the command ends, never in the arena */
    int db;
    uint64_t dirty; /* changes so far; 0 at the end: nothing is propagated */
    bool quiet;     /* propagate nothing although dirty */
    bool no_touch;  /* CLIENT NO-TOUCH */
    bool may_block; /* not in a transaction or a script */
    bool replayed;  /* out of a log */
    bool again;     /* it has to be executed once more, under holds: net/reach.h */
    bool resumed;   /* it has waited, and one of its keys has changed */
    struct block_wish wish;
    size_t request;        /* of a transaction: EXEC's bytes, and those of its reply so far */
    struct inside *inside; /* a command of Python that runs commands inside of itself; or NULL */
    struct kept_command *rewritten; /* what to propagate instead of argv; cmd/propagate.c */
};

/* --- keys --- */
/* argv[i] for reading; false if it is of another type (the error is then the reply). A missing key
 * is true with k->entry NULL. */
bool call_read(struct call *c, int i, enum value_type type, struct key *k);
/* The same for writing. */
bool call_write(struct call *c, int i, enum value_type type, struct key *k);
/* The same for writing after reading, which counts as a hit or miss. */
bool call_update(struct call *c, int i, enum value_type type, struct key *k);
/* No type check. */
struct entry *call_find(struct call *c, int i, enum key_access access, struct key *k);
/* Keys in argv[first], argv[first + step] … below argv[end] are looked up one after the other, next
 * argv[i]: has the processor load them a batch at a time. */
static inline void call_load_keys(const struct call *c, int first, int i, int end, int step) {
    if ((i - first) % (KEYS_LOADED * step) == 0)
        keyspace_load(c->eng, c->db, c->argv + i, (end - i) / step, step);
}

/* For commands about the connection; false where there is none (a log that is loaded), replied. */
static inline bool call_has_session(struct call *c) {
    if (!c->session) reply_error(c->out, "ERR this command needs a connection");
    return c->session;
}

/* --- after a change --- */
/* Counts n changes, tells watchers, fires one keyspace event (NULL: none). */
void call_changed(struct call *c, const struct key *k, enum notify_class cls, const char *event,
                  uint64_t n);
/* The same for groups, ids and settings of a stream, which do not count for WATCH. */
void call_regrouped(struct call *c, const struct key *k, const char *event, uint64_t n);
/* The usual end of a removal: if `empty`, deletes the key and fires "del". */
void call_delete_if(struct call *c, struct key *k, bool empty);

/* --- propagation: by default argv is logged as it is when dirty --- */
/* Logs this instead; a second call adds a further command. Arguments are copied. */
void call_propagate(struct call *c, int argc, const struct str *argv);
/* The same from words separated by one space: %b a `const struct str *`, %i an int64_t, %a an int:
 * all of c->argv from that index on; other words are themselves. call_propagatef(c, "SREM %b %b",
 * &k, &m) */
void call_propagatef(struct call *c, const char *format, ...);
/* True for ST_OK; else replies the error and is false. */
bool call_ok(struct call *c, status st);

/* --- blocking --- */
/* Nothing is there: waits for the keys, or replies null where nobody may wait. */
void call_block(struct call *c, const struct block_wish *wish);
/* Whether argument i is to be taken from: the key is there. One of another type than the command is
 * about is an error for who comes, and nothing for who has waited. */
bool call_serves(struct call *c, int i, enum value_type type);
/* A timeout in seconds, maybe a fraction, as the wall clock when it is over; 0: never. False: the
 * error is replied. */
bool arg_timeout(struct call *c, int i, uint64_t *until_ms);

/* --- arguments: each replies its error and returns false --- */
bool arg_i64(struct call *c, int i, int64_t *out);
/* With another error line than "ERR value is not an integer or out of range". */
bool arg_i64_or(struct call *c, int i, int64_t *out, const char *error_line);
/* In [min, max], else error_line (also for a non-number). */
bool arg_range(struct call *c, int i, int64_t min, int64_t max, int64_t *out,
               const char *error_line);
/* The same with the error of Redis that names the limits; ST_NOT_INTEGER for a non-number. */
bool arg_in(struct call *c, int i, int64_t min, int64_t max, int64_t *out);
bool arg_db(struct call *c, int i, int *db); /* the number of a database */
bool arg_double(struct call *c, int i, double *out, const char *error_line);
/* Option words: compares argv[i], if there is one, in any case. */
static inline bool arg_is(const struct call *c, int i, const char *word) {
    return i < c->argc && str_is(c->argv[i], word);
}
void call_syntax_error(struct call *c);
void call_arity_error(struct call *c);

/* EX, PX, EXAT or PXAT of a command, and the argument that has its number; word NULL: none yet. */
struct expiry_option {
    const struct expiry_word *word;
    int at;
};
/* One of these words at argv[*i] with something behind it, *i then stands on that; false: another
 * word, or not the one that was taken before. */
bool take_expiry(struct call *c, int *i, struct expiry_option *o);
/* The time that was taken as absolute ms (may be past), *expiry unchanged if none was. Callers do
 * this when all options are taken, since wrong words are reported before wrong numbers. */
bool read_expiry(struct call *c, const struct expiry_option *o, uint64_t *expiry);
/* A time that must be positive, "ERR invalid expire time in '<cmd>' command" otherwise. */
bool arg_future(struct call *c, int i, int64_t unit_ms, bool relative, uint64_t *expiry);
/* A time of argv[i] in `unit_ms` (1000 or 1), relative or absolute, as absolute ms; the past and
 * negative results are allowed; later ones than EXPIRY_MAX are that. False: not an integer or
 * overflow, replied. */
bool arg_expiry(struct call *c, int i, int64_t unit_ms, bool relative, int64_t *expiry_ms);

/* Glob of KEYS, SCAN, CONFIG GET: * ? [a-z] [^..] backslash. No exponential patterns. */
bool glob_match(struct str pattern, struct str s, bool nocase);

/* --- SCAN family --- */
struct scan_options {
    struct str pattern; /* .p NULL: everything */
    int64_t count;      /* default 10 */
    struct str type;    /* SCAN TYPE; .p NULL: any */
    bool no_values;     /* HSCAN NOVALUES */
};
enum scan_accept { SCAN_TYPE = 1, SCAN_NOVALUES = 2 };
bool arg_cursor(struct call *c, int i, uint64_t *cursor);
/* What a scan of a missing key replies; its options are then not looked at. */
void reply_empty_scan(struct call *c);
/* Options from argv[i] to the end. */
bool arg_scan_options(struct call *c, int i, unsigned accept, struct scan_options *out);
static inline bool scan_matches(const struct scan_options *o, struct str s) {
    return !o->pattern.p || glob_match(o->pattern, s, false);
}

#endif
