/* intset.c - | width u32 | count u32 | integers, ascending |, all little endian. */
#include "ds/intset.h"

void intset_init(uint8_t *is) {
    store_u32(is, 2);
    store_u32(is + 4, 0);
}

static uint32_t width_of(const uint8_t *is) {
    return load_u32(is);
}

uint32_t intset_length(const uint8_t *is) {
    return load_u32(is + 4);
}

size_t intset_bytes(const uint8_t *is) {
    return INTSET_HEADER + (size_t)width_of(is) * intset_length(is);
}

static uint32_t width_for(int64_t v) {
    if (v >= INT16_MIN && v <= INT16_MAX) return 2;
    return v >= INT32_MIN && v <= INT32_MAX ? 4 : 8;
}

static int64_t get_at(const uint8_t *is, uint32_t index, uint32_t width) {
    const uint8_t *p = is + INTSET_HEADER + (size_t)index * width;
    if (width == 2) return (int16_t)load_u16(p);
    return width == 4 ? (int32_t)load_u32(p) : (int64_t)load_u64(p);
}

static void set_at(uint8_t *is, uint32_t index, uint32_t width, int64_t v) {
    uint8_t *p = is + INTSET_HEADER + (size_t)index * width;
    memcpy(p, &v, width);
}

int64_t intset_get(const uint8_t *is, uint32_t index) {
    return get_at(is, index, width_of(is));
}

bool intset_find(const uint8_t *is, int64_t v, uint32_t *pos) {
    uint32_t width = width_of(is), low = 0, high = intset_length(is);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (get_at(is, middle, width) < v)
            low = middle + 1;
        else
            high = middle;
    }
    *pos = low;
    return low < intset_length(is) && get_at(is, low, width) == v;
}

size_t intset_bytes_with(const uint8_t *is, int64_t v) {
    uint32_t width = width_for(v) > width_of(is) ? width_for(v) : width_of(is);
    return INTSET_HEADER + (size_t)width * (intset_length(is) + 1);
}

/* Every integer in the wider form, from the last on so that none is overwritten. */
static void widen(uint8_t *is, uint32_t width) {
    uint32_t old = width_of(is);
    for (uint32_t i = intset_length(is); i-- > 0;) set_at(is, i, width, get_at(is, i, old));
    store_u32(is, width);
}

bool intset_insert(uint8_t *is, int64_t v) {
    uint32_t pos, n = intset_length(is);
    if (intset_find(is, v, &pos)) return false;
    if (width_for(v) > width_of(is)) widen(is, width_for(v));
    uint32_t width = width_of(is);
    uint8_t *p = is + INTSET_HEADER + (size_t)pos * width;
    memmove(p + width, p, (size_t)(n - pos) * width);
    set_at(is, pos, width, v);
    store_u32(is + 4, n + 1);
    return true;
}

bool intset_delete(uint8_t *is, int64_t v) {
    uint32_t pos, n = intset_length(is), width = width_of(is);
    if (!intset_find(is, v, &pos)) return false;
    uint8_t *p = is + INTSET_HEADER + (size_t)pos * width;
    memmove(p, p + width, (size_t)(n - pos - 1) * width);
    store_u32(is + 4, n - 1);
    return true;
}

bool intset_valid(const uint8_t *is, size_t bytes) {
    if (bytes <= INTSET_HEADER) return false;
    uint32_t width = width_of(is), n = intset_length(is);
    if (width != 2 && width != 4 && width != 8) return false;
    if (n == 0 || bytes != INTSET_HEADER + (size_t)width * n) return false;
    for (uint32_t i = 1; i < n; i++)
        if (get_at(is, i - 1, width) >= get_at(is, i, width)) return false;
    return true;
}

void intset_check(const uint8_t *is) {
    ASSERT(intset_valid(is, intset_bytes(is)));
}
