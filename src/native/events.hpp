// Sums by events: only neurons that fire cost anything, but each addition is one neuron's. Included by sparse.cpp behind
// sums.hpp, once for each instruction set: no include guard.
//
// The lanes are time steps. An event is a neuron that fires at all within 8 steps; for every live weight that
// reads its channel, one addition under a mask puts the weight on those steps of the neuron that it leads to.

#if defined(AVX512)
struct Half {  // 8 lanes
    __m256 x;
    static Half all(float f) { return {_mm256_set1_ps(f)}; }
    static Half load(const float* p) { return {_mm256_loadu_ps(p)}; }
    void store(float* p) const { _mm256_storeu_ps(p, x); }
    Half plus(Half b, uint32_t bits) const { return {_mm256_mask_add_ps(x, static_cast<__mmask8>(bits), x, b.x)}; }
};
#elif defined(AVX2)
struct Half {
    __m256 x;
    static Half all(float f) { return {_mm256_set1_ps(f)}; }
    static Half load(const float* p) { return {_mm256_loadu_ps(p)}; }
    void store(float* p) const { _mm256_storeu_ps(p, x); }
    Half plus(Half b, uint32_t bits) const {
        const __m256i low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        return {_mm256_add_ps(x, _mm256_and_ps(Lanes::spread(_mm256_set1_epi32(static_cast<int>(bits)), low), b.x))};
    }
};
#else
struct Half {
    float x[8];
    static Half all(float f) { return {{f, f, f, f, f, f, f, f}}; }
    static Half load(const float* p) {
        Half made;
        std::memcpy(made.x, p, sizeof made.x);
        return made;
    }
    void store(float* p) const { std::memcpy(p, x, sizeof x); }
    Half plus(Half b, uint32_t bits) const {
        Half made;
        for (int i = 0; i < 8; ++i) made.x[i] = bits >> i & 1 ? x[i] + b.x[i] : x[i];
        return made;
    }
};
#endif

constexpr int64_t AT_ONCE = 4;  // events of a channel never add to the same place

// [channels) of Listed.
ALWAYS_INLINE void listed(const Listed& a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
        const int64_t c = a.channels[i];
        uint32_t* events = a.events + c * a.capacity;
        int64_t count = 0;
        for (int64_t b = 0; b < a.B; ++b) {
            const uint64_t* from = a.from + (c * a.B + b) * a.T;
            for (int64_t t = 0; t < a.T; t += STEPS) {
                const int64_t n = std::min(STEPS, a.T - t);
                uint64_t any = 0;
                for (int64_t j = 0; j < n; ++j) any |= from[t + j];
                if (!any) continue;
                uint8_t train[BITS];
                trained(from + t, n, train);
                const int32_t *at = a.at + b * BITS, later = static_cast<int32_t>(t / STEPS);
#if defined(AVX512)
                for (int q = 0; q < BITS; q += LANES) {
                    const __mmask16 fires = static_cast<__mmask16>(any >> q);
                    const __m512i bits = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(train + q)));
                    const __m512i place = _mm512_add_epi32(_mm512_loadu_si512(at + q), _mm512_set1_epi32(later));
                    const __m512i event = _mm512_or_si512(_mm512_slli_epi32(place, 8), bits);
                    _mm512_storeu_si512(events + count, _mm512_maskz_compress_epi32(fires, event));
                    count += __builtin_popcount(fires);
                }
#else
                for (; any; any &= any - 1) {
                    const int q = __builtin_ctzll(any);
                    events[count++] = static_cast<uint32_t>(at[q] + later) << 8 | train[q];
                }
#endif
            }
        }
        for (; count % AT_ONCE; ++count) events[count] = static_cast<uint32_t>(a.spare) << 8;  // fires at no step
        a.count[c] = static_cast<int32_t>(count);
    }
}

// Sums of 64 neurons at n steps, as they are gathered: neuron j's at `sums + at[j] * 8` → `[n][64]`.
ALWAYS_INLINE void turned(const float* sums, const int32_t* at, int64_t n, float* out) {
#if defined(AVX512)
    for (int q = 0; q < BITS; q += LANES, out += LANES) {  // 8 neurons by 8 steps, in both halves of a register
        __m512 x[8], y[8];
        for (int i = 0; i < 8; ++i)
            x[i] = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(sums + at[q + i] * STEPS)),
                                      _mm256_loadu_ps(sums + at[q + i + 8] * STEPS), 1);
        for (int i = 0; i < 8; i += 2) {
            y[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
            y[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
        }
        for (int i = 0; i < 8; i += 4) {
            for (int j = 0; j < 2; ++j) {
                const __m512d a = _mm512_castps_pd(y[i + j]), b = _mm512_castps_pd(y[i + j + 2]);
                x[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                x[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
            }
        }
        // x[j] has steps j and 4 + j of neurons 0 to 3, x[4 + j] of 4 to 7, and of those 8 further in the upper half.
        const __m512i low = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
        const __m512i high = _mm512_setr_epi32(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        for (int64_t t = 0; t < n; ++t)
            _mm512_storeu_ps(out + t * BITS, _mm512_permutex2var_ps(x[t % 4], t < 4 ? low : high, x[t % 4 + 4]));
    }
#else
    for (int64_t t = 0; t < n; ++t)
        for (int j = 0; j < BITS; ++j) out[t * BITS + j] = sums[at[j] * STEPS + t];
#endif
}

// Outputs [begin, end) of a layer.
inline void scatter(const Scatter& a, int64_t begin, int64_t end) {
    static thread_local std::vector<float> room;
    const Sum& s = a.sum;
    const size_t size = static_cast<size_t>(a.room * STEPS);
    room.assign(size + LANES, 0.0f);
    float* sums = room.data() + (LANES - reinterpret_cast<uintptr_t>(room.data()) / 4 % LANES) % LANES;  // of a cache line
    Output out{s, Neuron::of(s.neurons), {}, {}, {}, 0};
    alignas(64) float done[STEPS * BITS];
    for (int64_t k = begin; k < end; ++k) {
        if (out.dead(k)) continue;
        for (int32_t e = s.start[k]; e < s.start[k + 1]; ++e) {
            const uint32_t* event = a.events + s.place[e] * a.capacity;
            const uint32_t* last = event + a.count[s.place[e]];
            float* to = sums + a.offset[e] * STEPS;
            const Half w = Half::all(s.weight[e]);
            for (; event < last; event += AT_ONCE) {
                Half x[AT_ONCE];
                for (int j = 0; j < AT_ONCE; ++j) x[j] = Half::load(to + (event[j] >> 8) * STEPS).plus(w, event[j] & 255);
                for (int j = 0; j < AT_ONCE; ++j) x[j].store(to + (event[j] >> 8) * STEPS);
            }
        }
        for (int64_t b = 0; b < s.B; ++b) {
            out.begin(k, b);
            for (int64_t t = 0; t < s.T; t += STEPS) {
                const int64_t n = std::min(STEPS, s.T - t);
                turned(sums + t, a.at + b * BITS, n, done);
                out.put(k, b, t, n, done);
            }
        }
        std::memset(sums, 0, size * sizeof(float));
    }
}
