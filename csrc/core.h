/* core.h - all that Python sees of the C core; cffi reads this very text.
 *
 * Plain declarations only: no macros, no inline functions. Ownership is said at each function.
 */
#ifndef SHMREDIS_CORE_H
#define SHMREDIS_CORE_H
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

struct arena;
struct engine;
struct session;

#endif
