// Where in an utterance listed label sequences may have been said: one pass over the frames for the whole list.
//
// All sequences share a tree, in whose nodes the tokens of a Viterbi search sit ("token passing", Young et al. 1989; for
// CTC and lists: Andrusenko et al. 2024, arXiv 2406.07096). A sequence may begin at every frame. A token's score is the
// log probability of its path less that of the best label in each of its frames, so it is at most 0 and means the same
// in every place; tokens below -(slack + cost * labels so far) are dropped, and a list of 10,000 costs little more
// than one of 100. A found sequence is worth its score and its own reward: of those, the best are kept.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace asrbias {

struct Spot {
    int32_t row;          // of the sequences
    int32_t first, last;  // frames of its first and its last label, both included
    float score;          // nats, at most 0
};

struct SpotOptions {
    float cost, slack;  // nats a label, nats
    int keep;           // spots at most
};

class LabelTree {
  public:
    // Sequence r is labels[offsets[r]] .. labels[offsets[r + 1] - 1]; an empty one is never found. Sequences with the same
    // owner stand for one another: only the best of those that overlap in time is kept. reward: nats a sequence.
    // Throws std::invalid_argument for offsets, owners or rewards that do not fit together, or a label below 0.
    LabelTree(const std::vector<int32_t>& labels, const std::vector<int32_t>& offsets, std::vector<int32_t> owners,
              std::vector<float> reward);
    // log_probs: [frames, size]. Best first, by score and reward. Throws std::invalid_argument for too few labels or NaN.
    std::vector<Spot> spot(const float* log_probs, int frames, int size, int blank, const SpotOptions& options) const;
    size_t nodes() const { return label_.size(); }

  private:
    struct Token;
    class Pass;
    void build(const std::vector<int32_t>& labels, const std::vector<int32_t>& offsets);
    void choose(std::vector<Spot>* spots, size_t keep) const;
    float worth(const Spot& spot) const { return spot.score + reward_[spot.row]; }

    // Node 0 is the root. Nodes are numbered breadth first, so the children of n are first_child_[n] .. first_child_[n + 1].
    std::vector<int32_t> label_, first_child_, depth_;
    std::vector<int32_t> row_begin_, rows_;  // sequences that end at a node
    std::vector<int32_t> owners_;
    std::vector<float> reward_;
    int32_t highest_ = -1;  // label
};

}  // namespace asrbias
