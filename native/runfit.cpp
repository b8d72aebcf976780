// Pronunciations aligned to runs of frames, many at once: a row of cells for each, in 16 bits where they fit.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "simd.hpp"
#include "soundfit.hpp"

namespace asrbias {

namespace {
constexpr int PASSES = 2;      // 2^PASSES - 1 = INSERTED
constexpr int LINE = 64;       // bytes
constexpr int CELLS = 2048;    // at once: they stay in the first cache
constexpr int SHORT = 20;      // phones: up to here, up to twice as many, and beyond (in floats) sequences are on scales of their own
constexpr float LIMIT = 16e3f;  // of a cell in 16 bits: two may be added
constexpr float FINEST = 64.0f;  // steps to a nat
static_assert(INSERTED == (1 << PASSES) - 1);

// One phone more: it was heard after what was heard before, or not at all.
template <class Cell>
ASRBIAS_INLINE void enter_rows(const Cell* before, const Cell* const* moves, int count, int row, Cell* __restrict after) {
    for (int n = 0; n < count; ++n, before += row, after += row) {
        const Cell* move = moves[n];
        for (int s = 0; s < row; ++s) {
            const Cell heard = static_cast<Cell>(before[s - 1] + move[s]);
            after[s] = heard > before[s] ? heard : before[s];
        }
    }
}

// `shift` runs passed over, or none
template <class Cell>
ASRBIAS_INLINE void pass_runs(const Cell* before, const Cell* stay, int shift, int size, Cell* __restrict after) {
    for (int s = 0; s < size; ++s) {
        const Cell passed = static_cast<Cell>(before[s - shift] + stay[s]);
        after[s] = passed > before[s] ? passed : before[s];
    }
}

template <class Cell>
ASRBIAS_INLINE Cell highest_of(const Cell* cells, int size) {
    Cell best = 0;
    for (int s = 0; s < size; ++s) best = cells[s] > best ? cells[s] : best;
    return best;
}

ASRBIAS_CLONES void enter(const int16_t* before, const int16_t* const* moves, int count, int row, int16_t* after) { enter_rows(before, moves, count, row, after); }
ASRBIAS_CLONES void pass(const int16_t* before, const int16_t* stay, int shift, int size, int16_t* after) { pass_runs(before, stay, shift, size, after); }
ASRBIAS_CLONES int16_t highest(const int16_t* cells, int size) { return highest_of(cells, size); }
void enter(const float* before, const float* const* moves, int count, int row, float* after) { enter_rows(before, moves, count, row, after); }
void pass(const float* before, const float* stay, int shift, int size, float* after) { pass_runs(before, stay, shift, size, after); }
float highest(const float* cells, int size) { return highest_of(cells, size); }

// Sequences of one length side by side, each a row: after how many nats each run leaves it, up to some phone. Less `deletion`
// for each phone so far, so that passing over one costs nothing and having heard none scores 0.
template <class Cell>
class RunFit {
  public:
    RunFit(const Runs& runs, float deletion, float scale);
    int together() const { return static_cast<int>(moves_.size()); }
    // labels [length, count] of at most together() sequences -> scores
    void fit(const uint16_t* labels, int count, int length, float* scores);

  private:
    Cell rounded(float nats) const {
        const float x = larger(scale_ * nats, -LIMIT);
        return static_cast<Cell>(std::is_integral<Cell>::value ? std::nearbyint(x) : x);
    }
    struct alignas(LINE) Line {  // of the cache: what crosses their borders takes twice as long
        Cell cells[LINE / sizeof(Cell)];
    };
    class Cells {
      public:
        void assign(size_t size, Cell cell) {
            lines_.resize(size * sizeof(Cell) / LINE);
            std::fill_n(data(), size, cell);
        }
        Cell* data() { return reinterpret_cast<Cell*>(lines_.data()); }

