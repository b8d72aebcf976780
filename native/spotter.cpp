#include "spotter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

namespace asrbias {

namespace {
constexpr float NEVER = -std::numeric_limits<float>::infinity();
}

// The two ways to be in a node: emitting its label, or in the blank after it; and the frames at which they began.
struct LabelTree::Token {
    float label = NEVER, blank = NEVER;
    int32_t label_first = 0, blank_first = 0;
    void offer_label(float score, int32_t first) {
        if (score > label) label = score, label_first = first;
    }
};

LabelTree::LabelTree(const std::vector<int32_t>& labels, const std::vector<int32_t>& offsets, std::vector<int32_t> owners,
                     std::vector<float> reward)
    : owners_(std::move(owners)), reward_(std::move(reward)) {
    if (offsets.empty() || offsets.front() != 0 || offsets.back() != static_cast<int32_t>(labels.size()) ||
        !std::is_sorted(offsets.begin(), offsets.end()))
        throw std::invalid_argument("offsets must rise from 0 to the number of labels");
    if (owners_.size() + 1 != offsets.size() || reward_.size() + 1 != offsets.size())
        throw std::invalid_argument("there must be an owner and a reward for each sequence");
    for (const int32_t label : labels) {
        if (label < 0) throw std::invalid_argument("a label is below 0");
        highest_ = std::max(highest_, label);
    }
    build(labels, offsets);
}

// Breadth first: each node with the stretch of the sorted sequences that go through it.
void LabelTree::build(const std::vector<int32_t>& labels, const std::vector<int32_t>& offsets) {
    const auto begin = [&](int32_t r) { return labels.begin() + offsets[r]; };
    const auto end = [&](int32_t r) { return labels.begin() + offsets[r + 1]; };
    std::vector<int32_t> order(offsets.size() - 1);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return std::lexicographical_compare(begin(a), end(a), begin(b), end(b));
    });
    struct Stretch {
        int32_t from, to;
    };
    std::vector<Stretch> level{{0, static_cast<int32_t>(order.size())}}, next;
    label_ = {-1};
    depth_ = {0};
    row_begin_ = {0};
    for (int32_t depth = 0; !level.empty(); ++depth, level.swap(next)) {
        next.clear();
        for (const Stretch& stretch : level) {
            int32_t at = stretch.from;
            for (; at < stretch.to && end(order[at]) - begin(order[at]) == depth; ++at)
                if (depth > 0) rows_.push_back(order[at]);
            row_begin_.push_back(static_cast<int32_t>(rows_.size()));
            first_child_.push_back(static_cast<int32_t>(label_.size()));
            while (at < stretch.to) {
                const int32_t label = begin(order[at])[depth], from = at;
                while (at < stretch.to && begin(order[at])[depth] == label) ++at;
                next.push_back({from, at});
                label_.push_back(label);
                depth_.push_back(depth + 1);
            }
        }
    }
    first_child_.push_back(static_cast<int32_t>(label_.size()));
}

// One utterance: the tokens that are alive, frame by frame.
class LabelTree::Pass {
  public:
    Pass(const LabelTree& tree, const SpotOptions& options)
        : tree_(tree), options_(options), tokens_(tree.label_.size()), reached_(tree.label_.size(), 0) {}

    // row: log probabilities less the frame's best.
    void step(const std::vector<float>& row, int blank, int frame) {
        old_.clear();
        for (const int32_t n : alive_) old_.push_back(tokens_[n]), tokens_[n] = Token();
        for (int32_t c = tree_.first_child_[0]; c < tree_.first_child_[1]; ++c) offer(c, row[tree_.label_[c]], frame);
        for (size_t i = 0; i < alive_.size(); ++i) pass_on(alive_[i], old_[i], row, row[blank]);
        alive_.clear();
        for (const int32_t n : fresh_) settle(n, frame);
        fresh_.clear();
    }
    std::vector<Spot> spots;

