/* router.c - the front's look at the first command of a connection. */
#include "cmd/keys.h"
#include "cmd/registry.h"
#include "core_workers.h"
#include "net/resp.h"

struct router {
    struct registry *registry;
    struct resp_parser parser;
    int workers;
};

struct router *router_new(int workers) {
    struct router *r = calloc(1, sizeof *r);
    ASSERT(r);
    r->registry = registry_new();
    r->workers = workers;
    resp_init(&r->parser);
    return r;
}

void router_delete(struct router *r) {
    resp_free(&r->parser);
    registry_delete(r->registry);
    free(r);
}

static int owner_of_first_key(const struct router *r) {
    const struct resp_parser *p = &r->parser;
    const struct command_row *row = registry_find(r->registry, p->argv[0]);
    struct key_at key;
    if (row && row->cmd.flags & CMD_CONTAINER)
        row = p->argc > 1 ? registry_find_sub(r->registry, row, p->argv[1]) : NULL;
    if (!row || !command_keys(&row->cmd, p->argc, p->argv, &key, 1)) return ROUTE_ANY;
    return key_owner(p->argv[key.index], r->workers);
}

int router_peek(struct router *r, const char *p, size_t n) {
    struct resp_limits limits = { .bulk_max = INT64_MAX };
    char error[128];
    int owner = ROUTE_ANY;
    char *copy = malloc(n + 1); /* inline commands are unescaped in place */
    ASSERT(copy);
    memcpy(copy, p, n);
    resp_reset(&r->parser);
    enum resp_result result = resp_parse(&r->parser, &limits, copy, n, error);
    if (result == RESP_MORE)
        owner = ROUTE_MORE;
    else if (result == RESP_COMMAND && r->parser.argc > 0)
        owner = owner_of_first_key(r);
    free(copy);
    return owner;
}
