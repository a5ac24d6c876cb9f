// How a kernel is written once and compiled for every processor.
//
// The body is an ALWAYS_INLINE function on a range of items. KERNEL stamps out one exported version of it for each
// instruction set, `snnbook_<name>_<level>(args, begin, end)`; `snnbook_level` names the best one this processor runs
// and `snnbook_run` calls a version on all items, on one thread or on several. Its bodies have no intrinsics: loops over
// L1-sized arrays that any compiler vectorises.
#pragma once
#include <cstdint>

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define INLINED __attribute__((always_inline))  // of a lambda

#define STAMP(name, Args, body, level, target) \
    extern "C" target void snnbook_##name##_##level(const Args* a, int64_t begin, int64_t end) { body(*a, begin, end); }

// The size of a structure of arguments: native.py has the same fields and compares the sizes when it loads the library.
#define SIZE_OF(Args) \
    extern "C" int32_t snnbook_sizeof_##Args() { return static_cast<int32_t>(sizeof(Args)); }

#if defined(__x86_64__) && defined(__GNUC__)
#define SNNBOOK_X86 1
#define ARCHITECTURE(name) __attribute__((target("arch=" name)))
#define KERNEL(name, Args, body)                                           \
    STAMP(name, Args, body, portable, )                                    \
    STAMP(name, Args, body, avx2, ARCHITECTURE("x86-64-v3"))               \
    STAMP(name, Args, body, avx512, ARCHITECTURE("x86-64-v4"))
#else
#define KERNEL(name, Args, body) STAMP(name, Args, body, portable, )
#endif
