#include "soundfit.hpp"

#include <algorithm>
#include <cmath>

#include "simd.hpp"

namespace asrbias {

namespace {
constexpr int BLOCK = 1024;      // cells at once: what they need stays in the first cache
constexpr int WINDOW = 40;       // runs of phones, about 3 s: of long audio, not all may speak for one entity
constexpr float LEAST = -4.0f;   // nats: a trigram that was not heard at all
constexpr double POWER = 0.7;    // 0: long sequences win, having more trigrams; 1: short ones win, having more luck

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

ASRBIAS_CLONES void add_pairs(const float* first, const float* second, const float* third, int phones, float* three, float* two) {
    for (int a = 0; a < phones; ++a)
        for (int b = 0; b < phones; ++b) {
            const float pair = first[a] + second[b];
            float* row = three + (a * phones + b) * phones;
            two[a * phones + b] = larger(two[a * phones + b], pair);
            for (int c = 0; c < phones; ++c) row[c] = larger(row[c], pair + third[c]);
        }
}

ASRBIAS_CLONES void larger_of(const float* other, int size, float* table) {
    for (int k = 0; k < size; ++k) table[k] = larger(table[k], other[k]);
}

ASRBIAS_CLONES void add_codes(const float* table, const int32_t* codes, const int32_t* starts, int count, float* best) {
    for (int row = 0; row < count; ++row) {
        float sum = 0.0f;
        for (int k = starts[row]; k < starts[row + 1]; ++k) sum += table[codes[k]];
        best[row] = larger(best[row], sum);
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
            if (steps.stays == 1)
                std::fill(cells.stay.begin(), cells.stay.end(), steps.stay[s]);
            else
                look_up(steps.stay + static_cast<size_t>(s) * steps.stays, cells.labels.data(), cells.size, cells.stay.data());
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

PhoneGrams::PhoneGrams(const Sequences& sequences, int count, int phones) : phones_(phones) {
    const int all = phones * phones * phones, pairs = phones * phones;
    starts_.reserve(count + 1);
    starts_.push_back(0);
    for (int row = 0; row < count; ++row) {
        const int32_t* label = sequences.labels + sequences.offsets[row];
        const int length = sequences.offsets[row + 1] - sequences.offsets[row];
        if (length == 1) codes_.push_back(all + pairs + label[0]);
        if (length == 2) codes_.push_back(all + label[0] * phones + label[1]);
        for (int k = 0; k + 2 < length; ++k) codes_.push_back((label[k] * phones + label[k + 1]) * phones + label[k + 2]);
        starts_.push_back(static_cast<int32_t>(codes_.size()));
        share_.push_back(static_cast<float>(std::pow(std::max(length - 2, 1), -POWER)));
    }
}

size_t PhoneGrams::bytes() const { return 4 * (codes_.size() + starts_.size() + share_.size()); }

// For each half window the evidence of every trigram, then of every pair, then of every phone.
std::vector<std::vector<float>> PhoneGrams::tables(const float* odds, const float* presence, int runs, float insertion) const {
    const int p = phones_, pairs = p * p, all = pairs * p, hop = WINDOW / 2;
    std::vector<float> after(static_cast<size_t>(runs + 2) * p, LEAST);  // the phone of this run, or of the next
    for (int s = 0; s < runs; ++s)
        for (int a = 0; a < p; ++a) {
            const float next = s + 1 < runs ? odds[(s + 1) * p + a] : LEAST;
            after[static_cast<size_t>(s) * p + a] = larger(odds[s * p + a], next + insertion * presence[s]);
        }
    std::vector<std::vector<float>> parts;
    for (int begin = 0; begin < runs; begin += hop) {
        std::vector<float> part(all + pairs + p, LEAST);
        std::copy(odds + begin * p, odds + (begin + 1) * p, part.begin() + all + pairs);
        for (int s = begin; s < std::min(begin + hop, runs); ++s) {
            add_pairs(odds + s * p, after.data() + (s + 1) * p, after.data() + (s + 2) * p, p, part.data(), part.data() + all);
            larger_of(odds + s * p, p, part.data() + all + pairs);
        }
        parts.push_back(std::move(part));
    }
    for (size_t n = 0; n + 1 < parts.size(); ++n) larger_of(parts[n + 1].data(), static_cast<int>(parts[n].size()), parts[n].data());
    if (parts.size() > 1) parts.pop_back();
    return parts;
}

void PhoneGrams::scores(const float* odds, const float* presence, int runs, float insertion, float* scores) const {
    std::fill(scores, scores + size(), -INFINITY);
    for (const std::vector<float>& table : tables(odds, presence, runs, insertion))
        add_codes(table.data(), codes_.data(), starts_.data(), size(), scores);
    for (int row = 0; row < size(); ++row) scores[row] *= share_[row];
}

}  // namespace asrbias
