#include "labelgraph.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace asrbias {

namespace {
constexpr float HIGHEST = 1e-3f;   // half precision may round a log probability up to a little above 0
constexpr double TINY = 1e-200;    // of a frame's largest value: no path that far behind comes back

void check_row(const float* row, int size, int frame) {
    float largest = -std::numeric_limits<float>::infinity();
    const std::string where = " at frame " + std::to_string(frame);
    for (int v = 0; v < size; ++v) {
        if (std::isnan(row[v])) throw std::invalid_argument("log_probs holds NaN" + where + ": every value must be a log probability");
        largest = std::max(largest, row[v]);
    }
    if (largest > HIGHEST)
        throw std::invalid_argument("log_probs holds " + std::to_string(largest) + where +
                                    ", and a log probability is at most 0; give the output of log_softmax");
    if (std::isinf(largest)) throw std::invalid_argument("log_probs is -inf for every label" + where);
}
}  // namespace

LabelGraph::LabelGraph(int32_t count, std::vector<Arc> given) : nodes(count), arcs(std::move(given)) {
    if (nodes < 1) throw std::invalid_argument("a graph needs a node");
    for (const Arc& arc : arcs)
        if (arc.from < 0 || arc.to <= arc.from || arc.to >= nodes)
            throw std::invalid_argument("an arc leads from node " + std::to_string(arc.from) + " to node " +
                                        std::to_string(arc.to) + " of " + std::to_string(nodes));
    std::stable_sort(arcs.begin(), arcs.end(), [](const Arc& a, const Arc& b) { return a.to < b.to; });
}

Frames::Frames(const float* log_probs, int frames, int size, int blank)
    : frames_(frames), size_(size), blank_(blank), values_(static_cast<size_t>(frames) * size), off_(frames) {
    if (blank < 0 || blank >= size)
        throw std::invalid_argument("blank is " + std::to_string(blank) + ", and log_probs has " + std::to_string(size) + " labels");
    for (int t = 0; t < frames; ++t) {
        const float* row = log_probs + static_cast<size_t>(t) * size;
        check_row(row, size, t);
        off_[t] = *std::max_element(row, row + size);
        double* out = values_.data() + static_cast<size_t>(t) * size;
        for (int v = 0; v < size; ++v) out[v] = std::exp(row[v] - off_[t]);
    }
}

TextGraph::TextGraph(const Words& words, const Frames& frames) {
    int nodes = 1;
    bounds_.push_back(0);
    for (const LabelGraph* word : words) {
        const int base = nodes - 1;
        for (const Arc& arc : word->arcs) {
            if (arc.label < 0 || arc.label >= frames.size() || arc.label == frames.blank())
                throw std::invalid_argument("label " + std::to_string(arc.label) + " is the blank or none of the " +
                                            std::to_string(frames.size()) + " labels of log_probs");
            arcs_.push_back({arc.from + base, arc.to + base, arc.label});
        }
        nodes = base + word->nodes;
        bounds_.push_back(nodes - 1);
    }
    into_.assign(nodes + 1, 0);
    reach_.resize(nodes);
    for (int n = 0; n < nodes; ++n) reach_[n] = n;
    for (const Arc& arc : arcs_) {
        ++into_[arc.to + 1];
        reach_[arc.from] = std::max(reach_[arc.from], arc.to);
    }
    for (int n = 0; n < nodes; ++n) into_[n + 1] += into_[n];
    for (int n = 1; n < nodes; ++n) reach_[n] = std::max(reach_[n], reach_[n - 1]);
}

double Logarithm::plus(double a, double b) {
    if (a < b) std::swap(a, b);
    return b == IMPOSSIBLE ? a : a + std::log1p(std::exp(b - a));
}

template <class Number>
Band advance(const TextGraph& graph, const double* row, int blank, const double* old, double* now, Band band) {
    const Band reached{band.first, graph.reach(band.last)};
    const double silent = Number::of(row[blank]);
    for (int n = reached.first; n <= reached.last; ++n) {
        double sum = old[graph.node_state(n)];
        for (int a = graph.first_into(n); a < graph.first_into(n + 1); ++a) {
            const Arc& arc = graph.arc(a);
            double before = Number::plus(old[graph.arc_state(a)], old[graph.node_state(arc.from)]);
            for (int b = graph.first_into(arc.from); b < graph.first_into(arc.from + 1); ++b)
                if (graph.arc(b).label != arc.label) before = Number::plus(before, old[graph.arc_state(b)]);
            now[graph.arc_state(a)] = Number::times(Number::of(row[arc.label]), before);
            sum = Number::plus(sum, old[graph.arc_state(a)]);
        }
        now[graph.node_state(n)] = Number::times(silent, sum);
    }
    return reached;
}
template Band advance<Probability>(const TextGraph&, const double*, int, const double*, double*, Band);
template Band advance<Logarithm>(const TextGraph&, const double*, int, const double*, double*, Band);

template <class Number>
double ended(const TextGraph& graph, const double* values) {
    const int last = graph.nodes() - 1;
    double sum = values[graph.node_state(last)];
    for (int a = graph.first_into(last); a < graph.first_into(last + 1); ++a) sum = Number::plus(sum, values[graph.arc_state(a)]);
    return sum;
}
template double ended<Probability>(const TextGraph&, const double*);
template double ended<Logarithm>(const TextGraph&, const double*);

double rescale(const TextGraph& graph, double* values, Band* band) {
    const auto begin = [&](int node) { return values + graph.first_into(node) + node; };  // the node's first state
    const double largest = *std::max_element(begin(band->first), begin(band->last + 1));
    if (!(largest > 0)) return 0.0;
    const double factor = 1.0 / largest;
    for (double* value = begin(band->first); value != begin(band->last + 1); ++value) *value *= factor;
    const auto negligible = [&](int node) { return *std::max_element(begin(node), begin(node + 1)) < TINY; };
    const auto clear = [&](int node) { std::fill(begin(node), begin(node + 1), 0.0); };
    while (band->first < band->last && negligible(band->first)) clear(band->first++);
    while (band->last > band->first && negligible(band->last)) clear(band->last--);
    return std::log(largest);
}

}  // namespace asrbias
