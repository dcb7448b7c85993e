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

size_t stream_id_text(char out[STREAM_ID_TEXT], struct stream_id id) {
    size_t n = u64_to_text(out, id.ms);
    out[n++] = '-';
    return n + u64_to_text(out + n, id.seq);
}
