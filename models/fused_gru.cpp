// SPDX-License-Identifier: BSD-3-Clause
// A GRU layer with fake quantisation, forward and backward in time, for training on CPUs.
//
//     u = W_ih x + b_ih,  v = W_hh h + b_hh                         (gate order r, z, n)
//     r = Qg(sigma(Qp(u_r + v_r)))        z = Qg(sigma(Qp(u_z + v_z)))
//     n = Qc(tau(Qp(u_n + r Qp(v_n))))                              reset after the product
//     n = Qc(tau(Qp(u_n + W_hn Qh(r h))))                           reset before it (no b_hh)
//     h' = Qh(n + z (h - n))
//
// Every Q rounds half to even and saturates; its gradient is 1 inside its range and 0 outside. A Q that is
// switched off is the identity. Weights and biases come quantised already.
//
// Arrays are (blocks, steps, features, LANES) with LANES sequences innermost. The forward pass keeps the
// states alone; the backward pass computes each step anew from the state before it, which costs a third
// more arithmetic and saves nine tenths of the memory traffic.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>
#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace {

// W: floats in a register. TILE_ROWS x 2 and TILE_SIDE x TILE_SIDE sums stay in registers, of which there are
// 32 with AVX-512 and 16 without: more would go through memory at every product.
#if defined(__AVX512F__)
constexpr int W = 16, TILE_ROWS = 8, TILE_SIDE = 4;
#elif defined(__AVX__)
constexpr int W = 8, TILE_ROWS = 6, TILE_SIDE = 3;
#else
constexpr int W = 4, TILE_ROWS = 6, TILE_SIDE = 3;
#endif
constexpr int LANES = 32;             // on every machine; few, so that a step stays in the near caches
constexpr int V = LANES / W;          // vectors in a row of LANES
constexpr int TIME_BLOCK = 8;         // steps whose weight gradients are summed in registers
typedef float vec __attribute__((vector_size(W * 4)));
typedef int32_t ivec __attribute__((vector_size(W * 4)));

struct Quantiser {
    int32_t enabled;
    float scale, step, least, greatest;  // value -> code, code -> value, range of codes
};

struct Spec {
    int32_t hidden, inputs, steps, blocks;
    int32_t reset_before, hard_gate, hard_candidate;
    Quantiser preactivation, gate, candidate, state;
};

inline vec splat(float a) { return vec{} + a; }
// a where m holds, else 0.
inline vec masked(ivec m, vec a) { return (vec)(m & (ivec)a); }
#if defined(__AVX512F__)
inline vec vmin(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
inline vec vmax(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
#elif defined(__AVX__)
inline vec vmin(vec a, vec b) { return (vec)_mm256_min_ps((__m256)a, (__m256)b); }
inline vec vmax(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
#else
inline vec vmin(vec a, vec b) { return a < b ? a : b; }
inline vec vmax(vec a, vec b) { return a > b ? a : b; }
#endif

// Nearest integer, ties to even, for |a| < 2^22; beyond, some number beyond it too.
inline vec nearest(vec a) {
    const vec magic = splat(12582912.0f);
    return (a + magic) - magic;  // not to be built with -ffast-math
}

// Quantises a; multiplies slope by 0 where the code saturates.
inline vec quantise(const Quantiser& q, vec a, vec& slope) {
    if (!q.enabled) return a;
    const vec code = nearest(a * q.scale);
    const vec kept = vmin(vmax(code, splat(q.least)), splat(q.greatest));
    slope = masked(code == kept, slope);
    return kept * q.step;
}

inline vec exponential(vec a) {  // |relative error| < 2e-7 over the clamped range
    a = vmin(vmax(a, splat(-87.0f)), splat(87.0f));
    const vec k = nearest(a * 1.44269504089f);
    const vec f = (a - k * 0.693359375f) + k * 2.12194440e-4f;
    vec p = splat(1.9875691500e-4f);
    p = p * f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    p = p * (f * f) + (f + 1.0f);
    const ivec bits = (__builtin_convertvector(k, ivec) + 127) << 23;
    return p * (vec)bits;
}

// A gate and d gate / d a. slope comes in as d a / d sum.
inline vec gate_of(bool hard, vec a, vec& slope) {
    if (hard) {
        const vec line = a * 0.5f + 0.5f;
        const vec kept = vmin(vmax(line, vec{}), splat(1.0f));
        slope = masked(line == kept, slope * 0.5f);
        return kept;
    }
    const vec g = 1.0f / (1.0f + exponential(-a));
    slope *= g * (1.0f - g);
    return g;
}

inline vec candidate_of(bool hard, vec a, vec& slope) {
    if (hard) {
        const vec kept = vmin(vmax(a, splat(-1.0f)), splat(1.0f));
        slope = masked(a == kept, slope);
        return kept;
    }
    const vec n = 2.0f / (1.0f + exponential(a * -2.0f)) - 1.0f;
    slope *= 1.0f - n * n;
    return n;
}

// y[r] += sum_k w[r][k] x[k] for R rows, of the first two of V vectors.
template <int R>
inline void some_rows(const float* w, int ld, int n, const vec* x, vec* y) {
    vec acc[R][2];
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < 2; ++v) acc[r][v] = y[r * V + v];
    for (int k = 0; k < n; ++k)
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < 2; ++v) acc[r][v] += w[r * ld + k] * x[k * V + v];
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < 2; ++v) y[r * V + v] = acc[r][v];
}

