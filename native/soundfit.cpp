#include "soundfit.hpp"

#include <algorithm>
#include <vector>

#include "simd.hpp"

namespace asrbias {

namespace {
constexpr int BLOCK = 1024;  // cells at once: what they need stays in the first cache

// Sequences one after the other, with a cell before the first; `inner` is 0 where one begins.
struct Cells {
    std::vector<int32_t> labels;
    std::vector<float> inner, state, moved, best, stay, move;
    int size = 0;
    void resize(int most) {
        labels.assign(most + 1, 0);
        for (auto* some : {&inner, &state, &moved, &best, &stay, &move}) some->assign(most + 1, 0.0f);
    }
};

void look_up(const float* table, const int32_t* labels, int size, float* found) {
    for (int k = 1; k <= size; ++k) found[k] = table[labels[k]];
}

ASRBIAS_CLONES void advance(const float* stay, const float* move, float floor, float passing, int size, const float* inner, float* state,
                            float* moved, float* best) {
    for (int k = 1; k <= size; ++k) moved[k] = larger(larger(state[k] + stay[k], state[k - 1] * inner[k] + move[k]), floor);
    for (int k = 1; k <= size; ++k) {
        state[k] = larger(moved[k], moved[k - 1] * inner[k] + passing);
        best[k] = larger(best[k], state[k]);
    }
}

}  // namespace

void fit_sequences(const Steps& steps, const Sequences& sequences, const int32_t* rows, int count, float first, float* scores) {
    Cells cells;
    int longest = BLOCK;
    for (int i = 0; i < count; ++i) longest = std::max(longest, sequences.offsets[rows[i] + 1] - sequences.offsets[rows[i]]);
    cells.resize(longest);
    for (int begin = 0; begin < count;) {
        int end = begin;
        cells.size = 0;
        for (; end < count; ++end) {
            const int32_t from = sequences.offsets[rows[end]], to = sequences.offsets[rows[end] + 1];
            if (cells.size + to - from > longest) break;
            for (int32_t k = from; k < to; ++k) {
                cells.labels[++cells.size] = sequences.labels[k];
                cells.inner[cells.size] = k == from ? 0.0f : 1.0f;
            }
        }
        std::fill(cells.state.begin(), cells.state.end(), first);
        std::fill(cells.best.begin(), cells.best.end(), first);
        cells.state[0] = cells.moved[0] = 0.0f;
        for (int s = 0; s < steps.count; ++s) {
            look_up(steps.stay + static_cast<size_t>(s) * steps.phones, cells.labels.data(), cells.size, cells.stay.data());
            look_up(steps.move + static_cast<size_t>(s) * steps.phones, cells.labels.data(), cells.size, cells.move.data());
            advance(cells.stay.data(), cells.move.data(), steps.floor, steps.passing, cells.size, cells.inner.data(), cells.state.data(),
                    cells.moved.data(), cells.best.data());
        }
        for (int at = 0; begin < end; ++begin) {
            at += sequences.offsets[rows[begin] + 1] - sequences.offsets[rows[begin]];
            scores[begin] = cells.best[at];
        }
    }
}

}  // namespace asrbias
