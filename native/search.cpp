#include "search.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace asrbias {

namespace {
constexpr int WALK_BITS = 11;  // of the number of walks that are remembered
constexpr double UNKNOWN = std::numeric_limits<double>::quiet_NaN();

double log_add(double a, double b) {
    if (a < b) std::swap(a, b);
    const double difference = b - a;  // NaN where both are -inf
    return difference > -40.0 ? a + std::log1p(std::exp(difference)) : a;
}
}  // namespace

Search::Search(const Vocabulary& vocabulary, const Automaton* automaton, const LmTrie* words,
               const SearchOptions& options, const std::vector<int32_t>& unpaid)
    : vocabulary_(vocabulary), automaton_(automaton), options_(options), plain_(automaton == nullptr && words == nullptr),
      settled_beam_(automaton != nullptr ? options.settled_beam : 0),
      fusion_(words != nullptr ? std::optional<Fusion>(std::in_place, *words, options.lm) : std::nullopt),
      tracker_(vocabulary, automaton, fusion_ ? &*fusion_ : nullptr, options.bias, unpaid) {
    nodes_.push_back({-1, -1, -1, -1, 0, Cursor{}});
    if (automaton_ != nullptr) {
        steepest_ = automaton_->steepest() * options.bias.bonus;
        gap_gain_ = options.bias.adaptive * options.gap_cap * automaton_->adaptive(Automaton::START);
        most_share_ = automaton_->share(Automaton::START);
        pays_more_ = gap_gain_ > 0 || (fusion_ && options.bias.unigram > 0);
        walks_.resize(size_t{1} << WALK_BITS, {~uint64_t{0}, 0});
    }
    if (fusion_) word_walks_.resize(size_t{1} << WALK_BITS, {~uint64_t{0}, 0});
    summarise(nodes_[0]);
    beam_.push_back({0, -1, 0.0, NEVER, 0.0, 0.0, 0.0, steepest_, 0.0, plain_ ? 0.0 : UNKNOWN, 0.0, nodes_[0].accepts, -1, -1, 0.0, 0, {}});
    if (automaton_ != nullptr) beam_[0].rank = beam_[0].bias = tracker_.ranking(nodes_[0].cursor, 0.0).bias;
    reach_tokens();
    found_.resize(vocabulary.size() + 1);
    strong_.resize(vocabulary.size() + 1);
    highest_.resize((vocabulary.size() + BLOCK - 1) / BLOCK);
}

void Search::reach_tokens() {
    for (int token = 0; token < vocabulary_.size(); ++token) {
        const Symbol *first = vocabulary_.begin(token), *last = vocabulary_.end(token);
        const auto separators = std::count(first, last, SEPARATOR);
        Reach reach{vocabulary_.length(token), Separators::NONE, 0, 0, 0.0, 0.0, 0.0, NEVER, 0.0};
        if (separators > 0)
            reach.separators = separators == 1 && *first == SEPARATOR ? Separators::FIRST : Separators::INSIDE;
        else
            reach.kind = static_cast<uint8_t>(std::min<int64_t>(last - first, MUTE - 1));
        if (token == vocabulary_.blank() || !vocabulary_.emitted(token)) reach.kind = MUTE;
        if (first != last) reach.first = Automaton::bit(*first);
        if (automaton_ != nullptr) {
            const int32_t state = automaton_->word_state(token);
            const Automaton::State& match = (*automaton_)[state];
            const bool alone = reach.separators == Separators::FIRST;
            reach.slope = options_.bias.bonus * match.slope;
            reach.begins = alone ? reach.slope * match.depth : steepest_ * reach.length;
            reach.adaptive = alone ? automaton_->adaptive(state) : 1.0;
            reach.share = automaton_->share(state);
            if (separators > 0) begins_ = std::max(begins_, reach.begins);
        }
        if (fusion_) reach.lm = fusion_->open(fusion_->trie().start(token));
        word_starts_ = token == 0 ? reach.lm : std::max(word_starts_, reach.lm);
        separators_inside_ = separators_inside_ || reach.separators == Separators::INSIDE;
        longest_ = std::max(longest_, reach.length);
        reach_.push_back(reach);
    }
}

bool Search::step(const float* log_probs) {
    best_ = block_maxima(log_probs);
    if (gap_gain_ > 0) gap_floor_ = kth_token(log_probs, std::numeric_limits<float>::lowest(), options_.gap_top_k);
    stay(log_probs);
    choose_tokens(log_probs);
    if (!tokens_.empty()) extend();
    prune();
    return !beam_.empty();
}

