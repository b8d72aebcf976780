#include "search.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace asrbias {

namespace {
constexpr int WALK_BITS = 10;  // of the number of walks that are remembered

double log_add(double a, double b) {
    if (a < b) std::swap(a, b);
    const double difference = b - a;  // NaN where both are -inf
    return difference > -40.0 ? a + std::log1p(std::exp(difference)) : a;
}
}  // namespace

Search::Search(const Vocabulary& vocabulary, const Automaton* automaton, const SearchOptions& options)
    : vocabulary_(vocabulary), automaton_(automaton), options_(options), tracker_(vocabulary, automaton) {
    Node root{-1, -1, -1, -1, 0, Cursor{}};
    if (automaton_ != nullptr) summarise(root);
    nodes_.push_back(root);
    if (automaton_ != nullptr) steepest_ = automaton_->steepest() * options.bonus;
    beam_.push_back({0, -1, 0.0, NEVER, 0.0, 0.0, 0.0, steepest_, 0.0, 0.0, 0.0, root.accepts, -1, -1});
    if (automaton_ != nullptr) walks_.resize(size_t{1} << WALK_BITS, {~uint64_t{0}, 0});
    for (int token = 0; token < vocabulary.size(); ++token) {
        const Symbol *first = vocabulary.begin(token), *last = vocabulary.end(token);
        const auto separators = std::count(first, last, SEPARATOR);
        reach_.push_back({vocabulary.length(token), automaton_ != nullptr && separators > 0,
                          separators == 1 && *first == SEPARATOR,
                          first == last ? 0 : Automaton::bit(*first), 0.0, 0.0,
                          static_cast<uint8_t>(separators > 0 ? 0 : std::min<int64_t>(last - first, KINDS - 1))});
        if (automaton_ != nullptr) {
            const Automaton::State& match = (*automaton_)[automaton_->word_state(token)];
            Reach& reach = reach_.back();
            reach.begins = reach.only_first ? options.bonus * match.slope * match.depth : steepest_ * reach.length;
            reach.slope = options.bonus * match.slope;
            if (separators > 0) begins_ = std::max(begins_, reach.begins);
        }
        longest_ = std::max(longest_, vocabulary.length(token));
    }
    found_.resize(vocabulary.size() + 1);
    strong_.resize(vocabulary.size() + 1);
    highest_.resize((vocabulary.size() + BLOCK - 1) / BLOCK);
}

bool Search::step(const float* log_probs) {
    stay(log_probs);
    choose_tokens(log_probs);
    fresh_.clear();
    if (!tokens_.empty()) extend();
    prune();
    return !beam_.empty();
}

// Every prefix goes on without a new token: a blank, its last token again, or its parent's extension by that token.
void Search::stay(const float* log_probs) {
    const double blank = log_probs[vocabulary_.blank()];
    next_ = beam_;
    ranks_.clear();
    for (Entry& entry : beam_) entry.first_child = -1;
    for (size_t slot = 0; slot < beam_.size(); ++slot) {
        const Entry& was = beam_[slot];
        Entry& entry = next_[slot];
        entry.blank = was.total + blank;
        if (was.token >= 0) {
            const double token = log_probs[was.token];
            entry.label = was.label + token;
            const int32_t parent = nodes_[was.node].parent, at = nodes_[parent].slot;
            if (at < static_cast<int32_t>(beam_.size()) && beam_[at].node == parent) {
                const double from = beam_[at].token == was.token ? beam_[at].blank : beam_[at].total;
                entry.label = log_add(entry.label, from + token);
                beam_[slot].sibling = beam_[at].first_child;
                beam_[at].first_child = static_cast<int32_t>(slot);
            }
        }
        entry.total = log_add(entry.blank, entry.label);
        entry.rank = entry.total + entry.bias;
        ranks_.push_back(entry.rank);
    }
    const auto beam = static_cast<size_t>(options_.beam);
    cutoff_ = NEVER;
    for (const Entry& entry : next_) cutoff_ = std::max(cutoff_, entry.total + entry.settled);
    cutoff_ -= options_.beam_threshold;
    if (ranks_.size() >= beam) {
        std::nth_element(ranks_.begin(), ranks_.begin() + (beam - 1), ranks_.end(), std::greater<>());
        cutoff_ = std::max(cutoff_, ranks_[beam - 1]);
    }
}

