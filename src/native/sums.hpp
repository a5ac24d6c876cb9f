// The sums over live weights, the neurons behind them, and the packing of their spikes. Included by sparse.cpp once for
// each instruction set, behind its lanes.hpp: no include guard.

constexpr int QUARTERS = 4;  // of a word, 16 neurons each

// The constants of a layer's neurons, and one step of 16 of them.
struct Neuron {
    Lanes rest, leak, threshold;
    bool soft, decay_input, to_zero;
    static Neuron of(const Neurons& n) {
        return {Lanes::all(n.v_reset), Lanes::all(n.leak), Lanes::all(n.v_threshold), n.soft != 0, n.decay_input != 0,
                n.v_reset == 0};
    }
    // v is the potential before and after; returns the spikes. The order of operations is lif_step's in neurons.py.
    // usual: the neuron is as most are, so that nothing need be asked at every step.
    template <bool usual>
    ALWAYS_INLINE Lanes::Mask fire(Lanes& v, Lanes x) const {
        if constexpr (usual) {
            const Lanes h = v + (x - v) * leak;
            const Lanes::Mask spikes = h.at_least(threshold);
            v = Lanes::where(spikes, rest, h);
            return spikes;
        }
        const Lanes above = to_zero ? v : v - rest;
        const Lanes h = decay_input ? v + (x - above) * leak : v - above * leak + x;
        const Lanes::Mask spikes = h.at_least(threshold);
        v = Lanes::where(spikes, soft ? h - threshold : rest, h);
        return spikes;
    }
};

// What becomes of the sums of block b of output k: n steps from t on, `sums [n][4][16]`.
struct Output {
    const Sum& a;
    Neuron neuron;
    Lanes scale, bias, v[QUARTERS];
    uint64_t kept;
    // Whether no neuron of output k is alive; then it is done.
    ALWAYS_INLINE bool dead(int64_t k) {
        if (!a.alive || a.currents) return false;
        for (int64_t b = 0; b < a.B; ++b)
            if (a.alive[k * a.B + b] & a.valid[b]) return false;
        std::memset(a.to + k * a.B * a.T, 0, static_cast<size_t>(a.B * a.T) * 8);
        return true;
    }
    ALWAYS_INLINE void begin(int64_t k, int64_t b) {
        scale = Lanes::all(a.scale[k]);
        bias = Lanes::all(a.bias[k]);
        for (Lanes& each : v) each = neuron.rest;
        kept = a.valid[b] & (a.alive ? a.alive[k * a.B + b] : ~uint64_t(0));
    }
    ALWAYS_INLINE void put(int64_t k, int64_t b, int64_t t, int64_t n, const float* sums) {
        if (a.currents) {
            for (int64_t i = 0; i < n; ++i)
                for (int j = 0; j < QUARTERS; ++j)
                    (Lanes::load(sums + (i * QUARTERS + j) * LANES) * scale + bias)
                        .store(a.currents + ((k * a.T + t + i) * a.B + b) * BITS + j * LANES);
        }
        if (!a.to) return;
        uint64_t* to = a.to + (k * a.B + b) * a.T + t;
        neuron.decay_input && !neuron.soft && neuron.to_zero ? fire<true>(to, n, sums) : fire<false>(to, n, sums);
    }
    template <bool usual>
    ALWAYS_INLINE void fire(uint64_t* to, int64_t n, const float* sums) {
        for (int64_t i = 0; i < n; ++i) {
            uint64_t word = 0;
            for (int j = 0; j < QUARTERS; ++j) {
                const Lanes x = Lanes::load(sums + (i * QUARTERS + j) * LANES) * scale + bias;
                word |= static_cast<uint64_t>(static_cast<uint32_t>(neuron.fire<usual>(v[j], x))) << (LANES * j);
            }
            to[i] = word & kept;
        }
    }
};

// Outputs [begin, end) of a layer, N words at a time: a block at N steps.
template <int N>
ALWAYS_INLINE void masked(const Sum& a, int64_t begin, int64_t end) {
    const Bits bits = Bits::make();
    Output out{a, Neuron::of(a.neurons), {}, {}, {}, 0};
    for (int64_t k = begin; k < end; ++k) {
        if (out.dead(k)) continue;
        const int32_t first = a.start[k], last = a.start[k + 1];
        for (int64_t b = a.first; b < a.first + a.blocks; ++b) {
            out.begin(k, b);
            for (int64_t t = 0; t < a.T; t += N) {
                Lanes sums[N * QUARTERS];
                for (Lanes& each : sums) each = Lanes::all(0);
                const uint64_t* from = a.strings + (b - a.first) * a.T + t;
                for (int32_t e = first; e < last; ++e) {
                    const uint64_t* words = from + a.place[e];
                    const Lanes w = Lanes::all(a.weight[e]);
                    for (int j = 0; j < N; ++j) {
                        Lanes* four = sums + j * QUARTERS;
                        bits.add(four[0], four[1], Pair::of(static_cast<uint32_t>(words[j])), w);
                        bits.add(four[2], four[3], Pair::of(static_cast<uint32_t>(words[j] >> 32)), w);
                    }
                }
                float done[N * QUARTERS * LANES];  // sums that no variable addresses stay in registers
                for (int j = 0; j < N * QUARTERS; ++j) sums[j].store(done + j * LANES);
                out.put(k, b, t, std::min<int64_t>(N, a.T - t), done);
            }
        }
    }
}

