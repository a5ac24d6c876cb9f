// Sparse inference on packed spikes: what a compiled network runs. sparse/kernels.py lays it out.
//
// A *string* holds the spikes of a feature map, one bit a neuron: words of 64 neurons, `[C][B][T]`, in which neuron
// (y, x) of a map W wide is bit (y W + x) % 64 of block (y W + x) / 64. For a convolution, strings are *expanded*:
// shifted copies, in which bit q is the input of output neuron q for one place of the kernel, or for several, some
// blocks apart. So the sum over a kernel reads whole words, and only for weights that are not zero.
//
// All strings lie in one arena of words, so that a layer may read those of several others. Whatever reads beyond the
// end of a channel reads its neighbour, and what comes of it is dropped.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels.hpp"

struct Neurons {
    float leak, v_threshold, v_reset;
    int32_t soft, decay_input;
};
SIZE_OF(Neurons)

struct Expand {
    const uint64_t* from;    // [C][B][T]
    uint64_t* to;            // copy i of channel c begins at i * copy + c * channel
    const uint64_t* valid;   // [copies][blocks][T]: output neurons whose input lies on the map
    const int32_t* shift;    // [copies] distance of the first bit of a copy and that of the map, in bits
    const int32_t* channels; // those to expand
    int64_t copies, copy, channel, B, T, blocks;
};
SIZE_OF(Expand)

enum Gathered : int32_t { COPIES, LARGEST, NUMBER };

struct Gather {              // windows of strings at a stride; outputs are not as many as inputs
    const uint64_t* from;    // [C][B][T]
    uint64_t* to;            // copy or plane i of channel c begins at i * copy + c * channel
    const uint64_t* valid;   // [taps][B][T]: neurons whose input lies on the map
    const uint64_t* chosen;  // [B][T]: neurons at which there is an output
    const uint64_t* moves;   // [6][B][T] bits that move by 1, 2, 4, ..., 32 for the chosen ones to be lowest
    const int32_t* place;    // [B + 1] outputs before each block
    const int32_t* shift;    // [taps] distance of an output and its input, in bits
    const int32_t* channels; // those to gather
    int64_t taps, copy, channel, B, T, size, planes;  // size: outputs
    int32_t what;
};
SIZE_OF(Gather)

struct Planes {              // the analog input, one plane for each place of the kernel
    const float* from;       // [steps][C][H][W]
    float* to;               // [steps][places][B * 64]
    const int32_t* place;    // [places][3] channel and offsets (y, x) of the kernel
    int64_t places, C, H, W, Ho, Wo, B, stride, padding;
};
SIZE_OF(Planes)

struct Sum {
    const uint64_t* strings; // expanded
    const float* planes;     // instead: analog input, [steps][places][B * 64]
    const int32_t* start;    // [K + 1]
    const int32_t* place;    // [start[K]] of each weight: words from `strings` to its copy and channel, or its plane
    const float* weight;
    const uint8_t* bytes;    // instead, of seven whole weights each, the sums of all subsets: [start[K] / 8][2][128],
                             // lower bytes and upper bytes
    const float* scale;      // [K] by which sums are multiplied
    const float* bias;       // [K]
    const uint64_t* valid;   // [B] neurons of the map
    const uint64_t* alive;   // [K][B] neurons that are not masked; null: all
    uint64_t* to;            // [K][B][T], or null
    float* currents;         // [K][T][B * 64], or null
    Neurons neurons;
    int64_t B, T, first, blocks;   // blocks: to do, from the first one on, with which `strings` begin
    int64_t still, places, most;   // still: the input is the same at every step; most: groups of `bytes` whose sum
                                   // fits 16 bits
};
SIZE_OF(Sum)

