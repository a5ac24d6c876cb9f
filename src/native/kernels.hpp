// How a kernel is written once and compiled for every processor.
//
// The body is an ALWAYS_INLINE function on a range of items. KERNEL stamps out one exported version of it for each
// instruction set, `snnbook_<name>_<level>(args, begin, end)`; `snnbook_level` names the best one this processor runs
// and `snnbook_run` calls a version on all items, on one thread or on several. Bodies have no intrinsics: loops over
// L1-sized arrays that any compiler vectorises.
#pragma once
#include <cstdint>

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define INLINED __attribute__((always_inline))  // of a lambda

#if defined(__x86_64__) && defined(__GNUC__)
#define SNNBOOK_X86 1
#define TARGET(options) __attribute__((target(options)))
#define KERNEL(name, Args, body)                                                                              \
    extern "C" TARGET("arch=x86-64-v4") void snnbook_##name##_avx512(                  \
        const Args* a, int64_t begin, int64_t end) { body(*a, begin, end); }                                   \
    extern "C" TARGET("arch=x86-64-v3") void snnbook_##name##_avx2(const Args* a, int64_t begin, int64_t end) { \
        body(*a, begin, end);                                                                                 \
    }                                                                                                         \
    extern "C" void snnbook_##name##_portable(const Args* a, int64_t begin, int64_t end) { body(*a, begin, end); }
#else
#define KERNEL(name, Args, body) \
    extern "C" void snnbook_##name##_portable(const Args* a, int64_t begin, int64_t end) { body(*a, begin, end); }
#endif