// The same for an analog input, a plane of floats for each place of the kernel and, unless it stands still, each step.
ALWAYS_INLINE void analog(const Sum& a, int64_t begin, int64_t end) {
    const int64_t row = a.B * BITS;
    Output out{a, Neuron::of(a.neurons), {}, {}, {}, 0};
    for (int64_t k = begin; k < end; ++k) {
        if (out.dead(k)) continue;
        for (int64_t b = 0; b < a.B; ++b) {
            out.begin(k, b);
            float done[QUARTERS * LANES];
            for (int64_t t = 0; t < a.T; ++t) {
                if (t == 0 || !a.still) {
                    Lanes sums[QUARTERS];
                    for (Lanes& each : sums) each = Lanes::all(0);
                    const float* from = a.planes + t * a.places * row + b * BITS;
                    for (int32_t e = a.start[k]; e < a.start[k + 1]; ++e) {
                        const float* p = from + a.place[e] * row;
                        const Lanes w = Lanes::all(a.weight[e]);
                        for (int j = 0; j < QUARTERS; ++j) sums[j] = sums[j] + w * Lanes::load(p + j * LANES);
                    }
                    for (int j = 0; j < QUARTERS; ++j) sums[j].store(done + j * LANES);
                }
                out.put(k, b, t, 1, done);
            }
        }
    }
}

inline void sum(const Sum& a, int64_t begin, int64_t end) {
    if (a.planes) return analog(a, begin, end);
    const int64_t shares = (a.T + WORDS - 1) / WORDS;
    switch ((a.T + shares - 1) / shares) {  // equal shares of the steps
        case 1: return masked<1>(a, begin, end);
#ifdef AVX512
        case 2: return masked<2>(a, begin, end);
        case 3: return masked<3>(a, begin, end);
        case 4: return masked<4>(a, begin, end);
        case 5: return masked<5>(a, begin, end);
#endif
    }
}

// Outputs [begin, end) of a linear layer; the lanes are time steps.
inline void linear(const Linear& a, int64_t begin, int64_t end) {
    constexpr int N = 4;  // sums that do not wait for each other
    const int64_t chunks = (a.T + LANES - 1) / LANES;
    const Neurons& n = a.neurons;
    for (int64_t k = begin; k < end; ++k) {
        float v = n.v_reset;
        const bool alive = !a.alive || a.alive[k];
        for (int64_t chunk = 0; chunk < chunks; ++chunk) {
            Lanes sums[N];
            for (Lanes& each : sums) each = Lanes::all(0);
            const uint16_t* trains = a.trains + chunk * a.features;
            int32_t e = a.start[k];
            const int32_t last = a.start[k + 1];
            if (a.values) {
                const float* values = a.values + chunk * LANES;
                for (; e < last; ++e)
                    sums[0] = sums[0] + Lanes::all(a.weight[e]) * Lanes::load(values + a.place[e] * LANES);
            } else {
                for (; e + N <= last; e += N)
                    for (int j = 0; j < N; ++j)
                        sums[j] = sums[j].plus(Lanes::all(a.weight[e + j]), trains[a.place[e + j]]);
                for (; e < last; ++e) sums[0] = sums[0].plus(Lanes::all(a.weight[e]), trains[a.place[e]]);
            }
            float x[LANES];
            ((sums[0] + sums[1] + (sums[2] + sums[3])) * Lanes::all(a.scale[k]) + Lanes::all(a.bias[k])).store(x);
            if (a.currents) std::memcpy(a.currents + (k * chunks + chunk) * LANES, x, sizeof x);
            if (!a.to) continue;
            uint32_t train = 0;
            for (int64_t t = 0; t < std::min(LANES, a.T - chunk * LANES); ++t) {
                const float above = v - n.v_reset;
                const float h = n.decay_input ? v + (x[t] - above) * n.leak : v - above * n.leak + x[t];
                const bool spike = h >= n.v_threshold;
                v = spike ? (n.soft ? h - n.v_threshold : n.v_reset) : h;
                train |= uint32_t(spike && alive) << t;
            }
            a.to[chunk * a.K + k] = static_cast<uint16_t>(train);
        }
    }
}
