#include "exchange.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace asrbias {

Exchange::Exchange(const Frames& frames, const Words& words) : frames_(frames), graph_(words, frames) {
    run_forward();
    if (score_ == IMPOSSIBLE) throw std::invalid_argument("the text is not possible in these frames");
    run_backward();
}

void Exchange::run_forward() {
    const int count = frames_.frames();
    const size_t width = graph_.states();
    std::vector<double> start(width, 0.0);
    start[graph_.node_state(0)] = 1.0;
    forward_.assign(width * count, 0.0);
    forward_scale_.resize(count);
    divisor_.resize(count);
    Band band;
    double scale = 0.0;
    for (int t = 0; t < count; ++t) {
        double* now = forward_.data() + t * width;
        band = advance<Probability>(graph_, frames_.row(t), frames_.blank(), t == 0 ? start.data() : now - width, now, band);
        const double taken = rescale(graph_, now, &band);
        divisor_[t] = std::exp(taken);
        forward_scale_[t] = scale += taken + frames_.off(t);
    }
    score_ = std::log(ended<Probability>(graph_, count == 0 ? start.data() : forward(count - 1))) + scale;
}

void Exchange::run_backward() {
    const int count = frames_.frames(), nodes = graph_.nodes();
    out_.assign(nodes + 1, 0);
    for (int a = 0; a < graph_.arcs(); ++a) ++out_[graph_.arc(a).from + 1];
    for (int n = 0; n < nodes; ++n) out_[n + 1] += out_[n];
    leaving_.resize(graph_.arcs());
    std::vector<int32_t> place(out_.begin(), out_.end() - 1);
    for (int a = 0; a < graph_.arcs(); ++a) leaving_[place[graph_.arc(a).from]++] = a;
    backward_.assign(static_cast<size_t>(graph_.states()) * count, 0.0);
    backward_scale_.assign(count, 0.0);
    if (count == 0) return;
    const Band all{0, nodes - 1};
    double* end = backward_.data() + static_cast<size_t>(count - 1) * graph_.states();
    end[graph_.node_state(nodes - 1)] = 1.0;
    for (int a = graph_.first_into(nodes - 1); a < graph_.first_into(nodes); ++a) end[graph_.arc_state(a)] = 1.0;
    double scale = 0.0;
    for (int t = count - 2; t >= 0; --t) {
        const double *row = frames_.row(t + 1), *later = backward(t + 1);
        double* now = backward_.data() + static_cast<size_t>(t) * graph_.states();
        // What follows from a node, but for labels equal to `label`, which need blank between.
        const auto onward = [&](int node, int label) {
            double sum = row[frames_.blank()] * later[graph_.node_state(node)];
            for (int o = out_[node]; o < out_[node + 1]; ++o) {
                const int a = leaving_[o];
                if (graph_.arc(a).label != label) sum += row[graph_.arc(a).label] * later[graph_.arc_state(a)];
            }
            return sum;
        };
        for (int n = 0; n < nodes; ++n) now[graph_.node_state(n)] = onward(n, -1);
        for (int a = 0; a < graph_.arcs(); ++a) {
            const Arc& arc = graph_.arc(a);
            now[graph_.arc_state(a)] = row[arc.label] * later[graph_.arc_state(a)] + onward(arc.to, arc.label);
        }
        Band band = all;
        backward_scale_[t] = scale += rescale(graph_, now, &band) + frames_.off(t + 1);
    }
}

// Of the text's states at the frame before, the sum of those after which `label` may begin behind `node`.
double Exchange::before(int node, int frame, int label) const {
    if (frame == 0) return node == 0 ? 1.0 : 0.0;
    const double* values = forward(frame - 1);
    double sum = values[graph_.node_state(node)];
    for (int a = graph_.first_into(node); a < graph_.first_into(node + 1); ++a)
        if (graph_.arc(a).label != label) sum += values[graph_.arc_state(a)];
    return sum;
}

// The ways on from the end of `others` into the text behind `node`: to its labels and, at the last frame, to its blank.
double Exchange::after(int node, int frame, const TextGraph& others, const double* values, bool last) const {
    const int end = others.nodes() - 1;
    const double whole = ended<Probability>(others, values);
    if (whole <= 0) return 0.0;
    if (frame + 1 == frames_.frames()) return node == graph_.nodes() - 1 ? whole : 0.0;
    const double *row = frames_.row(frame + 1), *later = backward(frame + 1);
    double sum = last ? row[frames_.blank()] * later[graph_.node_state(node)] * whole : 0.0;
    for (int o = out_[node]; o < out_[node + 1]; ++o) {
        const int a = leaving_[o], label = graph_.arc(a).label;
        double allowed = values[others.node_state(end)];
        for (int b = others.first_into(end); b < others.first_into(end + 1); ++b)
            if (others.arc(b).label != label) allowed += values[others.arc_state(b)];
        sum += row[label] * later[graph_.arc_state(a)] * allowed;
    }
    return sum;
}

double Exchange::exchanged(int first, int last, const Words& words, int begin, int end) const {
    double total;
    exchanged(first, {last}, graph_of(words), begin, end, &total);
    return total;
}

void Exchange::exchanged(int first, const std::vector<int>& lasts, const TextGraph& others, int begin, int end, double* totals) const {
    for (const int last : lasts)
        if (first < 0 || last < first || last > graph_.words())
            throw std::invalid_argument("there are no words " + std::to_string(first) + " to " + std::to_string(last));
    if (begin < 0 || end <= begin || end > frames_.frames())
        throw std::invalid_argument("there are no frames " + std::to_string(begin) + " to " + std::to_string(end));
    if (others.arcs() == 0) throw std::invalid_argument("words without labels cannot be put in");
    const Band all{0, others.nodes() - 1};
    const int from = graph_.bound(first);
    std::vector<double> old(others.states(), 0.0), now(others.states(), 0.0);
    std::fill_n(totals, lasts.size(), IMPOSSIBLE);
    for (int t = begin; t < end; ++t) {
        advance<Probability>(others, frames_.row(t), frames_.blank(), old.data(), now.data(), all);
        for (int a = 0; a < others.arcs(); ++a)
            if (others.arc(a).from == 0) now[others.arc_state(a)] += frames_.row(t)[others.arc(a).label] * before(from, t, others.arc(a).label);
        now[others.node_state(0)] = 0.0;  // blank before the first label is the text's
        for (double& value : now) value /= divisor_[t];
        old.swap(now);
        const double behind = t + 1 < frames_.frames() ? backward_scale_[t + 1] + frames_.off(t + 1) : 0.0;
        for (size_t l = 0; l < lasts.size(); ++l) {
            const double sum = after(graph_.bound(lasts[l]), t, others, old.data(), t + 1 == end);
            if (sum > 0) totals[l] = Logarithm::plus(totals[l], std::log(sum) + forward_scale_[t] + behind);
        }
    }
}

}  // namespace asrbias
