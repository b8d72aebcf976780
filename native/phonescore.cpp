#include "phonescore.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace asrbias {

namespace {
template <class Number>
double score(const TextGraph& graph, const Frames& frames) {
    std::vector<double> old(graph.states(), Number::ZERO), now(graph.states(), Number::ZERO);
    Band band, stale;  // of `old` and `now`
    old[graph.node_state(0)] = Number::ONE;
    double taken = 0.0;
    for (int t = 0; t < frames.frames(); ++t) {
        std::fill(now.begin() + graph.first_into(stale.first) + stale.first, now.begin() + graph.node_state(stale.last) + 1, Number::ZERO);
        stale = band;
        band = advance<Number>(graph, frames.row(t), frames.blank(), old.data(), now.data(), band);
        if (Number::ZERO == 0.0) taken += rescale(graph, now.data(), &band);
        old.swap(now);
        taken += frames.off(t);
    }
    return Number::log(ended<Number>(graph, old.data())) + taken;
}

// The Viterbi search over the graph's states.
class Viterbi {
  public:
    Viterbi(const Frames& frames, const Words& words) : frames_(frames), graph_(words, frames) {}
    WordTimes run();

  private:
    void advance(int frame);
    int end() const;
    void collect(int state, WordTimes* out) const;
    const Frames& frames_;
    const TextGraph graph_;
    std::vector<double> old_, now_;
    std::vector<int32_t> from_;  // [frames, states] the state at the frame before
};

void Viterbi::advance(int frame) {
    const double* row = frames_.row(frame);
    int32_t* from = from_.data() + static_cast<size_t>(frame) * graph_.states();
    const auto better = [&](int best, int other) { return old_[other] > old_[best] ? other : best; };
    for (int n = 0; n < graph_.nodes(); ++n) {
        int silent = graph_.node_state(n);
        for (int a = graph_.first_into(n); a < graph_.first_into(n + 1); ++a) {
            const Arc& arc = graph_.arc(a);
            const int state = graph_.arc_state(a);
            int best = better(state, graph_.node_state(arc.from));
            for (int b = graph_.first_into(arc.from); b < graph_.first_into(arc.from + 1); ++b)
                if (graph_.arc(b).label != arc.label) best = better(best, graph_.arc_state(b));
            from[state] = best;
            now_[state] = old_[best] + std::log(row[arc.label]);
            silent = better(silent, state);
        }
        from[graph_.node_state(n)] = silent;
        now_[graph_.node_state(n)] = old_[silent] + std::log(row[frames_.blank()]);
    }
    old_.swap(now_);
}

int Viterbi::end() const {
    const int last = graph_.nodes() - 1;
    int best = graph_.node_state(last);
    for (int a = graph_.first_into(last); a < graph_.first_into(last + 1); ++a)
        if (old_[graph_.arc_state(a)] > old_[best]) best = graph_.arc_state(a);
    return best;
}

void Viterbi::collect(int state, WordTimes* out) const {
    std::vector<int32_t> word_of(graph_.states(), -1), label(graph_.states(), -1);
    for (int w = 0; w < graph_.words(); ++w)
        for (int a = graph_.first_into(graph_.bound(w) + 1); a < graph_.first_into(graph_.bound(w + 1) + 1); ++a)
            word_of[graph_.arc_state(a)] = w, label[graph_.arc_state(a)] = graph_.arc(a).label;
    int later = -1;
    for (int t = frames_.frames() - 1; t >= 0; --t) {
        const int word = word_of[state];
        if (word >= 0) {
            if (out->last[word] < 0) out->last[word] = t;
            out->first[word] = t;
            if (state != later) out->labels[word].push_back(label[state]);
        }
        later = state;
        state = from_[static_cast<size_t>(t) * graph_.states() + state];
    }
    for (auto& labels : out->labels) std::reverse(labels.begin(), labels.end());
}

WordTimes Viterbi::run() {
    const size_t states = graph_.states();
    old_.assign(states, IMPOSSIBLE);
    now_.resize(states);
    from_.resize(states * frames_.frames());
    old_[graph_.node_state(0)] = 0.0;
    WordTimes out;
    out.first.assign(graph_.words(), -1);
    out.last.assign(graph_.words(), -1);
    out.labels.resize(graph_.words());
    double off = 0.0;
    for (int t = 0; t < frames_.frames(); ++t) advance(t), off += frames_.off(t);
    const int state = end();
    if (old_[state] == IMPOSSIBLE) throw std::invalid_argument("the text is not possible in these frames");
    out.score = old_[state] + off;
    collect(state, &out);
    return out;
}
}  // namespace

double text_score(const Frames& frames, const Words& words) {
    const TextGraph graph(words, frames);
    const double sum = score<Probability>(graph, frames);
    return sum == IMPOSSIBLE ? score<Logarithm>(graph, frames) : sum;  // perhaps it was only out of range
}

WordTimes best_way(const Frames& frames, const Words& words) { return Viterbi(frames, words).run(); }

}  // namespace asrbias