      private:
        std::vector<Line> lines_;
    };
    static constexpr int WIDE = LINE / sizeof(Cell);
    Cell* cells(Cells& some) const { return some.data() + WIDE; }
    const int row_;                         // a multiple of WIDE
    const float deletion_, scale_;
    Cells move_, stay_[PASSES];             // [P, row], [together, row]
    Cells state_, entered_, passed_;        // a line, then [together, row]
    std::vector<const Cell*> moves_;
};

template <class Cell>
RunFit<Cell>::RunFit(const Runs& runs, float deletion, float scale)
    : row_((runs.count + WIDE) / WIDE * WIDE), deletion_(deletion), scale_(scale), moves_(std::max(1, CELLS / row_)) {
    move_.assign(static_cast<size_t>(runs.phones) * row_, static_cast<Cell>(-LIMIT));
    for (int a = 0; a < runs.phones; ++a)
        for (int s = 0; s < runs.count; ++s) move_.data()[static_cast<size_t>(a) * row_ + 1 + s] = rounded(runs.odds[s * runs.phones + a] - deletion);
    const size_t size = moves_.size() * row_;
    for (int n = 0; n < PASSES; ++n) {
        stay_[n].assign(size, static_cast<Cell>(-LIMIT));
        Cell* stay = stay_[n].data();
        for (int s = (1 << n) - 1; s < runs.count; ++s) {
            float nats = 0.0f;  // for passing over this run and those before it
            for (int back = 0; back < 1 << n; ++back) nats += runs.insertion * runs.presence[s - back];
            stay[1 + s] = rounded(nats);
        }
        for (size_t k = 1; k < moves_.size(); ++k) std::copy_n(stay, row_, stay + k * row_);
    }
    for (auto* some : {&state_, &entered_, &passed_}) some->assign(WIDE + size, 0);
}

template <class Cell>
void RunFit<Cell>::fit(const uint16_t* labels, int count, int length, float* scores) {
    std::fill_n(state_.data(), WIDE + static_cast<size_t>(count) * row_, Cell{0});
    for (int k = 0; k < length; ++k) {
        for (int n = 0; n < count; ++n) moves_[n] = move_.data() + static_cast<size_t>(labels[k * count + n]) * row_;
        enter(cells(state_), moves_.data(), count, row_, cells(entered_));
        for (int n = 0; n < PASSES; ++n) {
            pass(cells(entered_), stay_[n].data(), 1 << n, count * row_, cells(passed_));
            std::swap(entered_, passed_);
        }
        std::swap(state_, entered_);
    }
    for (int n = 0; n < count; ++n) scores[n] = highest(cells(state_) + static_cast<size_t>(n) * row_, row_) / scale_ + deletion_ * length;
}

// Rows in the order of their lengths.
struct Order {
    Order(const Sequences& sequences, const int32_t* rows, int count) : sequences(sequences), rows(rows), places(count) {
        for (int n = 0; n < count; ++n) begins.resize(std::max<size_t>(begins.size(), length(n) + 2), 0);
        for (int n = 0; n < count; ++n) ++begins[length(n) + 1];
        for (size_t size = 1; size < begins.size(); ++size) begins[size] += begins[size - 1];
        std::vector<int> next = begins;
        for (int n = 0; n < count; ++n) places[next[length(n)]++] = n;
    }
    int length(int n) const { return sequences.offsets[rows[n] + 1] - sequences.offsets[rows[n]]; }
    const Sequences& sequences;
    const int32_t* rows;
    std::vector<int> places, begins;  // of each length its first in `places`
};

// All sequences of at least `least` and at most `most` phones.
template <class Cell>
void fit_lengths(RunFit<Cell>&& fit, const Order& order, int least, int most, float* scores) {
    std::vector<uint16_t> labels;
    std::vector<float> found(fit.together());
    for (int length = least; length <= most && length + 1 < static_cast<int>(order.begins.size()); ++length)
        for (int begin = order.begins[length]; begin < order.begins[length + 1]; begin += fit.together()) {
            const int some = std::min(fit.together(), order.begins[length + 1] - begin);
            labels.resize(static_cast<size_t>(length) * some);
            for (int n = 0; n < some; ++n) {
                const uint16_t* label = order.sequences.labels + order.sequences.offsets[order.rows[order.places[begin + n]]];
                for (int k = 0; k < length; ++k) labels[k * some + n] = label[k];
            }
            fit.fit(labels.data(), some, length, found.data());
            for (int n = 0; n < some; ++n) scores[order.places[begin + n]] = found[n];
        }
}
}  // namespace

void fit_runs(const Runs& runs, const Sequences& sequences, const int32_t* rows, int count, float deletion, float* scores) {
    const Order order(sequences, rows, count);
    const float best = runs.count ? *std::max_element(runs.odds, runs.odds + static_cast<size_t>(runs.count) * runs.phones) - deletion : 0.0f;
    const auto scale = [&](int length) { return std::min(FINEST, LIMIT / (larger(best, 1.0f) * length)); };
    const int longest = static_cast<int>(order.begins.size()) - 2;
    fit_lengths(RunFit<int16_t>(runs, deletion, scale(SHORT)), order, 0, SHORT, scores);
    if (longest > SHORT) fit_lengths(RunFit<int16_t>(runs, deletion, scale(2 * SHORT)), order, SHORT + 1, 2 * SHORT, scores);
    if (longest > 2 * SHORT) fit_lengths(RunFit<float>(runs, deletion, 1.0f), order, 2 * SHORT + 1, longest, scores);
}

}  // namespace asrbias