// Every prefix goes on without a new token: a blank, its last token again, or its parent's extension by that token.
void Search::stay(const float* log_probs) {
    const double blank = log_probs[vocabulary_.blank()];
    next_ = beam_;
    for (Entry& entry : beam_) entry.first_child = -1;
    leader_ = NEVER;
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
        entry.rank = entry.total + entry.bias + entry.lm.open;
        leader_ = std::max(leader_, entry.total + entry.settled + entry.lm.open);
    }
    if (gap_gain_ > 0) merge_gaps(log_probs);
    fresh_.clear();
    rank_cutoff_ = settled_cutoff_ = leader_ - options_.beam_threshold;
    set_cutoffs();
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
    const bool inside = reach.separators == Separators::NONE;
    // The same token again is a new one only after a blank.
    const double label = (from.token == token.token ? from.blank : from.total) + token.log_prob;
    double bias = from.settled, settled = from.settled, slope = 0.0, gap = 0.0, lm = 0.0;
    if (gap_gain_ > 0)
        gap = gap_of(token.token, token.log_prob, label + from.bias + from.lm.open) + (inside ? from.gap : 0.0);
    if (reach.separators == Separators::FIRST && from.across == 0.0) {  // no phrase goes on across this word's end
        double begins = reach.begins;
        if (pays_more_)
            begins += options_.bias.adaptive * reach.adaptive * gap + tracker_.class_gain(from.lm.boost, reach.share, reach.lm);
        if (needs_phrase && begins <= SLACK) return false;
        bias = from.closed + begins;
        settled = from.closed;
        slope = reach.slope;
    } else if (automaton_ != nullptr && (!inside || (from.accepts & reach.first) != 0)) {
        const double gain = inside ? from.slope * reach.length + gap_gain_ + starting_ : token.gain;
        if (label + from.bias + from.lm.open + gain + SLACK < cutoff_) return false;
        const auto ranking = walk_phrases(from, token.token, gap);
        if (needs_phrase && !ranking.provisional) return false;
        bias = ranking.bias;
        settled = ranking.settled;
        slope = ranking.slope;
    } else if (needs_phrase) {  // every open match fails, if there is any
        return false;
    }
    if (fusion_) {
        if (inside && label + bias + from.lm.open + starting_ + SLACK < cutoff_) return false;
        lm = speak_on(from, token.token);
    }
    const double rank = label + bias + lm;
    if (!reaches(rank, label + settled + lm) || label == NEVER) return false;
    const uint64_t future = plain_ ? 0 : future_of(from, token.token);
    *fresh = {static_cast<int32_t>(&from - beam_.data()), token.token, label, bias, settled, rank, slope, lm, gap, future};
    return true;
}

// Tracker::future and the last token of an extension.
uint64_t Search::future_of(const Entry& from, int token) {
    const Reach& reach = reach_[token];
    const Node& node = nodes_[from.node];
    Cursor to = node.cursor;
    uint64_t history = from.lm.history;
    if (reach.separators == Separators::NONE) {
        if (automaton_ != nullptr) to.state = state_after(to.state, token);
        if (fusion_) to.spelled = spelled_after(to.spelled, token);
        if (automaton_ != nullptr && (*automaton_)[to.state].words > 1) return Tracker::mix(tracker_.future(to), static_cast<uint64_t>(token));
        history = tracker_.history(to);
    } else if (reach.separators == Separators::FIRST && (automaton_ == nullptr || node.next_word == Automaton::START)) {
        to.state = automaton_ != nullptr ? automaton_->word_state(token) : Automaton::START;
        to.spelled = fusion_ ? fusion_->trie().start(token) : LmTrie::ROOT;
    } else {
        const size_t mark = tracker_.mark();
        const uint64_t future = tracker_.future(tracker_.advance(node.cursor, token, from.gap));
        tracker_.release(mark);
        return Tracker::mix(future, static_cast<uint64_t>(token));
    }
    return Tracker::mix(Tracker::future(history, to.state, to.spelled), static_cast<uint64_t>(token));
}

Tracker::Ranking Search::walk_phrases(const Entry& from, int token, double gap) {
    const Reach& reach = reach_[token];
    const Node& node = nodes_[from.node];
    if (reach.separators == Separators::NONE) {
        Cursor to{state_after(node.cursor.state, token), node.cursor.word, LmTrie::ROOT};
        const Automaton::State& match = (*automaton_)[to.state];
        if (match.fail == Automaton::ROOT && match.words < 2 && !pays_more_) {  // at most one, which began with this word
            const double partial = options_.bias.bonus * match.slope * match.depth;
            return {from.settled + partial, from.settled, partial > SLACK, options_.bias.bonus * match.slope};
        }
        if (fusion_ && pays_more_) to.spelled = spelled_after(node.cursor.spelled, token);
        return tracker_.ranking(to, gap);
    }
    const int32_t state = automaton_->word_state(token);
    if (!pays_more_ && reach.separators == Separators::FIRST && state_after(node.next_word, token) == state) {
        const Automaton::State& match = (*automaton_)[state];  // none goes on across this word's end
        return {from.closed + reach.begins, from.closed, match.slope * match.depth > SLACK, reach.slope};
    }
    const size_t mark = tracker_.mark();
    const auto ranking = tracker_.ranking(tracker_.advance(node.cursor, token, from.gap), gap);
    tracker_.release(mark);
    return ranking;
}

