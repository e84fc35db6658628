"""The source of the attention kernels, for CUDA and Metal, from one text.

A block of 256 threads reads what one row, or a part of it, holds for some heads that
share their keys. `LANES` threads hold one column, so a warp reads `32 / LANES` of them
at a time; each such team keeps a running softmax, and all are put together at the end.
"""

from __future__ import annotations

_SPAN = """
    constexpr int E = D / LANES, TEAMS = 32 / LANES, STEP = 8 * TEAMS, U = 2;
    struct alignas(V * sizeof(T)) Pack { T x[V]; };
    const int heads = keys_shape[1], columns = keys_shape[2];
    const int block = BLOCK_X, part = BLOCK_Y, parts = BLOCKS_Y;
    const int thread = THREAD_X, warp = thread / 32, lane = thread % 32;
    const int team = lane / LANES, first = (lane % LANES) * E;
    const int sub = block % SUBS, head = (block / SUBS) % heads;
    const int row = block / (SUBS * heads), held = lengths[row], total = held + 1;
    const int share = (total + parts - 1) / parts;
    const int from = part * share, to = from + share < total ? from + share : total;
    const size_t place = ((size_t)slots[row] * heads + head) * columns * D;
    const size_t fresh = ((size_t)row * heads + head) * D;
    const size_t query = (((size_t)row * heads + head) * SUBS + sub) * G;
    float q[G][E], sum[G][E], top[G], weight[G];
    UNROLL for (int g = 0; g < G; ++g) {
        top[g] = -1e30f;
        weight[g] = 0.f;
        UNROLL for (int e = 0; e < E; ++e) {
            q[g][e] = (float)queries[(query + g) * D + first + e] * scale[0];
            sum[g][e] = 0.f;
        }
    }
    for (int base = from + warp * TEAMS; base < to; base += U * STEP) {
        Pack k[U][E / V], v[U][E / V];
        float dots[U][G];
        UNROLL for (int u = 0; u < U; ++u) {
            const int wanted = base + u * STEP + team;
            const int t = wanted < to ? wanted : to - 1;
            const bool is_new = WRITES && t == held;
            const GLOBAL T* from_keys = is_new ? new_keys + fresh : keys + place + (size_t)t * D;
            const GLOBAL T* from_values = is_new ? new_values + fresh : values + place + (size_t)t * D;
            UNROLL for (int i = 0; i < E / V; ++i) {
                k[u][i] = ((const GLOBAL Pack*)(from_keys + first))[i];
                v[u][i] = ((const GLOBAL Pack*)(from_values + first))[i];
            }
        }
        UNROLL for (int u = 0; u < U; ++u) {
            const bool is_in = base + u * STEP + team < to;
            UNROLL for (int g = 0; g < G; ++g) {
                float dot = 0.f;
                UNROLL for (int e = 0; e < E; ++e) dot += q[g][e] * (float)k[u][e / V].x[e % V];
                UNROLL for (int o = LANES / 2; o; o /= 2) dot += SHUFFLE(dot, o);
                dots[u][g] = is_in ? dot : -1e30f;
            }
        }
        UNROLL for (int g = 0; g < G; ++g) {
            float highest = top[g];
            UNROLL for (int u = 0; u < U; ++u) highest = MAX(highest, dots[u][g]);
            const float kept = EXP(top[g] - highest);
            float p[U];
            weight[g] *= kept;
            UNROLL for (int u = 0; u < U; ++u) { p[u] = EXP(dots[u][g] - highest); weight[g] += p[u]; }
            UNROLL for (int e = 0; e < E; ++e) {
                float found = sum[g][e] * kept;
                UNROLL for (int u = 0; u < U; ++u) found += p[u] * (float)v[u][e / V].x[e % V];
                sum[g][e] = found;
            }
            top[g] = highest;
        }
    }
    SHARED float tops_of[8][G], weights_of[8][G], sums_of[8][G][D];
    UNROLL for (int g = 0; g < G; ++g) {
        UNROLL for (int o = LANES; o < 32; o *= 2) {
            const float other = SHUFFLE(top[g], o), highest = MAX(top[g], other);
            const float mine = EXP(top[g] - highest), theirs = EXP(other - highest);
            weight[g] = weight[g] * mine + SHUFFLE(weight[g], o) * theirs;
            UNROLL for (int e = 0; e < E; ++e) sum[g][e] = sum[g][e] * mine + SHUFFLE(sum[g][e], o) * theirs;
            top[g] = highest;
        }
        if (lane == 0) { tops_of[warp][g] = top[g]; weights_of[warp][g] = weight[g]; }
        if (team == 0) UNROLL for (int e = 0; e < E; ++e) sums_of[warp][g][first + e] = sum[g][e];
    }
    BARRIER;
    WRITE_NEW
    for (int x = thread; x < G * D; x += 256) {
        const int g = x / D, d = x % D;
        float highest = -1e30f, weights = 0.f, sums = 0.f;
        for (int w = 0; w < 8; ++w) highest = MAX(highest, tops_of[w][g]);
        for (int w = 0; w < 8; ++w) {
            const float scaled = EXP(tops_of[w][g] - highest);
            weights += weights_of[w][g] * scaled;
            sums += sums_of[w][g][d] * scaled;
        }
        STORE
    }
"""
_WHOLE = "out[query * D + x] = (T)(sums / weights);"
_PART = """const size_t to_part = (query + g) * parts + part;
        part_sums[to_part * D + d] = sums;
        if (d == 0) { part_tops[to_part * 2] = highest; part_tops[to_part * 2 + 1] = weights; }"""