void add_product(const float* w, int ld, int rows, int n, const vec* x, vec* y) {
    for (int v = 0; v < V; v += 2) {
        int r = 0;
        for (; r + TILE_ROWS <= rows; r += TILE_ROWS)
            some_rows<TILE_ROWS>(w + r * ld, ld, n, x + v, y + r * V + v);
        for (; r < rows; ++r) some_rows<1>(w + r * ld, ld, n, x + v, y + r * V + v);
    }
}

// dw[j][k] += sum over steps and lanes g[t][j] x[t][k], for a tile of J by K.
template <int J, int K>
inline void some_gradients(const vec* g, int g_pitch, const vec* x, int x_pitch, int steps, vec* dw, int ld) {
    vec acc[J][K];
    for (int j = 0; j < J; ++j)
        for (int k = 0; k < K; ++k) acc[j][k] = dw[j * ld + k];
    for (int t = 0; t < steps; ++t)
        for (int v = 0; v < V; ++v)
            for (int j = 0; j < J; ++j)
                for (int k = 0; k < K; ++k)
                    acc[j][k] += g[t * g_pitch + j * V + v] * x[t * x_pitch + k * V + v];
    for (int j = 0; j < J; ++j)
        for (int k = 0; k < K; ++k) dw[j * ld + k] = acc[j][k];
}

void add_gradients(const vec* g, int g_pitch, int rows, const vec* x, int x_pitch, int columns, int steps,
                   vec* dw) {
    for (int j = 0; j < rows;) {
        const int tile = j + TILE_SIDE <= rows ? TILE_SIDE : 1;
        for (int k = 0; k < columns;) {
            const vec *gj = g + j * V, *xk = x + k * V;
            vec* d = dw + j * columns + k;
            if (tile == TILE_SIDE && k + TILE_SIDE <= columns) {
                some_gradients<TILE_SIDE, TILE_SIDE>(gj, g_pitch, xk, x_pitch, steps, d, columns);
                k += TILE_SIDE;
            } else {
                if (tile == TILE_SIDE) some_gradients<TILE_SIDE, 1>(gj, g_pitch, xk, x_pitch, steps, d, columns);
                else some_gradients<1, 1>(gj, g_pitch, xk, x_pitch, steps, d, columns);
                k += 1;
            }
        }
        j += tile;
    }
}

typedef std::vector<vec> Rows;  // aligned: C++17 operator new honours alignof(vec)

// out = after(function(before(sum))) and the slope of it, n vectors of gates or of candidates.
void activate(const Quantiser& before, bool candidate, bool hard, const Quantiser& after, int n,
              const vec* sum, vec* out, vec* slopes) {
    const Quantiser first = before, second = after;
    for (int i = 0; i < n; ++i) {
        vec slope = splat(1.0f);
        const vec a = quantise(first, sum[i], slope);
        const vec y = candidate ? candidate_of(hard, a, slope) : gate_of(hard, a, slope);
        out[i] = quantise(second, y, slope);
        slopes[i] = slope;
    }
}

// out = q(in) and its slope; in and out may be the same.
void quantise_rows(const Quantiser& quantiser, int n, const vec* in, vec* out, vec* slopes) {
    const Quantiser q = quantiser;
    for (int i = 0; i < n; ++i) {
        vec slope = splat(1.0f);
        out[i] = quantise(q, in[i], slope);
        slopes[i] = slope;
    }
}

// Everything of one step that its backward pass needs. rz: rows of r, then of z.
struct Step {
    Rows u, v, rz, n, slope_rz, slope_n, slope_v, slope_rh, slope_h, rh, next, sum;
    explicit Step(int h)
        : u(3 * h * V), v(3 * h * V), rz(2 * h * V), n(h * V), slope_rz(2 * h * V), slope_n(h * V),
          slope_v(h * V), slope_rh(h * V), slope_h(h * V), rh(h * V), next(h * V), sum(2 * h * V) {}
};