struct Listed {              // strings as lists of events, each a neuron that fires within 8 steps
    const uint64_t* from;    // [C][B][T]
    uint32_t* events;        // [C][capacity]: bit t: it fires at step t of those; from bit 8 on: the place of what it
                             // adds to, for an offset of 0, in units of 8 steps
    int32_t* count;          // [C]
    const int32_t* at;       // [B * 64] place of each neuron
    const int32_t* channels; // those to list
    int64_t capacity, B, T, spare;  // spare: a place of no neuron, for events that only fill up a list
};
SIZE_OF(Listed)

struct Scatter {
    Sum sum;                 // `place` of a weight is the list that it reads; `strings` and `planes` are not used
    const uint32_t* events;  // [lists][capacity]
    const int32_t* count;    // [lists]
    const int32_t* offset;   // of each weight, from where an event is to where it adds
    const int32_t* at;       // [B * 64] place of each output
    int64_t capacity, room;  // room: places that the sums of one output take
};
SIZE_OF(Scatter)

struct Trains {
    const uint64_t* from;    // [C][B][T]
    uint16_t* to;            // [ceil(T / 16)][features]: bit t % 16 of word t / 16
    int64_t B, T, size, features;
};
SIZE_OF(Trains)

struct Linear {
    const uint16_t* trains;  // [ceil(T / 16)][features]
    const float* values;     // instead: [features][lanes]
    const int32_t* start;    // [K + 1]
    const int32_t* place;    // of each weight: its feature, or of `values` how many times 16 lie before it
    const float* weight;
    const float* scale;      // [K] by which sums are multiplied
    const float* bias;
    const uint8_t* alive;    // [K]; null: all
    uint16_t* to;            // [ceil(T / 16)][K], or null
    float* currents;         // [K][lanes]; lanes = T rounded up to 16
    Neurons neurons;
    int64_t T, features, K;
};
SIZE_OF(Linear)

struct Mean {
    const uint64_t* from;    // [C][B][T]
    float* to;               // [C][lanes]
    int64_t B, T;
    float scale;
};
SIZE_OF(Mean)

