// The LIF recursion over T steps, fused: one pass over the input forwards, one backwards.
//
// Every function handles a block of neurons at a time, so that the state of the block stays in registers or L1 while
// its T inputs stream through. The loops over a block have no branches and are vectorised by the compiler;
// `target_clones` keeps an AVX-512, an AVX2 and a portable version and the loader picks one. The order of operations is
// that of lif_step in neurons.py and contraction into FMA is off, so the spikes are equal to the reference's, bit for bit.
#include <cstdint>

#if defined(__x86_64__) && defined(__gnu_linux__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

namespace {
constexpr int64_t BLOCK = 64;
constexpr float HALF_PI = 1.57079632679489661923f;
}  // namespace

struct Lif {
    float leak, v_threshold, v_reset, alpha;
    int32_t soft, decay_input, detach_reset;
};

extern "C" {

int32_t snnbook_abi() { return 1; }

// x: T rows of m floats, row t starting at x + t * stride (stride 0: the same row at every step); s: [T, m].
CLONES void snnbook_lif_forward(const float* x, float* s, int64_t T, int64_t m, int64_t stride, const Lif* q) {
    const Lif p = *q;
    const float rest = p.soft ? 0.0f : p.v_reset;
    for (int64_t i = 0; i < m; i += BLOCK) {
        const int64_t n = m - i < BLOCK ? m - i : BLOCK;
        float v[BLOCK];
        for (int64_t j = 0; j < BLOCK; ++j) v[j] = rest;
        for (int64_t t = 0; t < T; ++t) {
            const float* xt = x + t * stride + i;
            float* st = s + t * m + i;
            for (int64_t j = 0; j < n; ++j) {
                const float h = p.decay_input ? v[j] + (xt[j] - (v[j] - rest)) * p.leak
                                              : v[j] - (v[j] - rest) * p.leak + xt[j];
                const float fired = h - p.v_threshold >= 0.0f ? 1.0f : 0.0f;
                st[j] = fired;
                v[j] = p.soft ? h - p.v_threshold * fired : h * (1.0f - fired) + p.v_reset * fired;
            }
        }
    }
}

// g: gradient of the spikes [T, m] contiguous; gx: gradient of the input [T, m]. work: T * 64 floats of scratch.
CLONES void snnbook_lif_backward(const float* g, const float* x, float* gx, int64_t T, int64_t m, int64_t stride,
                                 const Lif* q, float* work) {
    const Lif p = *q;
    const float rest = p.soft ? 0.0f : p.v_reset;
    const float keep = 1.0f - p.leak, gain = p.decay_input ? p.leak : 1.0f;
    for (int64_t i = 0; i < m; i += BLOCK) {
        const int64_t n = m - i < BLOCK ? m - i : BLOCK;
        float v[BLOCK], gv[BLOCK];
        for (int64_t j = 0; j < BLOCK; ++j) { v[j] = rest; gv[j] = 0.0f; }
        for (int64_t t = 0; t < T; ++t) {
            const float* xt = x + t * stride + i;
            float* ht = work + t * BLOCK;
            for (int64_t j = 0; j < n; ++j) {
                const float h = p.decay_input ? v[j] + (xt[j] - (v[j] - rest)) * p.leak
                                              : v[j] - (v[j] - rest) * p.leak + xt[j];
                const float fired = h - p.v_threshold >= 0.0f ? 1.0f : 0.0f;
                ht[j] = h;
                v[j] = p.soft ? h - p.v_threshold * fired : h * (1.0f - fired) + p.v_reset * fired;
            }
        }
        for (int64_t t = T - 1; t >= 0; --t) {
            const float* ht = work + t * BLOCK;
            const float* gt = g + t * m + i;
            float* gxt = gx + t * m + i;
            for (int64_t j = 0; j < n; ++j) {
                const float u = ht[j] - p.v_threshold;
                const float fired = u >= 0.0f ? 1.0f : 0.0f;
                const float z = HALF_PI * p.alpha * u;
                const float slope = 0.5f * p.alpha / (1.0f + z * z);
                const float through = p.soft ? 1.0f : 1.0f - fired;                  // dv/dh with the spike held fixed
                const float jump = p.soft ? -p.v_threshold : p.v_reset - ht[j];      // dv/ds
                const float gs = gt[j] + (p.detach_reset ? 0.0f : gv[j] * jump);
                const float gh = gs * slope + gv[j] * through;
                gxt[j] = gh * gain;
                gv[j] = gh * keep;
            }
        }
    }
}
}
