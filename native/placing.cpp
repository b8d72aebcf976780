#include "placing.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace asrbias {

namespace {

// The spelled forms as graphs of a text, each made once.
std::vector<std::pair<int32_t, TextGraph>> graphs_of(const std::vector<Words>& forms, const Exchange& text) {
    std::vector<std::pair<int32_t, TextGraph>> graphs;
    for (size_t f = 0; f < forms.size(); ++f)
        if (!forms[f].empty()) graphs.emplace_back(static_cast<int32_t>(f), text.graph_of(forms[f]));
    return graphs;
}

Place best_place(const Exchange& text, const Forms& spelled, bool leads, const std::vector<int>& from, const std::vector<int>& to, int begin,
                 int end) {
    std::vector<std::pair<int32_t, TextGraph>> inside, leading;
    const auto forms_at = [&](int boundary) -> const auto& {
        const bool at_start = leads && boundary == 0;
        auto& graphs = at_start ? leading : inside;
        if (graphs.empty()) graphs = graphs_of(at_start ? spelled.leading : spelled.inside, text);
        return graphs;
    };
    Place best;
    std::vector<int> lasts;
    std::vector<double> totals;
    for (const int first : from) {
        lasts.clear();
        std::copy_if(to.begin(), to.end(), std::back_inserter(lasts), [&](int last) { return first <= last; });
        const auto& forms = forms_at(first);
        totals.resize(forms.size() * lasts.size());
        for (size_t f = 0; f < forms.size(); ++f)
            text.exchanged(first, lasts, forms[f].second, begin, end, totals.data() + f * lasts.size());
        for (size_t l = 0; l < lasts.size(); ++l)
            for (size_t f = 0; f < forms.size(); ++f) {
                const double gain = totals[f * lasts.size() + l] - text.score();
                if (gain > best.gain) best = {gain, forms[f].first, first, lasts[l]};
            }
    }
    return best;
}

}  // namespace

std::vector<int> near_boundaries(const std::vector<double>& starts, const std::vector<double>& ends, double frame,
                                 const PlaceOptions& options) {
    const int count = static_cast<int>(starts.size()) + 1;
    std::vector<double> away(count, 0.0);
    for (int n = 0; n < count; ++n) {
        if (n > 0) away[n] = std::max(away[n], ends[n - 1] - frame);
        if (n + 1 < count) away[n] = std::max(away[n], frame - starts[n]);
    }
    std::vector<int> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return away[a] < away[b]; });
    size_t kept = 1;
    while (kept < order.size() && kept < static_cast<size_t>(options.edges) && away[order[kept]] <= options.margin) ++kept;
    order.resize(kept);
    return order;
}

std::vector<Place> find_places(const Exchange& text, const std::vector<double>& starts, const std::vector<double>& ends,
                               bool leads, const std::vector<Sought>& sought, const PlaceOptions& options) {
    std::vector<Place> places;
    places.reserve(sought.size());
    for (const Sought& one : sought) {
        const int begin = std::max(0, one.first - options.margin);
        const int end = std::min(text.frames(), one.last + 1 + options.margin);
        if (begin >= end) {
            places.emplace_back();
            continue;
        }
        const auto from = near_boundaries(starts, ends, one.first, options), to = near_boundaries(starts, ends, one.last + 1, options);
        places.push_back(best_place(text, *one.forms, leads, from, to, begin, end));
    }
    return places;
}

}  // namespace asrbias