void Search::extend() {
    size_t pushed = 0;
    for (size_t k = 0; k < tokens_.size(); ++k) {
        const Candidate& token = tokens_[k];
        const double most = static_cast<double>(token.log_prob) + token.gain + SLACK;
        for (const Entry& entry : beam_) {
            if (entry.rank + most < cutoff_) break;  // the beam is sorted
            Fresh fresh;
            if (!rank_extension(entry, token, k >= acoustic_tokens_, &fresh) || in_beam(entry, token.token)) continue;
            fresh_.push_back(fresh);
            if (++pushed % static_cast<size_t>(options_.beam) == 0) tighten();
        }
    }
}

bool Search::in_beam(const Entry& parent, int token) const {
    int32_t slot = parent.first_child;
    while (slot >= 0 && beam_[slot].token != token) slot = beam_[slot].sibling;
    return slot >= 0;
}

// False where it cannot stay in the beam, or needs a phrase to enter it and continues none.
bool Search::rank_extension(const Entry& from, const Candidate& token, bool needs_phrase, Fresh* fresh) {
    const Reach& reach = reach_[token.token];
    // The same token again is a new one only after a blank.
    const double label = (from.token == token.token ? from.blank : from.total) + token.log_prob;
    double bias = from.settled, settled = from.settled, slope = 0.0;
    if (reach.only_first && from.across == 0.0) {  // no phrase goes on across this word's end
        if (needs_phrase && reach.begins <= SLACK) return false;
        bias = from.closed + reach.begins;
        settled = from.closed;
        slope = reach.slope;
    } else if (reach.starts_word || (from.accepts & reach.first) != 0) {  // else every open match fails, if there is any
        const double gain = reach.starts_word ? token.gain : from.slope * reach.length;
        if (label + from.bias + gain + SLACK < cutoff_) return false;
        const auto ranking = rank_phrases(nodes_[from.node], token.token);
        if (needs_phrase && !ranking.provisional) return false;
        bias = options_.bonus * ranking.bias;
        settled = options_.bonus * ranking.settled;
        slope = options_.bonus * ranking.slope;
    } else if (needs_phrase) {
        return false;
    }
    const double rank = label + bias;
    if (!(rank >= cutoff_) || label == NEVER) return false;
    *fresh = {static_cast<int32_t>(&from - beam_.data()), token.token, label, bias, settled, rank, slope};
    return true;
}

PhraseTracker::Ranking Search::rank_phrases(const Node& from, int token) {
    const Reach& reach = reach_[token];
    if (!reach.starts_word) return tracker_.ranking({state_after(from.cursor.state, token), from.cursor.word});
    const int32_t state = automaton_->word_state(token);
    if (reach.only_first && state_after(from.next_word, token) == state) {  // none goes on across this word's end
        const Automaton::State& match = (*automaton_)[state];
        const double slope = match.slope, partial = slope * match.depth;
        return {from.closed + partial, from.closed, partial > SLACK, slope};
    }
    const size_t mark = tracker_.mark();
    const auto ranking = tracker_.ranking(tracker_.advance(from.cursor, token));
    tracker_.release(mark);
    return ranking;
}

// Of a token without a separator, or of what follows its first one. The same few are asked for frame after frame, and a
// walk misses the processor's cache.
int32_t Search::state_after(int32_t state, int token) {
    if (state == Automaton::START && reach_[token].only_first) return automaton_->word_state(token);
    const uint64_t key = static_cast<uint64_t>(state) * static_cast<uint64_t>(vocabulary_.size()) + token;
    Walk& walk = walks_[(key * 0x9E3779B97F4A7C15u) >> (64 - WALK_BITS)];
    if (walk.key != key) {
        walk.key = key;
        for (const Symbol* c = vocabulary_.begin(token) + reach_[token].only_first; c != vocabulary_.end(token); ++c)
            state = automaton_->step(state, *c);
        walk.state = state;
    }
    return walk.state;
}

// Enough extensions were collected to know a higher cutoff.
void Search::tighten() {
    ranks_.clear();
    for (const Entry& entry : next_) ranks_.push_back(entry.rank);
    for (const Fresh& fresh : fresh_) ranks_.push_back(fresh.rank);
    const auto nth = ranks_.begin() + (options_.beam - 1);
    std::nth_element(ranks_.begin(), nth, ranks_.end(), std::greater<>());
    cutoff_ = std::max(cutoff_, *nth);
    const double cutoff = cutoff_;
    fresh_.erase(std::remove_if(fresh_.begin(), fresh_.end(), [cutoff](const Fresh& f) { return f.rank < cutoff; }),
                 fresh_.end());
}

