// How far tokens were below the best, for adaptive boosting (see tracker.hpp): a part of Search.
#include <algorithm>
#include <cmath>
#include <limits>

#include "search.hpp"

namespace asrbias {

// score: of the prefix that the token makes, as far as it is known. Only what is among the frame's top k has a gap: a
// token that the model does not consider is not to be talked into the text.
double Search::gap_of(int token, double log_prob, double score) const {
    const Reach& reach = reach_[token];
    const bool separator = reach.separators == Separators::FIRST && reach.length == 1;
    if (separator || log_prob < gap_floor_) return 0.0;
    return std::clamp(options_.gap_prefix ? leader_ - score : best_ - log_prob, 0.0, options_.gap_cap);
}

// A prefix that is reached once more takes the new number where this frame's alignments alone are the likelier ones.
void Search::merge_gaps(const float* log_probs) {
    for (size_t slot = 0; slot < beam_.size(); ++slot) {
        const Entry& was = beam_[slot];
        Entry& entry = next_[slot];
        if (was.token < 0) continue;
        const int32_t parent = nodes_[was.node].parent, at = nodes_[parent].slot;
        if (at >= static_cast<int32_t>(beam_.size()) || beam_[at].node != parent) continue;
        const Entry& from = beam_[at];
        const double log_prob = log_probs[was.token], arriving = (from.token == was.token ? from.blank : from.total) + log_prob;
        if (arriving + std::log(2.0) <= entry.total) continue;
        const bool inside = reach_[was.token].separators == Separators::NONE;
        entry.gap = gap_of(was.token, log_prob, arriving + from.bias + from.lm.open) + (inside ? from.gap : 0.0);
        entry.bias = tracker_.ranking(nodes_[was.node].cursor, entry.gap).bias;
        entry.closed = std::numeric_limits<double>::quiet_NaN();
        entry.end = -1;
        entry.rank = entry.total + entry.bias + entry.lm.open;
    }
}

}  // namespace asrbias
