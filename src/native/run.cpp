// Which version of the kernels this processor runs, and running one on several threads.
#include "kernels.hpp"

namespace {
using Kernel = void (*)(const void* args, int64_t begin, int64_t end);
// Entry points of the OpenMP library that torch has loaded: its own threads do the work, so there is no second pool that
// competes with them for the cores.
void (*parallel)(void (*)(void*), void*, unsigned, unsigned) = nullptr;
int (*thread_number)() = nullptr;
int (*threads_there)() = nullptr;

struct Task {
    Kernel kernel;
    const void* args;
    int64_t n, share;
};

void part(void* p) {
    const Task& task = *static_cast<Task*>(p);
    const int64_t step = threads_there() * task.share;  // OpenMP may give fewer threads than it was asked for
    for (int64_t begin = thread_number() * task.share; begin < task.n; begin += step)
        task.kernel(task.args, begin, begin + task.share < task.n ? begin + task.share : task.n);
}
}  // namespace

struct Item {  // a kernel of a sequence
    Kernel kernel;
    const void* args;
    int64_t n, grain;
};
SIZE_OF(Item)

extern "C" {

// Raise it, here and in native.py, when what may be called or what a field means changes.
int32_t snnbook_abi() { return 4; }

const char* snnbook_level() {
#ifdef SNNBOOK_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return "avx512";
    if (__builtin_cpu_supports("x86-64-v3")) return "avx2";
#endif
    return "portable";
}

void snnbook_use_openmp(void* gomp_parallel, void* omp_get_thread_num, void* omp_get_num_threads) {
    parallel = reinterpret_cast<decltype(parallel)>(gomp_parallel);
    thread_number = reinterpret_cast<decltype(thread_number)>(omp_get_thread_num);
    threads_there = reinterpret_cast<decltype(threads_there)>(omp_get_num_threads);
}

// Calls `kernel` on [0, n) in `threads` parts, each but the last a multiple of `grain` items.
void snnbook_run(Kernel kernel, const void* args, int64_t n, int64_t grain, int32_t threads) {
    const int64_t grains = (n + grain - 1) / grain;
    if (!parallel || threads < 2 || grains < 2) return kernel(args, 0, n);
    Task task{kernel, args, n, (grains + threads - 1) / threads * grain};
    parallel(part, &task, static_cast<unsigned>(threads), 0);
}

// Kernels one after the other.
void snnbook_sequence(const Item* items, int64_t n, int32_t threads) {
    for (int64_t i = 0; i < n; ++i) snnbook_run(items[i].kernel, items[i].args, items[i].n, items[i].grain, threads);
}
}