void Search::prune() {
    double best = NEVER;
    for (const Entry& entry : next_) best = std::max(best, entry.total + entry.settled);
    for (const Fresh& fresh : fresh_) best = std::max(best, fresh.label + fresh.settled);
    const double floor = std::max(best - options_.beam_threshold, -1e300);
    const auto stayed = static_cast<int32_t>(next_.size());
    order_.clear();
    for (int32_t i = 0; i < stayed; ++i)
        if (next_[i].rank >= floor) order_.push_back({next_[i].rank, i});
    for (int32_t i = 0; i < static_cast<int32_t>(fresh_.size()); ++i)
        if (fresh_[i].rank >= floor) order_.push_back({fresh_[i].rank, stayed + i});
    const auto better = [](const Ranked& a, const Ranked& b) { return a.rank != b.rank ? a.rank > b.rank : a.index < b.index; };
    if (order_.size() > static_cast<size_t>(options_.beam)) {
        std::nth_element(order_.begin(), order_.begin() + options_.beam, order_.end(), better);
        order_.resize(options_.beam);
    }
    std::sort(order_.begin(), order_.end(), better);
    kept_.clear();
    for (const Ranked& ranked : order_) {
        kept_.push_back(ranked.index < stayed ? next_[ranked.index] : entry_of(fresh_[ranked.index - stayed]));
        nodes_[kept_.back().node].slot = static_cast<int32_t>(kept_.size()) - 1;
    }
    beam_.swap(kept_);
}

Search::Entry Search::entry_of(const Fresh& fresh) {
    const int32_t made = node_for(beam_[fresh.slot].node, fresh.token);
    const Node& node = nodes_[made];
    return {made,       fresh.token,  NEVER, fresh.label, fresh.label, fresh.bias, fresh.rank,
            fresh.slope, options_.bonus * node.settled, options_.bonus * node.closed,
            options_.bonus * node.across, node.accepts, -1, -1};
}

// A prefix that fell out of the beam and comes back is the same node, so that its extensions still merge.
int32_t Search::node_for(int32_t parent, int token) {
    for (int32_t node = nodes_[parent].first_child; node >= 0; node = nodes_[node].sibling)
        if (nodes_[node].token == token) return node;
    const auto made = static_cast<int32_t>(nodes_.size());
    Node node{parent, token, -1, nodes_[parent].first_child, 0, Cursor{}};
    if (automaton_ != nullptr) {
        node.cursor = tracker_.advance(nodes_[parent].cursor, token);
        summarise(node);
    }
    nodes_.push_back(node);
    nodes_[parent].first_child = made;
    return made;
}

void Search::summarise(Node& node) const {
    const int32_t state = node.cursor.state;
    node.next_word = automaton_->at_word_start(state) ? state : automaton_->step(state, SEPARATOR);
    for (int32_t s = node.next_word; s != Automaton::START; s = (*automaton_)[s].fail)
        node.across = std::max(node.across, static_cast<double>((*automaton_)[s].slope));
    node.accepts = (*automaton_)[state].accepts;
    node.settled = tracker_.settled(node.cursor);
    node.closed = tracker_.final(node.cursor);
}

std::vector<Found> Search::finish() const {
    std::vector<Found> found;
    for (const Entry& entry : beam_) {
        Found hypothesis;
        for (int32_t node = entry.node; node > 0; node = nodes_[node].parent) hypothesis.tokens.push_back(nodes_[node].token);
        std::reverse(hypothesis.tokens.begin(), hypothesis.tokens.end());
        hypothesis.acoustic = entry.total;
        hypothesis.bias = automaton_ == nullptr ? 0.0 : options_.bonus * tracker_.final(nodes_[entry.node].cursor);
        found.push_back(std::move(hypothesis));
    }
    std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        return a.acoustic + a.bias > b.acoustic + b.bias;
    });
    if (found.size() > static_cast<size_t>(options_.nbest)) found.resize(options_.nbest);
    return found;
}

}  // namespace asrbias
