/* observe.c - passing on that keys have changed. */
#include "net/observe.h"

#include "net/block.h"
#include "net/pubsub.h"
#include "net/pubsub_fields.h"
#include "net/tracking.h"
#include "net/watch.h"

static void modified(struct engine *eng, struct str key, int db) {
    watch_changed(eng, key, db);
    block_changed(eng, key, db);
    tracking_changed(eng, key);
}

static void replacing(struct engine *eng, int db, int from) {
    watch_replacing(eng, db, from);
    block_replaced(eng, db);
}

void observe_create(struct engine *eng) {
    watches_create(eng);
    blocks_create(eng);
    pubsub_create(eng);
    tracks_create(eng);
    eng->hooks.event = pubsub_event;
    eng->hooks.fields = pubsub_fields;
    eng->hooks.modified = modified;
    eng->hooks.regrouped = block_changed;
    eng->hooks.replacing = replacing;
    eng->hooks.flushed = tracking_flushed;
}

void observe_delete(struct engine *eng) {
    tracks_delete(eng);
    pubsub_delete(eng);
    blocks_delete(eng);
    watches_delete(eng);
}