// Short loops, so that the processor overlaps many of their long chains.
struct Layer {
    const Spec& s;
    const float *w_ih, *w_hh, *b_ih, *b_hh;

    void fill(const float* bias, Rows& rows) const {
        for (int j = 0; j < 3 * s.hidden; ++j)
            for (int v = 0; v < V; ++v) rows[j * V + v] = splat(bias ? bias[j] : 0.0f);
    }

    void run(const vec* x, const vec* h, Step& a) const {
        const int size = s.hidden, n = size * V;
        vec *u_n = &a.u[2 * n], *v_n = &a.v[2 * n], *sum = a.sum.data();
        fill(b_ih, a.u);
        if (s.inputs) add_product(w_ih, s.inputs, 3 * size, s.inputs, x, a.u.data());
        fill(b_hh, a.v);
        add_product(w_hh, size, (s.reset_before ? 2 : 3) * size, size, h, a.v.data());
        for (int i = 0; i < 2 * n; ++i) sum[i] = a.u[i] + a.v[i];
        activate(s.preactivation, false, s.hard_gate, s.gate, 2 * n, sum, a.rz.data(), a.slope_rz.data());
        const vec *r = a.rz.data(), *z = r + n;
        if (s.reset_before) {
            for (int i = 0; i < n; ++i) sum[i] = r[i] * h[i];
            quantise_rows(s.state, n, sum, a.rh.data(), a.slope_rh.data());
            add_product(w_hh + 2 * size * size, size, size, size, a.rh.data(), v_n);
            for (int i = 0; i < n; ++i) sum[i] = u_n[i] + v_n[i];
        } else {
            quantise_rows(s.preactivation, n, v_n, v_n, a.slope_v.data());
            for (int i = 0; i < n; ++i) sum[i] = u_n[i] + r[i] * v_n[i];
        }
        activate(s.preactivation, true, s.hard_candidate, s.candidate, n, sum, a.n.data(), a.slope_n.data());
        for (int i = 0; i < n; ++i) sum[i] = a.n[i] + z[i] * (h[i] - a.n[i]);
        quantise_rows(s.state, n, sum, a.next.data(), a.slope_h.data());
    }
};

inline const vec* rows_at(const float* p) { return reinterpret_cast<const vec*>(p); }
inline vec* rows_at(float* p) { return reinterpret_cast<vec*>(p); }

void add_lane_sums(const Rows& from, float* to) {
    for (size_t i = 0; i < from.size(); ++i)
        for (int l = 0; l < W; ++l) to[i] += from[i][l];
}

}  // namespace

extern "C" int fused_gru_lanes() { return LANES; }
extern "C" int fused_gru_spec_bytes() { return sizeof(Spec); }

// x: (blocks, steps, I, LANES) or null; h0: (blocks, H, LANES) or null; states: (blocks, steps, H, LANES).
// All 64-byte aligned.
extern "C" void fused_gru_forward(const Spec* spec, const float* w_ih, const float* w_hh, const float* b_ih,
                                  const float* b_hh, const float* x, const float* h0, float* states) {
    const Spec& s = *spec;
    const Layer layer{s, w_ih, w_hh, b_ih, b_hh};
    Step a(s.hidden);
    const Rows zero(s.hidden * V, vec{});
    const int64_t row = int64_t(s.hidden) * LANES, x_row = int64_t(s.inputs) * LANES;
    for (int64_t b = 0; b < s.blocks; ++b) {
        const vec* h = h0 ? rows_at(h0 + b * row) : zero.data();
        for (int64_t t = b * s.steps; t < (b + 1) * s.steps; ++t) {
            layer.run(x ? rows_at(x + t * x_row) : nullptr, h, a);
            std::memcpy(states + t * row, a.next.data(), row * sizeof(float));
            h = rows_at(states + t * row);
        }
    }
}

