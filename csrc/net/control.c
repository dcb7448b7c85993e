/* control.c - laying out and mapping the memory that workers share. */
#include "net/control.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core_workers.h"
#include "db/clock.h"
#include "mem/back.h"

#define STUCK_MS 400u /* a worker beats ten times a second at least */

size_t control_head_bytes(void) {
    return (sizeof(struct control) + 4095) & ~(size_t)4095;
}

static size_t space(int workers) {
    return control_shipment_offset(workers, workers);
}

size_t control_bytes(int workers) {
    return control_vault_offset(workers, 0) + (size_t)workers * (VAULT_BYTES + SHIPMENT_BYTES);
}

/* Memory for what is used from the start. */
static bool back(int fd, int workers) {
    bool fits = !ftruncate(fd, (off_t)space(workers));
    fits = fits && back_range(fd, 0, control_vault_offset(workers, 0));
    for (int w = 0; fits && w < workers; w++) {
        size_t vault = control_vault_offset(workers, w), own = control_shipment_offset(workers, w);
        fits =
            back_range(fd, vault, vault + VAULT_BYTES) && back_range(fd, own, own + SHIPMENT_BYTES);
    }
    return fits;
}

static struct control *map(int fd) {
    void *p = mmap(NULL, control_head_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

int control_format(int fd, int workers) {
    if (workers < 1 || workers > WORKERS_MAX) return ST_OUT_OF_RANGE;
    if (!back(fd, workers)) return ST_SHM_SPACE;
    struct control *c = map(fd);
    if (!c) return ST_SHM_MAP;
    for (int w = 0; w < workers; w++) share_reset(&c->worker[w].share);
    c->layout = CONTROL_LAYOUT;
    c->workers = (uint32_t)workers;
    c->stuck_ms = STUCK_MS;
    if (getrandom(&c->life, sizeof c->life, 0) != sizeof c->life) c->life = clock_duration_ns();
    c->magic = CONTROL_MAGIC;
    control_close(c);
    return ST_OK;
}

struct control *control_open(int fd) {
    struct stat file;
    if (fstat(fd, &file) || (size_t)file.st_size < control_head_bytes()) return NULL;
    struct control *c = map(fd);
    bool known = c && c->magic == CONTROL_MAGIC && c->layout == CONTROL_LAYOUT && c->workers >= 1 &&
                 c->workers <= WORKERS_MAX && (size_t)file.st_size >= space((int)c->workers);
    if (c && !known) control_close(c);
    return known ? c : NULL;
}

void control_close(struct control *c) {
    munmap(c, control_head_bytes());
}

/* The same in all processes; of some milliseconds' resolution, which makes it cheap. */
static uint64_t coarse_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

void control_beat(struct control *c, int worker) {
    atomic_store_explicit(&c->worker[worker].beat_ms, coarse_ms(), memory_order_relaxed);
}

bool control_stuck(const struct control *c, int worker) {
    uint64_t beat = atomic_load_explicit(&c->worker[worker].beat_ms, memory_order_relaxed);
    return beat + c->stuck_ms < coarse_ms();
}

void control_new_epoch(struct control *c, int worker) {
    struct control_worker *w = &c->worker[worker];
    atomic_store(&w->used_memory, 0);
    atomic_store(&w->clients_memory, 0);
    atomic_store(&w->largest_client, 0);
    atomic_store(&w->channels, 0);
    for (int db = 0; db < CONTROL_DATABASES; db++) atomic_store(&w->keys[db], 0);
    share_reset(&w->share);
    atomic_store(&w->held_before, atomic_exchange(&w->hold, 0));
    claims_forget(c, worker);
    control_beat(c, worker);
    atomic_fetch_add(&w->epoch, 1);
}
