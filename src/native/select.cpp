// The passes over the weights that find a global threshold and cut at it; pruning/parts/cut.py has the algorithm.
//
// The `bits` of a weight are its float32 without the sign, read as an integer: they are ordered as the magnitudes are.
#include <cstring>

#include "kernels.hpp"

struct Select {
    const uint32_t* weights;
    const uint8_t* alive;  // null if all are
    void* out;
    int64_t count;         // written by the pass: see there
    uint32_t low, high;    // the bits that are wanted, both ends included
};
SIZE_OF(Select)

namespace {
constexpr int64_t BLOCK = 512;  // flags of a block stay in L1
constexpr uint32_t MAGNITUDE = 0x7fffffff, BINS = 1 << 16, OFFSET = 0x7fff;
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "collect finds flags by the position of their bytes");

typedef uint64_t Pair __attribute__((vector_size(16), aligned(8)));

// out [BINS + 32] pairs, added to: over the nonzero weights of a bin, which share the upper 16 of their 31 bits, and with
// d the other 15, (count << 39) + sum of d, and sum of d * d. There is room for 2^24 - 1 weights. The additions to memory
// are what takes the time, hence one for all three sums; and as additions to one address wait for each other, zeros, of
// which a pruned network is full, go to 32 spare pairs in turn.
ALWAYS_INLINE void histogram(const Select& a, int64_t begin, int64_t end) {
    const uint32_t* weights = a.weights;
    Pair* table = static_cast<Pair*>(a.out);
    for (int64_t i = begin; i < end; ++i) {
        const uint32_t bits = weights[i] & MAGNITUDE;
        const uint64_t d = bits & OFFSET;
        const uint32_t spare = (BINS + (uint32_t(i) & 31)) & -uint32_t(bits == 0);  // no branch: zeros come at random
        table[bits >> 15 | spare] += Pair{(uint64_t(1) << 39) + d, d * d};
    }
}

// out [n] <- the bits that are wanted; count <- their number.
ALWAYS_INLINE void collect(const Select& a, int64_t begin, int64_t end) {
    const uint32_t* __restrict weights = a.weights;
    uint32_t* __restrict out = static_cast<uint32_t*>(a.out);
    const uint32_t low = a.low, width = a.high - a.low;
    int64_t count = 0;
    uint8_t wanted[BLOCK];
    for (int64_t i = begin; i < end; i += BLOCK) {
        const int64_t n = end - i < BLOCK ? end - i : BLOCK;
        if (n < BLOCK) std::memset(wanted, 0, BLOCK);
        for (int64_t j = 0; j < n; ++j) wanted[j] = (weights[i + j] & MAGNITUDE) - low <= width;
        for (int64_t j = 0; j < n; j += 8) {
            uint64_t eight;
            std::memcpy(&eight, wanted + j, 8);
            for (; eight; eight &= eight - 1) {
                out[count++] = weights[i + j + (__builtin_ctzll(eight) >> 3)] & MAGNITUDE;
            }
        }
    }
    const_cast<Select&>(a).count = count;
}

// out [n] bool <- bits are at least `low`; count <- 1 if some weight that is not alive is not zero.
ALWAYS_INLINE void mask(const Select& a, int64_t begin, int64_t end) {
    const uint32_t* __restrict weights = a.weights;
    const uint8_t* __restrict alive = a.alive;
    uint8_t* __restrict out = static_cast<uint8_t*>(a.out);
    const uint32_t low = a.low;
    if (!alive) {
        for (int64_t i = begin; i < end; ++i) out[i] = (weights[i] & MAGNITUDE) >= low;
        return;
    }
    uint8_t stray = 0;
    for (int64_t i = begin; i < end; ++i) {
        const uint32_t bits = weights[i] & MAGNITUDE;
        out[i] = bits >= low;
        stray |= uint8_t(bits != 0) & uint8_t(alive[i] ^ 1);
    }
    if (stray) __atomic_store_n(&const_cast<Select&>(a).count, 1, __ATOMIC_RELAXED);
}
}  // namespace

KERNEL(select_histogram, Select, histogram)
KERNEL(select_collect, Select, collect)
KERNEL(select_mask, Select, mask)
