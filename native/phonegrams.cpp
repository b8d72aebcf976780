#include "phonegrams.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cut.hpp"
#include "simd.hpp"

namespace asrbias {

namespace {
constexpr int HOP = 20;          // a window is two of them, 40 runs or about 3 s: of long audio, not all may speak for one entity
constexpr int FIELDS = 4;        // windows at once
constexpr int PARTS = FIELDS + 1;
constexpr int ROW = 64;          // phones at once
constexpr int LEVELS = 85;       // of a phone: three fit into a byte
constexpr int MOST = 256;        // trigrams of a sequence that count: their levels fit into 16 bits
constexpr float LEAST = -4.0f;   // nats: a trigram that was not heard at all
constexpr float POWER = 0.7f;    // 0: long sequences win, having more trigrams; 1: short ones win, having more luck
constexpr float ENOUGH = 0.98f;  // of the best must be known to be so

ASRBIAS_INLINE uint8_t higher(uint8_t a, uint8_t b) { return a > b ? a : b; }

ASRBIAS_CLONES void add_bytes(const uint8_t* first, const uint8_t* second, int size, uint8_t* sum) {
    for (int s = 0; s < size; ++s) sum[s] = static_cast<uint8_t>(first[s] + second[s]);
}

// best [ROW]: the highest of pair + third [steps, row]
ASRBIAS_CLONES void add_third(const uint8_t* pair, const uint8_t* third, int steps, int row, uint8_t* best) {
    uint8_t found[ROW];
    std::copy_n(best, ROW, found);
    for (int s = 0; s < steps; ++s)
        for (int c = 0; c < ROW; ++c) found[c] = higher(found[c], static_cast<uint8_t>(pair[s] + third[static_cast<size_t>(s) * row + c]));
    std::copy_n(found, ROW, best);
}

ASRBIAS_CLONES void higher_of(const uint8_t* first, const uint8_t* second, uint8_t* best) {
    for (int c = 0; c < ROW; ++c) best[c] = higher(first[c], second[c]);
}

// sums [count]: the highest of the windows, if it is higher
template <class Fields, class Code>
void add_codes(const Fields* table, const Code* codes, int count, int each, uint16_t* sums) {
    for (int n = 0; n < count; ++n, codes += each) {
        Fields sum = 0;
        for (int k = 0; k < each; ++k) sum += table[codes[k]];
        for (size_t w = 0; w < sizeof(Fields) / 2; ++w) sums[n] = std::max(sums[n], static_cast<uint16_t>(sum >> (16 * w)));
    }
}

ASRBIAS_CLONES int count_from(const uint16_t* sums, int count, int from) {
    if (from > UINT16_MAX) return 0;
    const uint16_t least = static_cast<uint16_t>(from);
    constexpr int BLOCK = 4096;  // counted in 16 bits
    int all = 0;
    for (int begin = 0; begin < count; begin += BLOCK) {
        const int end = std::min(count, begin + BLOCK);
        uint16_t some = 0;
        for (int n = begin; n < end; ++n) some = static_cast<uint16_t>(some + (sums[n] >= least));
        all += some;
    }
    return all;
}
}  // namespace

// Levels of what was heard: each phone's runs one after the other, and each run's phones.
struct PhoneGrams::Heard {
    Heard(const Runs& heard, int phones) : runs(heard.count), row((phones + ROW - 1) / ROW * ROW), pad(runs + 2 + PARTS * HOP) {
        const int p = phones;
        const float* odds = heard.odds;
        float high = 0.0f;
        levels.low = LEAST;
        for (int i = 0; i < runs * p; ++i) {
            levels.low = smaller(levels.low, odds[i]);
            high = larger(high, odds[i]);
        }
        levels.step = (high - levels.low) / LEVELS;
        first.assign(static_cast<size_t>(p) * pad, level(LEAST, 1));  // also for what follows the last run
        then = first;
        third.assign(static_cast<size_t>(pad) * row, level(LEAST, 1));
        for (int s = 0; s < runs; ++s)
            for (int a = 0; a < p; ++a) {
                const float here = odds[s * p + a], next = s + 1 < runs ? odds[(s + 1) * p + a] : LEAST;
                const float late = larger(here, next + heard.insertion * heard.presence[s]);
                first[static_cast<size_t>(a) * pad + s] = level(here, 1);
                then[static_cast<size_t>(a) * pad + s] = third[static_cast<size_t>(s) * row + a] = level(late, 1);
            }
    }
    uint8_t level(float nats, int of) const { return static_cast<uint8_t>(larger((nats - of * levels.low) / levels.step, 0.0f) + 0.5f); }
    int runs, row, pad;
    Levels levels;
    std::vector<uint8_t> first, then, third;  // [P, pad], [P, pad] of this run or the next one, the same [pad, row]
};

PhoneGrams::PhoneGrams(const Sequences& sequences, int count, int phones) : phones_(phones), rows_(count) {
    const int pairs = phones * phones, all = pairs * phones;
    const auto length = [&](int row) { return sequences.offsets[row + 1] - sequences.offsets[row]; };
    std::iota(rows_.begin(), rows_.end(), 0);
    std::stable_sort(rows_.begin(), rows_.end(), [&](int a, int b) { return length(a) < length(b); });
    for (int n = 0; n < count; ++n) {
        const uint16_t* label = sequences.labels + sequences.offsets[rows_[n]];
        const int size = length(rows_[n]), each = std::min(size < 3 ? std::min(size, 1) : (size - 2) / 2 + 1, MOST);
        if (n == 0 || length(rows_[n - 1]) != size)
            groups_.push_back({n, n, each, std::min(size, 3) * each, codes_.size(), std::pow(static_cast<float>(std::max(each, 1)), -POWER)});
        groups_.back().last = n + 1;
        if (size == 1) codes_.push_back(all + pairs + label[0]);
        if (size == 2) codes_.push_back(all + label[0] * phones + label[1]);
        for (int j = 0; size > 2 && j < each; ++j) {
            const int k = std::min(2 * j, size - 3);
            codes_.push_back((label[k] * phones + label[k + 1]) * phones + label[k + 2]);
        }
    }
    std::vector<uint32_t> place(all + pairs + phones, 0);
    for (const uint32_t code : codes_) place[code] = 1;
    for (int code = 0; code < static_cast<int>(place.size()); ++code) {
        if (!place[code]) continue;
        place[code] = static_cast<uint32_t>(last_.size());
        const int size = code < all ? 3 : code < all + pairs ? 2 : 1, rest = size == 3 ? code : size == 2 ? code - all : code - all - pairs;
        const int third = rest % phones, second = rest / phones % phones, first = size == 3 ? rest / pairs : second;
        const Block block{static_cast<int>(last_.size()), 0, size, first, second, third / ROW * ROW};
        const auto same = [&](const Block& b) { return b.phones == size && b.first == first && b.second == second && b.third == block.third; };
        if (blocks_.empty() || !same(blocks_.back())) blocks_.push_back(block);
        last_.push_back(static_cast<uint8_t>(third % ROW));
        blocks_.back().end = static_cast<int>(last_.size());
    }
    for (uint32_t& code : codes_) code = place[code];
    if (last_.size() > UINT16_MAX) return;
    short_codes_.assign(codes_.begin(), codes_.end());
    codes_ = {};
}

// The evidence of every trigram, pair and phone in the windows from half window `begin` on.
template <class Fields>
void PhoneGrams::fill(const Heard& heard, int begin, Fields* table) const {
    const int from = begin * HOP, steps = std::min(PARTS * HOP, heard.runs - from);
    constexpr int fields = sizeof(Fields) / 2;
    std::vector<uint8_t> parts(PARTS * ROW), pair(PARTS * HOP);
    const auto windows = [&](const uint8_t* third, uint8_t least) {  // each pair with each third phone
        std::fill(parts.begin(), parts.end(), least);
        for (int h = 0; h * HOP < steps; ++h)
            add_third(pair.data() + h * HOP, third + static_cast<size_t>(h) * HOP * heard.row, std::min(HOP, steps - h * HOP), heard.row, parts.data() + h * ROW);
        for (int w = 0; w < fields; ++w) higher_of(parts.data() + w * ROW, parts.data() + (w + 1) * ROW, parts.data() + w * ROW);
    };
    const auto packed = [&](int c) {
        Fields levels = 0;
        for (int w = 0; w < fields; ++w) levels |= static_cast<Fields>(static_cast<Fields>(parts[w * ROW + c]) << (16 * w));
        return levels;
    };
    for (const Block& block : blocks_) {
        const size_t first = static_cast<size_t>(block.first) * heard.pad + from, second = static_cast<size_t>(block.second) * heard.pad + from + 1;
        if (block.phones == 3)
            add_bytes(&heard.first[first], &heard.then[second], steps, pair.data());
        else if (block.phones == 2)
            std::copy_n(&heard.first[first], steps, pair.data());
        else
            std::fill_n(pair.data(), steps, uint8_t{0});
        windows(&heard.third[static_cast<size_t>(from + block.phones - 1) * heard.row + block.third], heard.level(LEAST, block.phones));
        for (int n = block.begin; n < block.end; ++n) table[n] = packed(last_[n]);
    }
}

template <class Fields>
void PhoneGrams::add_windows(const Heard& heard, int begin, uint16_t* sums) const {
    std::vector<Fields> table(last_.size());
    fill(heard, begin, table.data());
    for (const Group& group : groups_) {
        const int count = group.last - group.first;
        if (short_codes_.empty())
            add_codes(table.data(), codes_.data() + group.code, count, group.each, sums + group.first);
        else
            add_codes(table.data(), short_codes_.data() + group.code, count, group.each, sums + group.first);
    }
}

// The sums of levels of each sequence, in the order of rows_.
PhoneGrams::Levels PhoneGrams::add_up(const Runs& runs, uint16_t* sums) const {
    const Heard heard(runs, phones_);
    const int windows = std::max((runs.count + HOP - 1) / HOP - 1, 1);
    std::fill_n(sums, size(), uint16_t{0});
    for (int begin = 0; begin < windows; begin += FIELDS)
        if (windows - begin > FIELDS / 2)
            add_windows<uint64_t>(heard, begin, sums);
        else
            add_windows<uint32_t>(heard, begin, sums);
    return heard.levels;
}

void PhoneGrams::scores(const Runs& heard, float* scores) const {
    std::vector<uint16_t> sums(size());
    const Levels levels = add_up(heard, sums.data());
    for (const Group& group : groups_)
        for (int n = group.first; n < group.last; ++n) scores[rows_[n]] = group.nats(levels, sums[n]);
}

int PhoneGrams::Group::least(const Levels& levels, float nats) const {
    return static_cast<int>(std::min(std::max(std::ceil((nats / share - phones * levels.low) / levels.step), 0.0f), 65536.0f));
}

// How many sequences score so much.
int PhoneGrams::above(const uint16_t* sums, const Levels& levels, float nats) const {
    int count = 0;
    for (const Group& group : groups_) count += count_from(sums + group.first, group.last - group.first, group.least(levels, nats));
    return count;
}

int PhoneGrams::best(const Runs& heard, int count, int32_t* rows) const {
    std::vector<uint16_t> sums(size());
    const Levels levels = add_up(heard, sums.data());
    float low = 0.0f, high = 0.0f;
    for (const Group& group : groups_) {
        low = std::min(low, group.nats(levels, 0) - 1.0f);
        high = std::max(high, group.nats(levels, UINT8_MAX * group.each));
    }
    const Cut cut = find_cut(low, high, count, ENOUGH, [&](float nats) { return above(sums.data(), levels, nats); });
    std::vector<int32_t> some(size() + 1);
    std::vector<uint64_t> chosen(size() / 64 + 1, 0);
    const auto choose = [&](float from, float to, int most) {
        int taken = 0;
        for (const Group& group : groups_) {
            const int least = group.least(levels, from), end = group.least(levels, to);
            for (int n = group.first; n < group.last; ++n) {  // without a branch, which could not be foreseen
                some[taken] = rows_[n];
                taken += static_cast<unsigned>(sums[n] - least) < static_cast<unsigned>(end - least);
            }
        }
        taken = std::min(taken, most);
        for (int n = 0; n < taken; ++n) chosen[some[n] / 64] |= uint64_t{1} << (some[n] % 64);
        return taken;
    };
    int found = choose(cut.high, INFINITY, count);
    if (found < ENOUGH * count) found += choose(cut.low, cut.high, count - found);  // of those that score alike, some
    for (size_t word = 0; word < chosen.size(); ++word)
        for (uint64_t left = chosen[word]; left; left &= left - 1) *rows++ = static_cast<int32_t>(64 * word + lowest_bit(left));
    return found;
}

}  // namespace asrbias
