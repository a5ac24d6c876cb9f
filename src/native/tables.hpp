// Sums by table: of eight weights at once, for processors that transpose bits (GFNI) and bytes (VBMI). Included by
// sparse.cpp behind sums.hpp: no include guard.
//
// The bits of eight inputs at one neuron are the number of a subset of their eight weights. Two tables of 16, one for
// each half, hold the sums of all subsets; a sum over n weights takes n / 4 additions. To get the numbers, the words
// of eight inputs, bits of 64 neurons each, are transposed to 64 bytes, one for each neuron: as whole words, as bytes,
// and then as bits, 8 by 8, which is what the Galois field product with a matrix of data does to the unit vectors.

constexpr int EIGHT = 8;
constexpr int64_t BATCH = 64;   // groups of eight whose numbers are kept at a time: 32 KB

// Words f to f + 7 of eight strings → `to [8][64]`: for each word, the numbers of its neurons. Whether any is not zero.
ALWAYS_INLINE bool number(const uint64_t* from, const int32_t* place, uint8_t* to) {
    alignas(64) static constexpr auto order = [] {  // byte b of input i, to byte 7 - i of matrix b
        struct { uint8_t byte[64]; } made{};
        for (int b = 0; b < 8; ++b)
            for (int i = 0; i < 8; ++i) made.byte[b * 8 + 7 - i] = static_cast<uint8_t>(i * 8 + b);
        return made;
    }();
    const __m512i bytes = _mm512_load_si512(order.byte), units = _mm512_set1_epi64(static_cast<int64_t>(0x8040201008040201));
    __m512i x[EIGHT], y[EIGHT];
    for (int i = 0; i < EIGHT; ++i) {
        x[i] = _mm512_loadu_si512(from + place[i]);
        _mm_prefetch(from + place[i] + EIGHT, _MM_HINT_T0);  // too many strings for the processor to foresee it
    }
    const __m512i any = _mm512_or_si512(_mm512_ternarylogic_epi64(_mm512_or_si512(x[0], x[1]), x[2], x[3], 0xfe),
                                        _mm512_ternarylogic_epi64(_mm512_or_si512(x[4], x[5]), x[6], x[7], 0xfe));
    if (!_mm512_test_epi64_mask(any, any)) return false;
    for (int i = 0; i < EIGHT; i += 2) {
        y[i] = _mm512_unpacklo_epi64(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_epi64(x[i], x[i + 1]);
    }
    for (int i = 0; i < 2; ++i) {
        for (int half = 0; half < EIGHT; half += 4) {
            x[i + half] = _mm512_shuffle_i64x2(y[i + half], y[i + half + 2], 0x88);
            x[i + half + 2] = _mm512_shuffle_i64x2(y[i + half], y[i + half + 2], 0xdd);
        }
    }
    for (int i = 0; i < 4; ++i) {
        y[i] = _mm512_shuffle_i64x2(x[i], x[i + 4], 0x88);
        y[i + 4] = _mm512_shuffle_i64x2(x[i], x[i + 4], 0xdd);
    }
    for (int i = 0; i < EIGHT; ++i) {
        const __m512i matrix = _mm512_permutexvar_epi8(bytes, y[i]);
        _mm512_storeu_si512(to + i * BITS, _mm512_gf2p8affine_epi64_epi8(units, matrix, 0));
    }
    return true;
}

// Eight weights → the sums of all subsets of each half, `[2][16]`.
ALWAYS_INLINE void subsets(const float* weight, float* table) {
    for (int half = 0; half < EIGHT; half += 4, table += LANES) {
        const float* w = weight + half;
        __m512 sum = _mm512_maskz_mov_ps(0xaaaa, _mm512_set1_ps(w[0]));
        sum = _mm512_mask_add_ps(sum, 0xcccc, sum, _mm512_set1_ps(w[1]));
        sum = _mm512_mask_add_ps(sum, 0xf0f0, sum, _mm512_set1_ps(w[2]));
        _mm512_storeu_ps(table, _mm512_mask_add_ps(sum, 0xff00, sum, _mm512_set1_ps(w[3])));
    }
}

// Adds to `sums [4][4][16]` what the tables say for four words of n groups.
ALWAYS_INLINE void look_up(const float* tables, const int32_t* group, const uint8_t* numbers, int64_t n, float* sums) {
    __m512 total[EIGHT * 2];
    for (int j = 0; j < EIGHT * 2; ++j) total[j] = _mm512_loadu_ps(sums + j * LANES);
    for (int64_t e = 0; e < n; ++e) {
        const float* table = tables + group[e] * 32;
        const __m512 low = _mm512_loadu_ps(table), high = _mm512_loadu_ps(table + 16);
        const uint8_t* number = numbers + e * EIGHT * BITS;
        for (int j = 0; j < EIGHT * 2; ++j) {
            const __m512i i = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(number + j * LANES)));
            total[j] = _mm512_add_ps(total[j], _mm512_permutexvar_ps(i, low));
            total[j] = _mm512_add_ps(total[j], _mm512_permutexvar_ps(_mm512_srli_epi32(i, 4), high));
        }
    }
    for (int j = 0; j < EIGHT * 2; ++j) _mm512_storeu_ps(sums + j * LANES, total[j]);
}

