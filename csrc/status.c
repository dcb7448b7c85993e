/* status.c - texts of the status list. */
#include "status.h"

#define STATUS_TEXT(name, prefix, text) prefix " " text,
static const char *const texts[] = { STATUS_LIST(STATUS_TEXT) };
#define STATUS_NAME(name, prefix, text) #name,
static const char *const names[] = { STATUS_LIST(STATUS_NAME) };

const char *status_text(status st) {
    return texts[st < ST_COUNT ? st : ST_SYNTAX];
}

const char *status_name(status st) {
    return names[st < ST_COUNT ? st : ST_SYNTAX];
}
