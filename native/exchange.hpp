// What a text would score with some of its words exchanged for others: the trellis of the text is computed once, forward
// and backward, and only the other words are run through, from the states before them to those after them.
#pragma once
#include "labelgraph.hpp"

namespace asrbias {

class Exchange {
  public:
    // Throws std::invalid_argument where the text is not possible in these frames. For stretches of speech: it keeps
    // a value for each state and frame.
    Exchange(const Frames& frames, const Words& words);
    double score() const { return score_; }  // of the text as it is: text_score
    // Words [first, last) exchanged for `others`, whose labels are emitted in frames [begin, end).
    // Throws std::invalid_argument for ranges that are none, and for others without labels.
    double exchanged(int first, int last, const Words& others, int begin, int end) const;
    // The same for several `lasts` at once, into totals; others: graph_of the words.
    void exchanged(int first, const std::vector<int>& lasts, const TextGraph& others, int begin, int end, double* totals) const;
    TextGraph graph_of(const Words& words) const { return TextGraph(words, frames_); }
    int frames() const { return frames_.frames(); }
    int words() const { return graph_.words(); }

  private:
    void run_forward();
    void run_backward();
    double before(int node, int frame, int label) const;
    double after(int node, int frame, const TextGraph& others, const double* values, bool last) const;
    const double* forward(int frame) const { return forward_.data() + static_cast<size_t>(frame) * graph_.states(); }
    const double* backward(int frame) const { return backward_.data() + static_cast<size_t>(frame) * graph_.states(); }
    const Frames frames_;
    const TextGraph graph_;
    std::vector<int32_t> leaving_, out_;                  // arcs in order of `from`; [nodes + 1] where those of a node begin
    std::vector<double> forward_, backward_;              // [frames, states]
    std::vector<double> forward_scale_, backward_scale_;  // [frames] nats to be added to their logarithms
    std::vector<double> divisor_;                         // [frames] what forward_ was divided by
    double score_;
};

}  // namespace asrbias