namespace {
constexpr int64_t LANES = 16, BITS = 64, STEPS = 8;  // steps: of an event
ALWAYS_INLINE int64_t rounded(int64_t T) { return (T + LANES - 1) / LANES * LANES; }

// `words` of a string, from so many bits further on, where `valid`. What lies before and behind it is read as well.
ALWAYS_INLINE void shifted(const uint64_t* from, int64_t shift, const uint64_t* valid, int64_t T, int64_t words,
                           uint64_t* to) {
    const int64_t r = (shift % BITS + BITS) % BITS;
    const uint64_t* in = from + (shift - r) / BITS * T;
    for (int64_t j = 0; j < words; ++j) to[j] = (in[j] >> r | in[j + T] << 1 << (BITS - 1 - r)) & valid[j];
}

// [channels) of Expand.
ALWAYS_INLINE void expand(const Expand& a, int64_t begin, int64_t end) {
    const int64_t words = a.blocks * a.T;
    for (int64_t i = begin; i < end; ++i) {
        const int64_t c = a.channels[i];
        for (int64_t k = 0; k < a.copies; ++k)
            shifted(a.from + c * a.B * a.T, a.shift[k], a.valid + k * words, a.T, words, a.to + k * a.copy + c * a.channel);
    }
}

// The chosen bits of a string, one behind the other. Those of a word move down in six steps, in place.
ALWAYS_INLINE void compressed(const Gather& a, uint64_t* x, uint64_t* to) {
    const int64_t words = a.B * a.T;
    for (int64_t j = 0; j < words; ++j) x[j] &= a.chosen[j];
    for (int i = 0; i < 6; ++i) {
        const uint64_t* moves = a.moves + i * words;
        for (int64_t j = 0; j < words; ++j) {
            const uint64_t moved = x[j] & moves[j];
            x[j] = (x[j] ^ moved) | moved >> (1 << i);
        }
    }
    std::memset(to, 0, (a.size + BITS - 1) / BITS * a.T * 8);
    for (int64_t b = 0; b < a.B; ++b, x += a.T) {
        const int64_t shift = a.place[b] % BITS, n = a.place[b + 1] - a.place[b];
        uint64_t* out = to + a.place[b] / BITS * a.T;
        if (n)
            for (int64_t t = 0; t < a.T; ++t) out[t] |= x[t] << shift;
        if (shift + n > BITS)
            for (int64_t t = 0; t < a.T; ++t) out[t + a.T] |= x[t] >> (BITS - shift);
    }
}

// [channels) of Gather.
ALWAYS_INLINE void gather(const Gather& a, int64_t begin, int64_t end) {
    static thread_local std::vector<uint64_t> room;
    const int64_t words = a.B * a.T;
    room.resize(static_cast<size_t>(words * (a.planes + 1)));
    uint64_t *seen = room.data(), *sums = seen + words;
    for (int64_t i = begin; i < end; ++i) {
        const int64_t c = a.channels[i];
        uint64_t* to = a.to + c * a.channel;
        std::memset(sums, 0, static_cast<size_t>(words * a.planes) * 8);
        for (int64_t k = 0; k < a.taps; ++k) {
            shifted(a.from + c * words, a.shift[k], a.valid + k * words, a.T, words, seen);
            if (a.what == COPIES) compressed(a, seen, to + k * a.copy);
            if (a.what == LARGEST)
                for (int64_t j = 0; j < words; ++j) sums[j] |= seen[j];
            if (a.what == NUMBER) {
                for (int64_t p = 0; p < a.planes; ++p) {  // ripples the carry upwards
                    uint64_t* sum = sums + p * words;
                    for (int64_t j = 0; j < words; ++j) {
                        const uint64_t carry = sum[j] & seen[j];
                        sum[j] ^= seen[j];
                        seen[j] = carry;
                    }
                }
            }
        }
        for (int64_t p = 0; p < a.planes; ++p) compressed(a, sums + p * words, to + p * a.copy);
    }
}

// [steps * places) of Planes.
ALWAYS_INLINE void planes(const Planes& a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
        const int32_t* place = a.place + i % a.places * 3;
        const float* from = a.from + (i / a.places * a.C + place[0]) * a.H * a.W;
        float* to = a.to + i * a.B * BITS;
        const int64_t x = place[2] - a.padding;  // of the first column; columns [first, last) lie on the map
        const int64_t first = std::min(a.Wo, x < 0 ? (a.stride - 1 - x) / a.stride : 0);
        const int64_t last = std::max(first, std::min(a.Wo, (a.W - 1 - x + a.stride) / a.stride));
        for (int64_t yo = 0; yo < a.Ho; ++yo, to += a.Wo) {
            const int64_t y = yo * a.stride + place[1] - a.padding;
            const float* row = from + y * a.W + x;
            if (y < 0 || y >= a.H) {
                std::fill_n(to, a.Wo, 0.0f);
                continue;
            }
            std::fill(to, to + first, 0.0f);
            if (a.stride == 1) std::copy(row + first, row + last, to + first);
            else for (int64_t xo = first; xo < last; ++xo) to[xo] = row[xo * a.stride];
            std::fill(to + last, to + a.Wo, 0.0f);
        }
    }
}

// Bit j of byte i and bit i of byte j change places.
ALWAYS_INLINE uint64_t transposed(uint64_t x) {
    uint64_t y = (x ^ x >> 7) & 0x00aa00aa00aa00aa;
    x ^= y ^ y << 7;
    y = (x ^ x >> 14) & 0x0000cccc0000cccc;
    x ^= y ^ y << 14;
    y = (x ^ x >> 28) & 0x00000000f0f0f0f0;
    return x ^ y ^ y << 28;
}

// Words of 64 neurons at n <= 8 steps → for each neuron a byte, bit t of which is step t.
ALWAYS_INLINE void trained(const uint64_t* from, int64_t n, uint8_t* to) {
    uint8_t bytes[BITS] = {}, turned[BITS];
    std::memcpy(bytes, from, static_cast<size_t>(n) * 8);
    uint64_t words[8];
    for (int i = 0; i < 8; ++i)
        for (int t = 0; t < 8; ++t) turned[i * 8 + t] = bytes[t * 8 + i];
    std::memcpy(words, turned, sizeof words);
    for (uint64_t& word : words) word = transposed(word);
    std::memcpy(to, words, sizeof words);
}