// d_states: as states, or null; d_last: (blocks, H, LANES) added at the last step, or null.
// w_ih_t: (I, 3H) or null; w_hh_t: (H, 3H). Adds into d_w_ih, d_w_hh, d_b_ih, d_b_hh (d_b_hh also where reset
// is before: ignore it); writes d_h0 (blocks, H, LANES) and, unless it is null, d_x, shaped as x.
extern "C" void fused_gru_backward(const Spec* spec, const float* w_ih, const float* w_ih_t, const float* w_hh,
                                   const float* w_hh_t, const float* b_ih, const float* b_hh, const float* x,
                                   const float* h0, const float* states, const float* d_states,
                                   const float* d_last, float* d_w_ih, float* d_w_hh, float* d_b_ih,
                                   float* d_b_hh, float* d_h0, float* d_x) {
    const Spec& s = *spec;
    const Layer layer{s, w_ih, w_hh, b_ih, b_hh};
    const int size = s.hidden, n = size * V;
    const int64_t row = int64_t(size) * LANES, x_row = int64_t(s.inputs) * LANES;
    Step a(size);
    const Rows zero(n, vec{});
    Rows dh(n), sum_ih(3 * size * s.inputs), sum_hh(3 * size * size), sum_b_ih(3 * size), sum_b_hh(3 * size);
    Rows gu(TIME_BLOCK * 3 * n), g(TIME_BLOCK * 3 * n), hs(TIME_BLOCK * n), rhs(TIME_BLOCK * n), d_rh(n);
    const int x_size = s.inputs * V;
    Rows xs(TIME_BLOCK * x_size);
    int held = 0;  // steps in gu, g, xs, hs, rhs
    const auto flush = [&] {
        add_gradients(gu.data(), 3 * n, 3 * size, xs.data(), x_size, s.inputs, held, sum_ih.data());
        const int gate_rows = (s.reset_before ? 2 : 3) * size;
        add_gradients(g.data(), 3 * n, gate_rows, hs.data(), n, size, held, sum_hh.data());
        if (s.reset_before)
            add_gradients(&g[2 * n], 3 * n, size, rhs.data(), n, size, held, &sum_hh[2 * size * size]);
        held = 0;
    };
    for (int64_t b = 0; b < s.blocks; ++b) {
        std::fill(dh.begin(), dh.end(), vec{});
        if (d_last) std::memcpy(dh.data(), d_last + b * row, row * sizeof(float));
        for (int64_t t = (b + 1) * s.steps - 1; t >= b * s.steps; --t) {
            const bool first = t == b * s.steps;
            const vec* h = first ? (h0 ? rows_at(h0 + b * row) : zero.data()) : rows_at(states + (t - 1) * row);
            const vec* x_t = x ? rows_at(x + t * x_row) : nullptr;
            layer.run(x_t, h, a);
            vec *d_u = &gu[held * 3 * n], *d_v = &g[held * 3 * n];
            if (d_states)
                for (int i = 0; i < n; ++i) dh[i] += rows_at(d_states + t * row)[i];
            for (int i = 0; i < n; ++i) {
                const vec d = dh[i] * a.slope_h[i];
                d_u[2 * n + i] = d * (1.0f - a.rz[n + i]) * a.slope_n[i];
                d_u[n + i] = d_v[n + i] = d * (h[i] - a.n[i]) * a.slope_rz[n + i];
                dh[i] = d * a.rz[n + i];
            }
            if (s.reset_before) {
                std::fill(d_rh.begin(), d_rh.end(), vec{});
                add_product(w_hh_t + 2 * size, 3 * size, size, size, &d_u[2 * n], d_rh.data());
                for (int i = 0; i < n; ++i) {
                    const vec d = d_rh[i] * a.slope_rh[i];
                    d_u[i] = d_v[i] = d * h[i] * a.slope_rz[i];
                    dh[i] += d * a.rz[i];
                    d_v[2 * n + i] = d_u[2 * n + i];
                }
                std::copy(a.rh.begin(), a.rh.end(), &rhs[held * n]);
            } else {
                for (int i = 0; i < n; ++i) {
                    d_u[i] = d_v[i] = d_u[2 * n + i] * a.v[2 * n + i] * a.slope_rz[i];
                    d_v[2 * n + i] = d_u[2 * n + i] * a.rz[i] * a.slope_v[i];
                }
            }
            add_product(w_hh_t, 3 * size, size, (s.reset_before ? 2 : 3) * size, d_v, dh.data());
            if (d_x) {
                vec* to = rows_at(d_x + t * x_row);
                std::fill(to, to + x_size, vec{});
                add_product(w_ih_t, 3 * size, s.inputs, 3 * size, d_u, to);
            }
            std::copy(h, h + n, &hs[held * n]);
            std::copy(x_t, x_t + x_size, xs.data() + held * x_size);
            for (int j = 0; j < 3 * size; ++j)
                for (int v = 0; v < V; ++v) {
                    sum_b_ih[j] += d_u[j * V + v];
                    sum_b_hh[j] += d_v[j * V + v];
                }
            if (++held == TIME_BLOCK) flush();
        }
        std::memcpy(d_h0 + b * row, dh.data(), row * sizeof(float));
    }
    if (held) flush();
    add_lane_sums(sum_ih, d_w_ih);
    add_lane_sums(sum_hh, d_w_hh);
    add_lane_sums(sum_b_ih, d_b_ih);
    add_lane_sums(sum_b_hh, d_b_hh);
}
