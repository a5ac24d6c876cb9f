// 16 float lanes and what the sums do with them, in the instruction set that is being compiled for. Included once for
// each of them, by sparse.cpp: no include guard.
#if defined(AVX512)
struct Lanes {
    __m512 x;
    static Lanes all(float f) { return {_mm512_set1_ps(f)}; }
    static Lanes load(const float* p) { return {_mm512_loadu_ps(p)}; }
    void store(float* p) const { _mm512_storeu_ps(p, x); }
    Lanes plus(Lanes b, uint32_t bits) const {  // where a bit is set
        return {_mm512_mask_add_ps(x, static_cast<__mmask16>(bits), x, b.x)};
    }
    using Mask = __mmask16;
    Mask at_least(Lanes b) const { return _mm512_cmp_ps_mask(x, b.x, _CMP_GE_OQ); }
    static Lanes where(Mask m, Lanes a, Lanes b) { return {_mm512_mask_blend_ps(m, b.x, a.x)}; }  // a, else b
};
inline Lanes operator+(Lanes a, Lanes b) { return {_mm512_add_ps(a.x, b.x)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm512_sub_ps(a.x, b.x)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm512_mul_ps(a.x, b.x)}; }
struct Pair {  // the bits of 32 neurons
    __m512i word;
    static Pair of(uint32_t w) { return {_mm512_set1_epi32(static_cast<int>(w))}; }
};
struct Bits {
    __m512i low, high;
    static Bits make() {
        const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        const __m512i low = _mm512_sllv_epi32(_mm512_set1_epi32(1), lane);
        return {low, _mm512_slli_epi32(low, 16)};
    }
    void add(Lanes& a, Lanes& b, Pair p, Lanes w) const {
        a.x = _mm512_mask_add_ps(a.x, _mm512_test_epi32_mask(p.word, low), a.x, w.x);
        b.x = _mm512_mask_add_ps(b.x, _mm512_test_epi32_mask(p.word, high), b.x, w.x);
    }
};
constexpr int WORDS = 5;  // whose 4 sums each fit the registers beside the constants
#elif defined(AVX2)
struct Lanes {
    __m256 x, y;
    static Lanes all(float f) { return {_mm256_set1_ps(f), _mm256_set1_ps(f)}; }
    static Lanes load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
    void store(float* p) const {
        _mm256_storeu_ps(p, x);
        _mm256_storeu_ps(p + 8, y);
    }
    struct Mask {
        __m256 x, y;
        operator uint32_t() const { return static_cast<uint32_t>(_mm256_movemask_ps(x) | _mm256_movemask_ps(y) << 8); }
    };
    Mask at_least(Lanes b) const { return {_mm256_cmp_ps(x, b.x, _CMP_GE_OQ), _mm256_cmp_ps(y, b.y, _CMP_GE_OQ)}; }
    static Lanes where(Mask m, Lanes a, Lanes b) {
        return {_mm256_blendv_ps(b.x, a.x, m.x), _mm256_blendv_ps(b.y, a.y, m.y)};
    }
    static __m256 spread(__m256i word, __m256i bits) {
        return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(word, bits), bits));
    }
    Lanes plus(Lanes b, uint32_t bits) const {
        const __m256i low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), word = _mm256_set1_epi32(static_cast<int>(bits));
        return {_mm256_add_ps(x, _mm256_and_ps(spread(word, low), b.x)),
                _mm256_add_ps(y, _mm256_and_ps(spread(word, _mm256_slli_epi32(low, 8)), b.y))};
    }
};
inline Lanes operator+(Lanes a, Lanes b) { return {_mm256_add_ps(a.x, b.x), _mm256_add_ps(a.y, b.y)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm256_sub_ps(a.x, b.x), _mm256_sub_ps(a.y, b.y)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm256_mul_ps(a.x, b.x), _mm256_mul_ps(a.y, b.y)}; }
struct Pair {
    __m256i word;
    static Pair of(uint32_t w) { return {_mm256_set1_epi32(static_cast<int>(w))}; }
};
struct Bits {
    __m256i low;
    static Bits make() { return {_mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128)}; }
    void add(Lanes& a, Lanes& b, Pair p, Lanes w) const {
        __m256i bit = low;
        for (__m256* lanes : {&a.x, &a.y, &b.x, &b.y}) {
            *lanes = _mm256_add_ps(*lanes, _mm256_and_ps(Lanes::spread(p.word, bit), w.x));
            bit = _mm256_slli_epi32(bit, 8);
        }
    }
};
constexpr int WORDS = 1;
#else
struct Lanes {
    float x[16];
    template <class F>
    static Lanes each(F f) {
        Lanes made;
        for (int i = 0; i < 16; ++i) made.x[i] = f(i);
        return made;
    }
    static Lanes all(float f) { return each([=](int) { return f; }); }
    static Lanes load(const float* p) { return each([=](int i) { return p[i]; }); }
    void store(float* p) const { std::memcpy(p, x, sizeof x); }
    using Mask = uint32_t;
    Mask at_least(Lanes b) const {
        uint32_t bits = 0;
        for (int i = 0; i < 16; ++i) bits |= uint32_t(x[i] >= b.x[i]) << i;
        return bits;
    }
    Lanes plus(Lanes b, uint32_t bits) const {
        return each([&](int i) { return bits >> i & 1 ? x[i] + b.x[i] : x[i]; });
    }
    static Lanes where(Mask bits, Lanes a, Lanes b) {
        return each([&](int i) { return bits >> i & 1 ? a.x[i] : b.x[i]; });
    }
};
inline Lanes operator+(Lanes a, Lanes b) { return Lanes::each([&](int i) { return a.x[i] + b.x[i]; }); }
inline Lanes operator-(Lanes a, Lanes b) { return Lanes::each([&](int i) { return a.x[i] - b.x[i]; }); }
inline Lanes operator*(Lanes a, Lanes b) { return Lanes::each([&](int i) { return a.x[i] * b.x[i]; }); }
struct Pair {
    uint32_t word;
    static Pair of(uint32_t w) { return {w}; }
};
struct Bits {
    static Bits make() { return {}; }
    void add(Lanes& a, Lanes& b, Pair p, Lanes w) const {
        for (int i = 0; i < 16; ++i) {
            a.x[i] += p.word >> i & 1 ? w.x[i] : 0.0f;
            b.x[i] += p.word >> (16 + i) & 1 ? w.x[i] : 0.0f;
        }
    }
};
constexpr int WORDS = 1;
#endif
