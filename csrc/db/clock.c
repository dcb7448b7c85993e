/* clock.c - measuring how long a tick of the processor's counter is. */
#include "db/clock.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

#define MEASURE_NS 1000000u /* an error of 50 ns at each end is 0.01 % of it */
#define INVARIANT (1u << 8) /* of CPUID 80000007H, EDX: ticks are of one length in all states */

uint64_t clock_tick_scale;

#ifdef __x86_64__
__attribute__((constructor)) static void measure_ticks(void) {
    unsigned a, b, c, d = 0;
    if (!__get_cpuid(0x80000007u, &a, &b, &c, &d) || !(d & INVARIANT)) return;
    uint64_t start_ns = clock_monotonic_ns(), start = __builtin_ia32_rdtsc(), ns;
    while ((ns = clock_monotonic_ns() - start_ns) < MEASURE_NS) continue;
    uint64_t ticks = __builtin_ia32_rdtsc() - start;
    if (ticks) clock_tick_scale = (ns << 32) / ticks;
}
#endif