// The language model's part of an extension's rank.
double Search::speak_on(const Entry& from, int token) {
    const Reach& reach = reach_[token];
    if (reach.separators == Separators::FIRST) return from.lm.closed + reach.lm;
    if (reach.separators == Separators::NONE)
        return from.lm.before + fusion_->open(spelled_after(nodes_[from.node].cursor.spelled, token));
    const size_t mark = tracker_.mark();
    const double lm = tracker_.speaking(tracker_.advance(nodes_[from.node].cursor, token, from.gap));
    tracker_.release(mark);
    return lm;
}

// Of a token without a separator, or of what follows its first one. The same few are asked for frame after frame, and a
// walk misses the processor's cache.
int32_t Search::state_after(int32_t state, int token) {
    const bool skip = reach_[token].separators == Separators::FIRST;
    if (state == Automaton::START && skip) return automaton_->word_state(token);
    const uint64_t key = static_cast<uint64_t>(state) * static_cast<uint64_t>(vocabulary_.size()) + token;
    Walk& walk = walks_[(key * 0x9E3779B97F4A7C15u) >> (64 - WALK_BITS)];
    if (walk.key != key) {
        walk.key = key;
        for (const Symbol* c = vocabulary_.begin(token) + skip; c != vocabulary_.end(token); ++c)
            state = automaton_->step(state, *c);
        walk.state = state;
    }
    return walk.state;
}

// The same for the open word, and a token without a separator.
int32_t Search::spelled_after(int32_t node, int token) {
    if (node == LmTrie::ROOT) return fusion_->trie().start(token);
    if (node == LmTrie::NOWHERE) return node;
    const uint64_t key = static_cast<uint64_t>(node) * static_cast<uint64_t>(vocabulary_.size()) + token;
    Walk& walk = word_walks_[(key * 0x9E3779B97F4A7C15u) >> (64 - WALK_BITS)];
    if (walk.key != key) {
        walk.key = key;
        for (const Symbol* c = vocabulary_.begin(token); c != vocabulary_.end(token); ++c)
            node = fusion_->trie().step(node, *c);
        walk.state = node;
    }
    return walk.state;
}

Search::Entry Search::entry_of(const Fresh& fresh) {
    const int32_t made = node_for(fresh);
    const Node& node = nodes_[made];
    const Spoken lm = fusion_ ? Spoken{fresh.lm, tracker_.spoken(node.cursor), 0.0, NEVER, 0} : Spoken{};
    return {made, fresh.token, NEVER, fresh.label, fresh.label, fresh.bias, fresh.rank, fresh.slope, node.settled,
            plain_ ? 0.0 : UNKNOWN, node.across, node.accepts, -1, -1, fresh.gap, fresh.future, lm};
}

// A prefix that fell out of the beam and comes back is the same node, so that its extensions still merge.
int32_t Search::node_for(const Fresh& fresh) {
    const int32_t parent = beam_[fresh.slot].node;
    const double gap = beam_[fresh.slot].gap;
    int32_t at = nodes_[parent].first_child;
    while (at >= 0 && nodes_[at].token != fresh.token) at = nodes_[at].sibling;
    const bool known = at >= 0;
    if (known && gap_gain_ == 0) return at;
    if (!known) {
        at = static_cast<int32_t>(nodes_.size());
        nodes_.push_back({parent, fresh.token, -1, nodes_[parent].first_child, 0, Cursor{}});
        nodes_[parent].first_child = at;
    }
    if (!plain_) nodes_[at].cursor = tracker_.advance(nodes_[parent].cursor, fresh.token, gap);
    summarise(nodes_[at]);
    return at;
}

void Search::summarise(Node& node) const {
    if (automaton_ == nullptr) return;
    const int32_t state = node.cursor.state;
    node.across = 0.0;
    node.next_word = automaton_->at_word_start(state) ? state : automaton_->step(state, SEPARATOR);
    for (int32_t s = node.next_word; s != Automaton::START; s = (*automaton_)[s].fail)
        node.across = std::max({node.across, options_.bias.bonus * (*automaton_)[s].slope, pays_more_ ? SLACK : 0.0});
    node.accepts = (*automaton_)[state].accepts;
    node.settled = tracker_.settled(node.cursor);
}

std::vector<Found> Search::finish() const {
    std::vector<Found> found;
    for (const Entry& entry : beam_) {
        Found hypothesis{{}, entry.total, 0.0, 0.0, {}};
        for (int32_t node = entry.node; node > 0; node = nodes_[node].parent) hypothesis.tokens.push_back(nodes_[node].token);
        std::reverse(hypothesis.tokens.begin(), hypothesis.tokens.end());
        const Cursor cursor = nodes_[entry.node].cursor;
        if (automaton_ != nullptr) {
            hypothesis.bias = tracker_.closed(cursor, entry.gap).bias;
            hypothesis.parse = tracker_.parse(cursor, entry.gap);
        }
        if (fusion_) hypothesis.lm = tracker_.spoken_to_end(cursor);
        found.push_back(std::move(hypothesis));
    }
    std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        return a.acoustic + a.bias + a.lm > b.acoustic + b.bias + b.lm;
    });
    if (found.size() > static_cast<size_t>(options_.nbest)) found.resize(options_.nbest);
    return found;
}

}  // namespace asrbias
