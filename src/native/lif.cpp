// The LIF recursion over T steps, fused: one pass over the input forwards, one backwards.
//
// A block of neurons goes through all its steps at a time, so that its state stays in the cache while the T rows of its
// input, which are megabytes apart, are read once and in stretches. The backward pass recomputes the potentials, so that
// only the input is kept. What counts is memory: rows are called up ahead of time and large results go past the cache.
//
// The order of operations is that of lif_step in neurons.py and contraction into FMA is off, so the spikes are equal
// to the reference's, bit for bit. All arithmetic is in float32; bfloat16 is only a way of storing.
#include <algorithm>
#include <cstring>
#include <memory>

#include "kernels.hpp"
#ifdef SNNBOOK_X86
#include <emmintrin.h>
#endif

struct Lif {
    const void *x, *grad_s, *grad_h;  // grad_h: null for zero
    const uint8_t* mask;              // [m], null if all neurons are alive
    void *s, *h, *grad_x;             // h: null if the potentials are not asked for
    int64_t T, m, stride;             // T rows of m neurons; row t of x starts at t * stride, of all others at t * m
    float leak, v_threshold, v_reset, scale, steepness;
    int32_t soft, decay_input, detach_reset, logistic, bf16;
};
SIZE_OF(Lif)

namespace {
constexpr int64_t BLOCK = 1024;                // neurons, at most; of float32 half as many, so that both are 2 KB a row
constexpr int64_t PIECE = 128;                 // neurons: so much is called up, then so much computed
constexpr int64_t AHEAD = 2;                   // rows called up before their turn
constexpr int64_t WORK = 1 << 16;              // floats of potentials that the backward pass keeps in L2
constexpr int64_t CACHED = int64_t(1) << 20;   // bytes: a larger result has left L2 when it is read

// n values from position `at`, as float32: in place, or converted into `buffer`.
ALWAYS_INLINE const float* load(const void* from, int64_t at, int64_t n, float* buffer, bool bf16) {
    if (!bf16) return static_cast<const float*>(from) + at;
    const uint16_t* q = static_cast<const uint16_t*>(from) + at;
    for (int64_t j = 0; j < n; ++j) {
        const uint32_t bits = static_cast<uint32_t>(q[j]) << 16;
        std::memcpy(buffer + j, &bits, 4);
    }
    return buffer;
}

// Calls body(j, k) on the n neurons of a block, a piece of k from j on at a time.
template <class Body>
ALWAYS_INLINE void in_pieces(int64_t n, Body body) {
    for (int64_t j = 0; j < n; j += PIECE) body(j, std::min(PIECE, n - j));
}

// Calls up n values from position `at`: the processor guesses the next line of a row, but not the next row.
ALWAYS_INLINE void prefetch(const void* from, int64_t at, int64_t n, bool bf16) {
    const int64_t size = bf16 ? 2 : 4;
    const char* place = static_cast<const char*>(from) + at * size;
    for (int64_t i = 0; i < n * size; i += 64) __builtin_prefetch(place + i, 0, 2);
}

// Copies past the cache, where it would only displace what is still to be read.
ALWAYS_INLINE void stream(void* to, const void* from, int64_t bytes) {
#ifdef SNNBOOK_X86
    constexpr int64_t WORD = sizeof(__m128i);
    char* d = static_cast<char*>(to);
    const char* f = static_cast<const char*>(from);
    const int64_t head = std::min<int64_t>(bytes, (WORD - reinterpret_cast<uintptr_t>(d) % WORD) % WORD);
    const int64_t end = head + (bytes - head) / WORD * WORD;
    std::memcpy(d, f, head);
    for (int64_t i = head; i < end; i += WORD)
        _mm_stream_si128(reinterpret_cast<__m128i*>(d + i), _mm_loadu_si128(reinterpret_cast<const __m128i*>(f + i)));
    std::memcpy(d + end, f + end, bytes - end);
#else
    std::memcpy(to, from, bytes);
#endif
}

// Waits until what was streamed can be seen by other threads.
ALWAYS_INLINE void finish() {
#ifdef SNNBOOK_X86
    _mm_sfence();
#endif
}

// Where results of a block are computed: `buffer`, or their final place if they need no more work.
ALWAYS_INLINE float* target(void* to, int64_t at, float* buffer, bool bf16, bool past) {
    return bf16 || past ? buffer : static_cast<float*>(to) + at;
}

// Brings n results from `from` to position `at`; bfloat16 by rounding to the nearest even.
ALWAYS_INLINE void store(void* to, int64_t at, int64_t n, const float* from, bool bf16, bool past) {
    if (bf16) {
        uint16_t out[BLOCK];
        for (int64_t j = 0; j < n; ++j) {
            uint32_t bits;
            std::memcpy(&bits, from + j, 4);
            const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
            out[j] = static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);  // NaN stays NaN
        }
        uint16_t* place = static_cast<uint16_t*>(to) + at;
        past ? stream(place, out, 2 * n) : void(std::memcpy(place, out, 2 * n));
    } else if (past) {
        stream(static_cast<float*>(to) + at, from, 4 * n);
    }
}