// [channels) of Trains: the bits of a neuron over time, from the bits of a step over neurons.
ALWAYS_INLINE void trains(const Trains& a, int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
        for (int64_t b = 0; b < a.B; ++b) {
            const uint64_t* from = a.from + (c * a.B + b) * a.T;
            const int64_t n = std::min(BITS, a.size - b * BITS);
            for (int64_t t = 0; t < a.T; t += LANES) {
                uint8_t low[BITS], high[BITS] = {};
                uint16_t out[BITS];
                trained(from + t, std::min<int64_t>(8, a.T - t), low);
                if (a.T - t > 8) trained(from + t + 8, std::min<int64_t>(8, a.T - t - 8), high);
                for (int j = 0; j < BITS; ++j) out[j] = static_cast<uint16_t>(low[j] | high[j] << 8);
                std::memcpy(a.to + t / LANES * a.features + c * a.size + b * BITS, out, n * 2);
            }
        }
    }
}

// [channels) of Mean: the number of neurons that fire at each step, times `scale`.
ALWAYS_INLINE void mean(const Mean& a, int64_t begin, int64_t end) {
    const int64_t lanes = rounded(a.T);
    for (int64_t c = begin; c < end; ++c) {
        for (int64_t t = 0; t < lanes; ++t) {
            int n = 0;
            if (t < a.T)
                for (int64_t b = 0; b < a.B; ++b) n += __builtin_popcountll(a.from[(c * a.B + b) * a.T + t]);
            a.to[c * lanes + t] = a.scale * static_cast<float>(n);
        }
    }
}
}  // namespace

KERNEL(sparse_expand, Expand, expand)
KERNEL(sparse_gather, Gather, gather)
KERNEL(sparse_planes, Planes, planes)
KERNEL(sparse_trains, Trains, trains)
KERNEL(sparse_mean, Mean, mean)

// The sums need what compilers do not make of loops: adding under a mask of bits, looking sums up in a table. So these
// are compiled once for each instruction set, with the operations that it has.
#define SUMS(level)                                                                                                     \
    extern "C" void snnbook_sparse_sum_##level(const Sum* a, int64_t b, int64_t e) { level::sum(*a, b, e); }            \
    extern "C" void snnbook_sparse_listed_##level(const Listed* a, int64_t b, int64_t e) { level::listed(*a, b, e); }      \
    extern "C" void snnbook_sparse_scatter_##level(const Scatter* a, int64_t b, int64_t e) { level::scatter(*a, b, e); }    \
    extern "C" void snnbook_sparse_linear_##level(const Linear* a, int64_t b, int64_t e) { level::linear(*a, b, e); }
namespace portable {
#include "lanes.hpp"
#include "sums.hpp"
#include "events.hpp"
}
SUMS(portable)
#ifdef SNNBOOK_X86
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define AVX2 1
namespace avx2 {
#include "lanes.hpp"
#include "sums.hpp"
#include "events.hpp"
}
SUMS(avx2)
#undef AVX2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define AVX512 1
namespace avx512 {
#include "lanes.hpp"
#include "sums.hpp"
#include "events.hpp"
}
SUMS(avx512)
#undef AVX512
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,avx512vbmi,gfni")
#define AVX512 1
namespace tables {
#include "lanes.hpp"
#include "sums.hpp"
#include "tables.hpp"
}
extern "C" void snnbook_sparse_tables_avx512(const Sum* a, int64_t b, int64_t e) { tables::looked_up(*a, b, e); }
#undef AVX512
#pragma GCC pop_options
#endif
extern "C" int32_t snnbook_sparse_has_tables() {
#ifdef SNNBOOK_X86
    __builtin_cpu_init();
    return __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("gfni");
#else
    return 0;
#endif
}
