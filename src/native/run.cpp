// Which version of the kernels this processor runs, and running one on several threads.
#include "kernels.hpp"

namespace {
using Kernel = void (*)(const void* args, int64_t begin, int64_t end);
// The two entry points of the OpenMP library that torch has loaded: its own threads do the work, so there is no second
// pool that competes with them for the cores.
void (*parallel)(void (*)(void*), void*, unsigned, unsigned) = nullptr;
int (*thread_number)() = nullptr;

struct Task {
    Kernel kernel;
    const void* args;
    int64_t n, share;
};

void part(void* p) {
    const Task& task = *static_cast<Task*>(p);
    const int64_t begin = thread_number() * task.share;
    const int64_t end = begin + task.share < task.n ? begin + task.share : task.n;
    if (begin < end) task.kernel(task.args, begin, end);
}
}  // namespace

extern "C" {

int32_t snnbook_abi() { return 2; }

const char* snnbook_level() {
#ifdef SNNBOOK_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return "avx512";
    if (__builtin_cpu_supports("x86-64-v3")) return "avx2";
#endif
    return "portable";
}

void snnbook_use_openmp(void* gomp_parallel, void* omp_get_thread_num) {
    parallel = reinterpret_cast<decltype(parallel)>(gomp_parallel);
    thread_number = reinterpret_cast<decltype(thread_number)>(omp_get_thread_num);
}

// Calls `kernel` on [0, n) in `threads` parts, each but the last a multiple of `grain` items.
void snnbook_run(Kernel kernel, const void* args, int64_t n, int64_t grain, int32_t threads) {
    const int64_t grains = (n + grain - 1) / grain;
    if (!parallel || threads < 2 || grains < 2) return kernel(args, 0, n);
    Task task{kernel, args, n, (grains + threads - 1) / threads * grain};
    parallel(part, &task, static_cast<unsigned>(threads), 0);
}
}