enum Reset { SOFT, TO_ZERO, TO_VALUE };
enum Wanted { SPIKES, POTENTIALS, BOTH };

// One step of n neurons: potentials v before, input x; out come v after, spikes s, potentials before reset h.
template <Reset RESET, bool DECAY, Wanted WANTED>
ALWAYS_INLINE void charge(const Lif& p, int64_t n, const float* __restrict x, float* __restrict v,
                          float* __restrict h, float* __restrict s) {
    const float rest = RESET == TO_VALUE ? p.v_reset : 0.0f, leak = p.leak, threshold = p.v_threshold;
    for (int64_t j = 0; j < n; ++j) {
        const float u = DECAY ? v[j] + (x[j] - (v[j] - rest)) * leak : v[j] - (v[j] - rest) * leak + x[j];
        const bool fired = u >= threshold;
        if (WANTED != SPIKES) h[j] = u;
        if (WANTED != POTENTIALS) s[j] = fired ? 1.0f : 0.0f;
        // u - u and not 0: an infinite potential leaves NaN behind, as in the reference
        v[j] = fired ? (RESET == SOFT ? u - threshold : u - u + rest) : u;
    }
}

template <Wanted WANTED, class... Arrays>
ALWAYS_INLINE void charge(const Lif& p, Arrays... arrays) {
    if (p.soft)
        p.decay_input ? charge<SOFT, true, WANTED>(p, arrays...) : charge<SOFT, false, WANTED>(p, arrays...);
    else if (p.v_reset == 0.0f)
        p.decay_input ? charge<TO_ZERO, true, WANTED>(p, arrays...) : charge<TO_ZERO, false, WANTED>(p, arrays...);
    else
        p.decay_input ? charge<TO_VALUE, true, WANTED>(p, arrays...) : charge<TO_VALUE, false, WANTED>(p, arrays...);
}

// exp(y) for y <= 0 within 2e-7 relative, 0 where it would be denormal; y = n ln 2 + r, a polynomial in r.
ALWAYS_INLINE float exp_negative(float y) {
    const float n = (y * 1.44269504f + 12582912.0f) - 12582912.0f;
    const float r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
    float q = 1.9875691500e-4f;
    q = q * r + 1.3981999507e-3f;
    q = q * r + 8.3334519073e-3f;
    q = q * r + 4.1665795894e-2f;
    q = q * r + 1.6666665459e-1f;
    q = q * r + 5.0000001201e-1f;
    q = q * (r * r) + r + 1.0f;
    const float clamped = n < -126.0f ? -126.0f : n;
    const uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(clamped) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return y < -87.0f ? 0.0f : q * power;
}

// The derivative of a surrogate u above the threshold: scale / (1 + (steepness u)^2), or that of a logistic function.
template <bool LOGISTIC>
ALWAYS_INLINE float slope(const Lif& p, float u) {
    const float z = p.steepness * u;
    if (!LOGISTIC) return p.scale / (1.0f + z * z);
    const float e = exp_negative(z < 0.0f ? z : -z);
    return p.scale * e / ((1.0f + e) * (1.0f + e));
}

// One step backwards: gradient of the potential after the step in grad_v, that of the one before it out.
template <bool SOFT, bool DETACH, bool LOGISTIC, bool POTENTIAL>
ALWAYS_INLINE void back(const Lif& p, int64_t n, const float* __restrict h, const float* __restrict grad_s,
                        const float* __restrict grad_h, float* __restrict grad_v, float* __restrict grad_x) {
    const float keep = 1.0f - p.leak, gain = p.decay_input ? p.leak : 1.0f;
    for (int64_t j = 0; j < n; ++j) {
        const float u = h[j] - p.v_threshold, gv = grad_v[j];
        const float jump = SOFT ? -p.v_threshold : p.v_reset - h[j];  // dv/ds
        const float gs = DETACH ? grad_s[j] : grad_s[j] + gv * jump;
        const float through = SOFT || u < 0.0f ? gv : gv - gv;        // dv/dh = 0 after a hard reset
        float gh = gs * slope<LOGISTIC>(p, u) + through;
        if (POTENTIAL) gh += grad_h[j];
        grad_x[j] = gh * gain;
        grad_v[j] = gh * keep;
    }
}

template <bool SOFT, bool DETACH, class... Arrays>
ALWAYS_INLINE void back_of(const Lif& p, Arrays... arrays) {
    if (p.logistic)
        p.grad_h ? back<SOFT, DETACH, true, true>(p, arrays...) : back<SOFT, DETACH, true, false>(p, arrays...);
    else
        p.grad_h ? back<SOFT, DETACH, false, true>(p, arrays...) : back<SOFT, DETACH, false, false>(p, arrays...);
}