  private:
    void offer(int32_t node, float score, int32_t first) {
        if (!reached_[node]) reached_[node] = 1, fresh_.push_back(node);
        tokens_[node].offer_label(score, first);
    }
    void pass_on(int32_t node, const Token& token, const std::vector<float>& row, float silent) {
        const int32_t label = tree_.label_[node];
        offer(node, token.label + row[label], token.label_first);
        const bool fresh = token.label > token.blank;
        tokens_[node].blank = std::max(token.label, token.blank) + silent;
        tokens_[node].blank_first = fresh ? token.label_first : token.blank_first;
        for (int32_t c = tree_.first_child_[node]; c < tree_.first_child_[node + 1]; ++c) {
            const bool direct = fresh && tree_.label_[c] != label;  // two equal labels need blank between
            offer(c, (direct ? token.label : token.blank) + row[tree_.label_[c]], direct ? token.label_first : token.blank_first);
        }
    }
    void settle(int32_t node, int frame) {
        reached_[node] = 0;
        Token& token = tokens_[node];
        if (!(std::max(token.label, token.blank) >= -(options_.slack + options_.cost * tree_.depth_[node]))) {
            token = Token();
            return;
        }
        alive_.push_back(node);
        if (token.label == NEVER) return;
        for (int32_t r = tree_.row_begin_[node]; r < tree_.row_begin_[node + 1]; ++r)
            spots.push_back({tree_.rows_[r], token.label_first, frame, token.label});
    }

    const LabelTree& tree_;
    const SpotOptions& options_;
    std::vector<Token> tokens_, old_;
    std::vector<char> reached_;
    std::vector<int32_t> alive_, fresh_;
};

std::vector<Spot> LabelTree::spot(const float* log_probs, int frames, int size, int blank, const SpotOptions& options) const {
    if (highest_ >= size || blank < 0 || blank >= size)
        throw std::invalid_argument("log_probs has " + std::to_string(size) + " labels, too few for label " +
                                    std::to_string(std::max(highest_, blank)));
    Pass pass(*this, options);
    std::vector<float> row(size);
    for (int t = 0; t < frames; ++t) {
        const float* values = log_probs + static_cast<size_t>(t) * size;
        const float best = *std::max_element(values, values + size);
        for (int v = 0; v < size; ++v) {
            row[v] = values[v] - best;
            if (std::isnan(row[v])) throw std::invalid_argument("log_probs holds NaN, or only -inf, at frame " + std::to_string(t));
        }
        pass.step(row, blank, t);
    }
    choose(&pass.spots, static_cast<size_t>(std::max(0, options.keep)));
    return std::move(pass.spots);
}

// Of an owner's spots that overlap, the most worth; of all that are left, the `keep` most worth.
void LabelTree::choose(std::vector<Spot>* spots, size_t keep) const {
    const auto better = [&](const Spot& a, const Spot& b) {
        const float x = worth(a), y = worth(b);
        return x != y ? x > y : a.row != b.row ? a.row < b.row : a.first < b.first;
    };
    std::sort(spots->begin(), spots->end(), better);
    std::vector<Spot> kept;
    std::vector<std::vector<std::pair<int32_t, int32_t>>> taken;  // frames, of the owners in `number`
    std::vector<int32_t> number(owners_.empty() ? 0 : *std::max_element(owners_.begin(), owners_.end()) + 1, -1);
    for (const Spot& spot : *spots) {
        if (kept.size() >= keep) break;
        int32_t& mine = number[owners_[spot.row]];
        if (mine < 0) mine = static_cast<int32_t>(taken.size()), taken.emplace_back();
        const auto overlaps = [&](const auto& other) { return spot.first <= other.second && other.first <= spot.last; };
        if (std::any_of(taken[mine].begin(), taken[mine].end(), overlaps)) continue;
        taken[mine].emplace_back(spot.first, spot.last);
        kept.push_back(spot);
    }
    spots->swap(kept);
}

}  // namespace asrbias