// Adds to `sums [8][64]` what the tables of whole numbers say for eight words of n groups, no more than fit 16 bits. A
// number of seven bits picks one of 128 bytes; the eighth bit does not count.
ALWAYS_INLINE void look_up_bytes(const uint8_t* tables, const int32_t* group, const uint8_t* numbers, int64_t n,
                                 float* sums) {
    __m512i even[EIGHT], odd[EIGHT];  // eights of neurons in turn, as unpacking leaves them
    for (int j = 0; j < EIGHT; ++j) even[j] = odd[j] = _mm512_setzero_si512();
    for (int64_t e = 0; e < n; ++e) {
        const uint8_t* t = tables + group[e] * 256;
        const __m512i a = _mm512_loadu_si512(t), b = _mm512_loadu_si512(t + 64);
        const __m512i c = _mm512_loadu_si512(t + 128), d = _mm512_loadu_si512(t + 192);
        for (int j = 0; j < EIGHT; ++j) {
            const __m512i i = _mm512_loadu_si512(numbers + (e * EIGHT + j) * BITS);
            const __m512i low = _mm512_permutex2var_epi8(a, i, b), high = _mm512_permutex2var_epi8(c, i, d);
            even[j] = _mm512_add_epi16(even[j], _mm512_unpacklo_epi8(low, high));
            odd[j] = _mm512_add_epi16(odd[j], _mm512_unpackhi_epi8(low, high));
        }
    }
    for (int j = 0; j < EIGHT; ++j) {
        const auto add = [&](float* to, __m128i x, __m128i y) INLINED {
            const __m512 f = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_set_m128i(y, x)));
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), f));
        };
        float* to = sums + j * BITS;
        add(to, _mm512_extracti32x4_epi32(even[j], 0), _mm512_extracti32x4_epi32(odd[j], 0));
        add(to + 16, _mm512_extracti32x4_epi32(even[j], 1), _mm512_extracti32x4_epi32(odd[j], 1));
        add(to + 32, _mm512_extracti32x4_epi32(even[j], 2), _mm512_extracti32x4_epi32(odd[j], 2));
        add(to + 48, _mm512_extracti32x4_epi32(even[j], 3), _mm512_extracti32x4_epi32(odd[j], 3));
    }
}

// Outputs [begin, end) of a layer, eight words at a time, whatever blocks and steps they belong to.
inline void looked_up(const Sum& a, int64_t begin, int64_t end) {
    alignas(64) uint8_t numbers[BATCH * EIGHT * BITS];
    alignas(64) float sums[EIGHT * BITS];
    int32_t group[BATCH];
    static thread_local std::vector<float> room;
    Output out{a, Neuron::of(a.neurons), {}, {}, {}, 0};
    const int64_t batch = a.bytes ? std::min(BATCH, a.most) : BATCH, words = a.blocks * a.T;
    for (int64_t k = begin; k < end; ++k) {
        if (out.dead(k)) continue;
        const int64_t first = a.start[k] / EIGHT, groups = a.start[k + 1] / EIGHT - first;
        if (!a.bytes) {
            room.resize(static_cast<size_t>(groups) * 32);
            for (int64_t i = 0; i < groups; ++i) subsets(a.weight + (first + i) * EIGHT, room.data() + i * 32);
        }
        for (int64_t f = 0; f < words; f += EIGHT) {
            std::memset(sums, 0, sizeof sums);
            for (int64_t e = 0; e < groups; e += batch) {
                int64_t n = 0;  // groups some of whose inputs fire
                for (int64_t i = e; i < std::min(e + batch, groups); ++i)
                    if (number(a.strings + f, a.place + (first + i) * EIGHT, numbers + n * EIGHT * BITS))
                        group[n++] = static_cast<int32_t>(i);
                if (a.bytes) {
                    look_up_bytes(a.bytes + first * 256, group, numbers, n, sums);
                    continue;
                }
                look_up(room.data(), group, numbers, n, sums);
                if (words - f > 4) look_up(room.data(), group, numbers + 4 * BITS, n, sums + 4 * BITS);
            }
            for (int64_t i = 0, n; i < std::min<int64_t>(EIGHT, words - f); i += n) {
                const int64_t b = a.first + (f + i) / a.T, t = (f + i) % a.T;
                n = std::min({a.T - t, EIGHT - i, words - f - i});
                if (t == 0) out.begin(k, b);
                out.put(k, b, t, n, sums + i * BITS);
            }
        }
    }
}