template <class... Arrays>
ALWAYS_INLINE void back(const Lif& p, Arrays... arrays) {
    if (p.soft)
        p.detach_reset ? back_of<true, true>(p, arrays...) : back_of<true, false>(p, arrays...);
    else
        p.detach_reset ? back_of<false, true>(p, arrays...) : back_of<false, false>(p, arrays...);
}

ALWAYS_INLINE void lif_forward(const Lif& p, int64_t begin, int64_t end) {
    const bool bf16 = p.bf16, past = p.T * p.m * (bf16 ? 2 : 4) > CACHED;
    alignas(64) float v[BLOCK], x_buffer[BLOCK], h_buffer[BLOCK], s_buffer[BLOCK];
    const int64_t size = bf16 ? BLOCK : BLOCK / 2;
    for (int64_t i = begin; i < end; i += size) {
        const int64_t n = std::min(size, end - i);
        std::fill_n(v, n, p.v_reset);
        for (int64_t t = 0; t < p.T; ++t) {
            const int64_t at = t * p.m + i;
            const int64_t coming = (t + AHEAD) % p.T * p.stride + i + (t + AHEAD) / p.T * size;
            const float* x = load(p.x, t * p.stride + i, n, x_buffer, bf16);
            float* s = target(p.s, at, s_buffer, bf16, past);
            float* h = p.h ? target(p.h, at, h_buffer, bf16, past) : h_buffer;
            in_pieces(n, [&](int64_t j, int64_t k) INLINED {
                prefetch(p.x, coming + j, k, bf16);
                p.h ? charge<BOTH>(p, k, x + j, v + j, h + j, s + j) : charge<SPIKES>(p, k, x + j, v + j, h + j, s + j);
            });
            if (p.h) store(p.h, at, n, h, bf16, past);
            if (p.mask)
                for (int64_t j = 0; j < n; ++j) s[j] = p.mask[i + j] ? s[j] : 0.0f;
            store(p.s, at, n, s, bf16, past);
        }
    }
    finish();
}

ALWAYS_INLINE void lif_backward(const Lif& p, int64_t begin, int64_t end) {
    const bool bf16 = p.bf16, past = p.T * p.m * (bf16 ? 2 : 4) > CACHED;
    const int64_t size = std::max<int64_t>(16, std::min(bf16 ? BLOCK : BLOCK / 2, WORK / p.T / 16 * 16));
    const std::unique_ptr<float[]> potentials(new float[p.T * size]);
    alignas(64) float v[BLOCK], in_buffer[BLOCK], h_buffer[BLOCK], out_buffer[BLOCK];
    for (int64_t i = begin; i < end; i += size) {
        const int64_t n = std::min(size, end - i);
        // Row r of those that a block reads, x forwards and then grad_s backwards: k of its neurons from j on.
        const auto call_up = [&](int64_t r, int64_t j, int64_t k) INLINED {
            if (r < p.T) prefetch(p.x, r * p.stride + i + j, k, bf16);
            else if (r < 2 * p.T) prefetch(p.grad_s, (2 * p.T - 1 - r) * p.m + i + j, k, bf16);
            else prefetch(p.x, (r - 2 * p.T) * p.stride + i + size + j, k, bf16);
        };
        std::fill_n(v, n, p.v_reset);
        for (int64_t t = 0; t < p.T; ++t) {
            const float* x = load(p.x, t * p.stride + i, n, in_buffer, bf16);
            float* h = potentials.get() + t * size;
            in_pieces(n, [&](int64_t j, int64_t k) INLINED {
                call_up(t + AHEAD, j, k);
                charge<POTENTIALS>(p, k, x + j, v + j, h + j, h + j);
            });
        }
        std::fill_n(v, n, 0.0f);  // from here on the gradient of the potential
        for (int64_t t = p.T - 1; t >= 0; --t) {
            const int64_t at = t * p.m + i;
            const float* grad_s = load(p.grad_s, at, n, in_buffer, bf16);
            const float* grad_h = p.grad_h ? load(p.grad_h, at, n, h_buffer, bf16) : nullptr;
            if (p.mask) {
                for (int64_t j = 0; j < n; ++j) in_buffer[j] = p.mask[i + j] ? grad_s[j] : 0.0f;
                grad_s = in_buffer;
            }
            float* grad_x = target(p.grad_x, at, out_buffer, bf16, past);
            const float* h = potentials.get() + t * size;
            in_pieces(n, [&](int64_t j, int64_t k) INLINED {
                call_up(2 * p.T - 1 - t + AHEAD, j, k);
                back(p, k, h + j, grad_s + j, grad_h ? grad_h + j : nullptr, v + j, grad_x + j);
            });
            store(p.grad_x, at, n, grad_x, bf16, past);
        }
    }
    finish();
}
}  // namespace

KERNEL(lif_forward, Lif, lif_forward)
KERNEL(lif_backward, Lif, lif_backward)
