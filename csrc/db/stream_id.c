/* stream_id.c - neighbours and texts of ids. */
#include "db/stream_id.h"

bool stream_id_next(struct stream_id *id) {
    if (id->seq != UINT64_MAX) return id->seq++, true;
    if (id->ms == UINT64_MAX) return false;
    *id = (struct stream_id){ id->ms + 1, 0 };
    return true;
}

bool stream_id_prev(struct stream_id *id) {
    if (id->seq != 0) return id->seq--, true;
    if (id->ms == 0) return false;
    *id = (struct stream_id){ id->ms - 1, UINT64_MAX };
    return true;
}

size_t u64_to_text(char out[20], uint64_t v) {
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (size_t i = 0; i < n; i++) out[i] = digits[n - 1 - i];
    return n;
}

size_t stream_id_text(char out[STREAM_ID_TEXT], struct stream_id id) {
    size_t n = u64_to_text(out, id.ms);
    out[n++] = '-';
    return n + u64_to_text(out + n, id.seq);
}

bool str_to_u64(struct str s, uint64_t *out) {
    uint64_t v = 0;
    if (s.n == 0 || s.n > 40) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}