_JOIN = """
    const int parts = part_sums_shape[1];
    const size_t head = BLOCK_X;
    const int d = THREAD_X;
    float highest = -1e30f, weights = 0.f, sums = 0.f;
    for (int p = 0; p < parts; ++p) highest = MAX(highest, part_tops[(head * parts + p) * 2]);
    for (int p = 0; p < parts; ++p) {
        const float scaled = EXP(part_tops[(head * parts + p) * 2] - highest);
        weights += part_tops[(head * parts + p) * 2 + 1] * scaled;
        sums += part_sums[(head * parts + p) * D + d] * scaled;
    }
    out[head * D + d] = (T)(sums / weights);
"""
# Nobody else reads the column of the new token before the next step, which needs this
# one's result: so it is written where the cache stands.
_WRITE_NEW = """if (WRITES && sub == 0 && from < to && to == total) {
        for (int x = thread; x < D; x += 256) {
            const_cast<T*>(keys)[place + (size_t)held * D + x] = new_keys[fresh + x];
            const_cast<T*>(values)[place + (size_t)held * D + x] = new_values[fresh + x];
        }
    }"""

_CUDA = {
    "BLOCK_X": "(int)blockIdx.x",
    "BLOCK_Y": "(int)blockIdx.y",
    "BLOCKS_Y": "(int)gridDim.y",
    "THREAD_X": "(int)threadIdx.x",
    "SHARED": "__shared__",
    "BARRIER": "__syncthreads()",
    "UNROLL": "\n#pragma unroll\n",
    "GLOBAL ": "",
}
_METAL = {
    "BLOCK_X": "(int)threadgroup_position_in_grid.x",
    "BLOCK_Y": "(int)threadgroup_position_in_grid.y",
    "BLOCKS_Y": "(int)threadgroups_per_grid.y",
    "THREAD_X": "(int)thread_position_in_threadgroup.x",
    "SHARED": "threadgroup",
    "BARRIER": "threadgroup_barrier(mem_flags::mem_threadgroup)",
    "UNROLL": "\n#pragma unroll\n",
    "GLOBAL": "device",
}
_CUDA_HEADER = """
#define SHUFFLE(x, o) __shfl_xor_sync(0xffffffffu, x, o)
#define MAX fmaxf
#define EXP __expf
"""
_METAL_HEADER = """
#define SHUFFLE(x, o) simd_shuffle_xor(x, (ushort)(o))
#define MAX metal::max
#define EXP metal::fast::exp
"""


def header_of(backend: str) -> str:
    """Return what stands before a kernel; `backend` is `cuda` or `metal`."""
    return _CUDA_HEADER if backend == "cuda" else _METAL_HEADER


def span_source(backend: str, *, is_part: bool) -> str:
    """Return the kernel that attends to a row, or to a part of one."""
    text = _SPAN.replace("STORE", _PART if is_part else _WHOLE)
    # Metal's inputs lie in address spaces that no cast takes the `const` from.
    return _put(
        text.replace("WRITE_NEW", _WRITE_NEW if backend == "cuda" else ""), backend
    )


def join_source(backend: str) -> str:
    """Return the kernel that puts the parts of rows together."""
    return _put(_JOIN, backend)


def _put(text: str, backend: str) -> str:
    for name, value in (_CUDA if backend == "cuda" else _METAL).items():
        text = text.replace(name, value)
    return text
