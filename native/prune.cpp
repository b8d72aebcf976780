// Which prefixes stay in the beam: a part of Search.
//
// Prefixes of one future (Search::future_of) differ by a constant for ever, so of them only the best matters to the search.
// The beam keeps
//   - the best prefix of each of the `beam` best futures,
//   - the best of each of the `settled_beam` best futures when nothing is counted that an open match may still lose: else
//     phrases that begin like what is said crowd out what is left when they fail,
//   - for the n-best, `nbest` more of those that are not below the last of the first ones.
// Without a list and a language model prefixes are never anything but variants, and the beam keeps the best `beam` of all.
#include <algorithm>
#include <functional>

#include "search.hpp"

namespace asrbias {

namespace {
template <class T, class Better>
void keep_best(std::vector<T>& all, size_t count, Better better) {
    if (all.size() <= count) return;
    std::nth_element(all.begin(), all.begin() + count, all.end(), better);
    all.resize(count);
}
}  // namespace

// order_ becomes all of next_ and fresh_ that are not below a floor.
void Search::list_all(double floor) {
    order_.clear();
    const auto stayed = static_cast<int32_t>(next_.size());
    for (int32_t i = 0; i < stayed; ++i) {
        const Entry& e = next_[i];
        if (e.rank >= floor) order_.push_back({e.rank, e.total + e.settled + e.lm.open, e.future, i});
    }
    for (int32_t i = 0; i < static_cast<int32_t>(fresh_.size()); ++i) {
        const Fresh& f = fresh_[i];
        if (f.rank >= floor) order_.push_back({f.rank, f.label + f.settled + f.lm, f.future, stayed + i});
    }
}

// futures_ becomes the futures of order_, each with its best and its most_settled.
void Search::find_futures() {
    size_t size = 64;
    while (size < 2 * order_.size()) size *= 2;
    places_.assign(size, -1);
    futures_.clear();
    for (int32_t i = 0; i < static_cast<int32_t>(order_.size()); ++i) {
        const Ranked& r = order_[i];
        size_t at = r.future & (size - 1);
        while (places_[at] >= 0 && futures_[places_[at]].key != r.future) at = (at + 1) & (size - 1);
        if (places_[at] < 0) {
            places_[at] = static_cast<int32_t>(futures_.size());
            futures_.push_back({r.future, i, i});
            continue;
        }
        Future& future = futures_[places_[at]];
        if (r.rank > order_[future.best].rank) future.best = i;
        if (r.settled > order_[future.most_settled].settled) future.most_settled = i;
    }
}

// Of what is there so far; more can only raise them.
void Search::set_cutoffs() {
    const auto raise = [this](double& cutoff, int count) {
        if (ranks_.size() < static_cast<size_t>(count)) return;
        std::nth_element(ranks_.begin(), ranks_.begin() + (count - 1), ranks_.end(), std::greater<>());
        cutoff = std::max(cutoff, ranks_[count - 1]);
    };
    ranks_.clear();
    if (plain_) {
        for (const Entry& e : next_) ranks_.push_back(e.rank);
        for (const Fresh& f : fresh_) ranks_.push_back(f.rank);
        raise(rank_cutoff_, options_.beam);
    } else {
        list_all(NEVER);
        find_futures();
        for (const Future& f : futures_) ranks_.push_back(order_[f.best].rank);
        raise(rank_cutoff_, options_.beam);
        if (settled_beam_ > 0) {
            ranks_.clear();
            for (const Future& f : futures_) ranks_.push_back(order_[f.most_settled].settled);
            raise(settled_cutoff_, settled_beam_);
        }
    }
}

// Enough extensions were collected to know higher cutoffs.
void Search::tighten() {
    set_cutoffs();
    const auto out = [this](const Fresh& f) { return !reaches(f.rank, f.label + f.settled + f.lm); };
    fresh_.erase(std::remove_if(fresh_.begin(), fresh_.end(), out), fresh_.end());
}

void Search::prune() {
    double best = leader_;
    for (const Fresh& fresh : fresh_) best = std::max(best, fresh.label + fresh.settled + fresh.lm);
    const double floor = std::max(best - options_.beam_threshold, -1e300);
    list_all(floor);
    const auto better = [](const Ranked& a, const Ranked& b) { return a.rank != b.rank ? a.rank > b.rank : a.index < b.index; };
    if (plain_)
        keep_best(order_, options_.beam, better);
    else
        choose(floor);
    std::sort(order_.begin(), order_.end(), better);
    kept_.clear();
    const auto stayed = static_cast<int32_t>(next_.size());
    for (const Ranked& ranked : order_) {
        kept_.push_back(ranked.index < stayed ? next_[ranked.index] : entry_of(fresh_[ranked.index - stayed]));
        nodes_[kept_.back().node].slot = static_cast<int32_t>(kept_.size()) - 1;
    }
    beam_.swap(kept_);
}

// order_ becomes what stays of it.
void Search::choose(double floor) {
    const auto better = [](const Ranked& a, const Ranked& b) { return a.rank != b.rank ? a.rank > b.rank : a.index < b.index; };
    const auto more_settled = [](const Ranked& a, const Ranked& b) { return a.settled != b.settled ? a.settled > b.settled : a.index < b.index; };
    if (order_.size() <= static_cast<size_t>(std::min(options_.beam, options_.nbest))) return;
    find_futures();
    taken_.assign(next_.size() + fresh_.size(), 0);
    chosen_.clear();
    for (const Future& f : futures_) chosen_.push_back(order_[f.best]);
    keep_best(chosen_, options_.beam, better);
    double lowest = NEVER;
    if (chosen_.size() == static_cast<size_t>(options_.beam))
        lowest = std::min_element(chosen_.begin(), chosen_.end(), [](const Ranked& a, const Ranked& b) { return a.rank < b.rank; })->rank;
    for (const Ranked& r : chosen_) taken_[r.index] = 1;
    if (settled_beam_ > 0) {
        settled_.clear();
        for (const Future& f : futures_)
            if (order_[f.most_settled].settled >= floor) settled_.push_back(order_[f.most_settled]);
        keep_best(settled_, settled_beam_, more_settled);
        for (const Ranked& r : settled_)
            if (!taken_[r.index]) {
                taken_[r.index] = 1;
                chosen_.push_back(r);
            }
    }
    const auto gone = [&](const Ranked& r) { return taken_[r.index] != 0 || r.rank < lowest; };
    order_.erase(std::remove_if(order_.begin(), order_.end(), gone), order_.end());
    keep_best(order_, options_.nbest, better);
    order_.insert(order_.end(), chosen_.begin(), chosen_.end());
}

}  // namespace asrbias
