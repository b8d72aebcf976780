// Words as small graphs of labels, and the CTC trellis of a text made of them.
//
// A word's graph holds what may be emitted for it: the phones of each of its pronunciations side by side, or every
// segmentation into subwords. A text's graph is its words' graphs one after the other. States of the trellis, per frame:
//     arc a from node u:  its label is being emitted     x(a) <- p(label a) (x(a) + x(u) + arcs into u with another label)
//     node u:             blank, after the arcs into it  x(u) <- p(blank)   (x(u) + arcs into u)
// (Graves et al. 2006, section 4.1, over a graph.) States are numbered by node: the arcs into a node, then the node, so
// those that are alive at a frame lie in one stretch.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace asrbias {

constexpr double IMPOSSIBLE = -std::numeric_limits<double>::infinity();

struct Arc {
    int32_t from, to, label;
};

// From node 0 to node nodes - 1; each arc leads to a node of a higher number. One node and no arcs: an empty word.
struct LabelGraph {
    int32_t nodes;
    std::vector<Arc> arcs;  // sorted by `to`
    // Throws std::invalid_argument for arcs that lead back or to no node.
    LabelGraph(int32_t nodes, std::vector<Arc> arcs);
};

using Words = std::vector<const LabelGraph*>;

// Probabilities of one utterance, each frame divided by its largest so that products stay within range.
class Frames {
  public:
    // log_probs: [frames, size] row by row. Throws std::invalid_argument for a value that no log probability has.
    Frames(const float* log_probs, int frames, int size, int blank);
    int frames() const { return frames_; }
    int size() const { return size_; }
    int blank() const { return blank_; }
    const double* row(int frame) const { return values_.data() + static_cast<size_t>(frame) * size_; }
    double off(int frame) const { return off_[frame]; }  // nats: the logarithm of what the frame was divided by

  private:
    int frames_, size_, blank_;
    std::vector<double> values_, off_;
};

class TextGraph {
  public:
    // Throws std::invalid_argument for a label that is none of `frames`, or its blank.
    TextGraph(const Words& words, const Frames& frames);

    int nodes() const { return static_cast<int>(into_.size()) - 1; }
    int states() const { return static_cast<int>(arcs_.size()) + nodes(); }
    int words() const { return static_cast<int>(bounds_.size()) - 1; }
    int bound(int word) const { return bounds_[word]; }  // the node before a word; of words(): the last node
    int first_into(int node) const { return into_[node]; }  // arcs into a node: first_into(node) .. first_into(node + 1)
    int reach(int node) const { return reach_[node]; }      // the furthest node that an arc from here or before leads to
    const Arc& arc(int a) const { return arcs_[a]; }
    int arcs() const { return static_cast<int>(arcs_.size()); }
    int arc_state(int a) const { return a + arcs_[a].to; }
    int node_state(int node) const { return into_[node + 1] + node; }

  private:
    std::vector<Arc> arcs_;
    std::vector<int32_t> into_, bounds_, reach_;
};

// Nodes whose states, or those of the arcs into them, may be other than zero: first .. last, both included.
struct Band {
    int first = 0, last = 0;
};

// How values add and multiply: as probabilities, or as their logarithms where these are out of range.
struct Probability {
    static constexpr double ZERO = 0.0, ONE = 1.0;
    static double plus(double a, double b) { return a + b; }
    static double times(double a, double b) { return a * b; }
    static double of(double p) { return p; }
    static double log(double value) { return std::log(value); }
};
struct Logarithm {
    static constexpr double ZERO = IMPOSSIBLE, ONE = 0.0;
    static double plus(double a, double b);
    static double times(double a, double b) { return a + b; }
    static double of(double p) { return std::log(p); }
    static double log(double value) { return value; }
};

// One frame on, from `old` to `now` (states() values each, ZERO outside the bands); returns the band of `now`.
template <class Number>
Band advance(const TextGraph& graph, const double* row, int blank, const double* old, double* now, Band band);

// Of the states at the last frame, those that end the text.
template <class Number>
double ended(const TextGraph& graph, const double* values);

// Divides the values by the largest, drops from the band's ends what is beyond reach of it; returns its logarithm.
double rescale(const TextGraph& graph, double* values, Band* band);

}  // namespace asrbias
