// What one more token makes of a prefix: a part of Search.
#include <algorithm>

#include "search.hpp"

namespace asrbias {

void Search::extend() {
    size_t pushed = 0;
    for (size_t k = 0; k < tokens_.size(); ++k) {
        const Candidate& token = tokens_[k];
        const double most = static_cast<double>(token.log_prob) + token.gain + SLACK;
        const double most_settled = static_cast<double>(token.log_prob) + token.settled_gain + SLACK;
        for (const Entry& entry : beam_) {
            if (entry.rank + most < rank_cutoff_ && entry.rank + most_settled < settled_cutoff_) break;  // the beam is sorted
            Fresh fresh;
            if (!could_stay(entry, token, k >= acoustic_tokens_) ||
                !rank_extension(entry, token, k >= acoustic_tokens_, &fresh) || in_beam(entry, token.token)) continue;
            fresh_.push_back(fresh);
            if (++pushed % static_cast<size_t>(options_.beam) == 0) tighten();
        }
    }
}

// Whether an extension is worth a closer look: what it can be at most, without a walk.
inline bool Search::could_stay(const Entry& from, const Candidate& token, bool needs_phrase) const {
    const Reach& reach = reach_[token.token];
    const double label = (from.token == token.token ? from.blank : from.total) + token.log_prob;
    double settled = label + SLACK, more = 0.0;
    if (reach.separators == Separators::NONE) {
        if ((from.accepts & reach.first) != 0)
            more = from.bias - from.settled + from.slope * reach.length + gap_gain_;
        else if (needs_phrase)
            return false;
        settled += from.settled + from.lm.open + starting_;
    } else if (reach.separators == Separators::FIRST) {
        more = reach.begins + gap_gain_ * (reach.adaptive > 0) + tracker_.class_gain(from.lm.boost, reach.share, reach.lm);
        settled += from.closed + from.lm.closed + reach.lm;
        if (from.across > 0) {
            const double on = from.bias + std::max(from.lm.closed, from.lm.open) + std::max(reach.lm, 0.0) +
                              from.across * reach.length + gap_gain_;
            more = std::max(more, label + SLACK + on - settled);
        }
    } else {
        return true;
    }
    return reaches(settled + more, settled);
}

// The same before a walk through the phrases, once the language model's part is known.
inline bool Search::walk_could_stay(const Entry& from, int token, double label, double lm) const {
    const Reach& reach = reach_[token];
    if (reach.separators == Separators::INSIDE) return true;
    const bool inside = reach.separators == Separators::NONE;
    double bias = from.bias + (inside ? from.slope : from.across) * reach.length + gap_gain_;
    if (from.boost != NEVER) {  // what costs the language model more may be worth more to the class
        const double was = from.boost - (from.lm.open - from.lm.before), is = from.boost - (lm - from.lm.before);
        bias += options_.bias.unigram * std::max(0.0, std::max(0.0, is) - std::max(0.0, was));
    }
    const double settled = inside ? from.settled : from.closed;
    if (!inside)
        bias = std::max(bias, settled + reach.begins + gap_gain_ * (reach.adaptive > 0) +
                                  tracker_.class_gain(from.lm.boost, reach.share, reach.lm));
    return reaches(label + bias + lm + SLACK, label + settled + lm + SLACK);
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
    const bool fails = reach.separators == Separators::FIRST && from.across == 0.0;  // every match that is open
    const bool walked = automaton_ != nullptr && !fails && (!inside || (from.accepts & reach.first) != 0);
    double bias = from.settled, settled = from.settled, slope = 0.0, gap = 0.0, lm = 0.0, boost = NEVER;
    if (gap_gain_ > 0)
        gap = gap_of(token.token, token.log_prob, label + from.bias + from.lm.open) + (inside ? from.gap : 0.0);
    if (fails) {
        double begins = reach.begins;
        if (pays_more_)
            begins += options_.bias.adaptive * reach.adaptive * gap + tracker_.class_gain(from.lm.boost, reach.share, reach.lm);
        if (needs_phrase && begins <= SLACK) return false;
        bias = from.closed + begins;
        settled = from.closed;
        slope = reach.slope;
        boost = tracker_.class_worth(from.lm.boost, reach.share);
    } else if (walked) {
        if (fusion_) lm = speak_on(from, token.token);
        if (!walk_could_stay(from, token.token, label, lm)) return false;
        const auto ranking = walk_phrases(from, token.token, gap);
        if (needs_phrase && !ranking.provisional) return false;
        bias = ranking.bias;
        settled = ranking.settled;
        slope = ranking.slope;
        boost = ranking.boost;
    } else if (needs_phrase) {  // every open match fails, if there is any
        return false;
    }
    if (fusion_ && !walked) lm = speak_on(from, token.token);
    const double rank = label + bias + lm;
    if (!reaches(rank, label + settled + lm) || label == NEVER) return false;
    const uint64_t future = plain_ ? 0 : future_of(from, token.token);
    *fresh = {static_cast<int32_t>(&from - beam_.data()), token.token, label, bias, settled, rank, slope, boost, lm, gap, future};
    return true;
}

// Tracker::future and the last token of an extension.
uint64_t Search::future_of(const Entry& from, int token) {
    const Reach& reach = reach_[token];
    const Node& node = nodes_[from.node];
    Cursor to = node.cursor;
    uint64_t history = from.lm.history;
    if (reach.separators == Separators::NONE) {
        if (automaton_ != nullptr) to.state = match_after(to.state, token).state;
        if (fusion_) to.spelled = spelled_after(to.spelled, token);
        if (automaton_ != nullptr && (*automaton_)[to.state].words > 1) return Tracker::mix(tracker_.future(to), static_cast<uint64_t>(token));
        history = tracker_.history(to);
    } else if (reach.separators == Separators::FIRST && (automaton_ == nullptr || node.next_word == Automaton::START)) {
        to.state = automaton_ != nullptr ? automaton_->word_state(token) : Automaton::START;
        to.spelled = fusion_ ? fusion_->trie().start(token) : LmTrie::ROOT;
    } else if (reach.separators == Separators::FIRST) {
        to = {match_across(node, token).state, from.end, fusion_ ? fusion_->trie().start(token) : LmTrie::ROOT};
        return Tracker::mix(tracker_.future(to), static_cast<uint64_t>(token));
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
        const Tracker::Match& to = match_after(node.cursor.state, token);
        if (to.alone && !pays_more_) {
            const double slope = options_.bias.bonus * to.slope, partial = slope * to.depth;
            return {from.settled + partial, from.settled, partial > SLACK, slope, NEVER};
        }
        const int32_t spelled = fusion_ && pays_more_ ? spelled_after(node.cursor.spelled, token) : LmTrie::ROOT;
        return tracker_.ranking(to, node.cursor.word, spelled, gap);
    }
    if (reach.separators == Separators::FIRST) {
        const Tracker::Match& to = match_across(node, token);
        if (!pays_more_ && to.state == reach.match.state)  // none goes on across this word's end
            return {from.closed + reach.begins, from.closed, to.slope * to.depth > SLACK, reach.slope, NEVER};
        return tracker_.ranking(to, from.end, fusion_ ? fusion_->trie().start(token) : LmTrie::ROOT, gap);
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
const Tracker::Match& Search::match_after(int32_t state, int token) {
    const bool skip = reach_[token].separators == Separators::FIRST;
    if (state == Automaton::START && skip) return reach_[token].match;
    const uint64_t key = static_cast<uint64_t>(state) * static_cast<uint64_t>(vocabulary_.size()) + token;
    Walk& walk = walks_[(key * 0x9E3779B97F4A7C15u) >> (64 - WALK_BITS)];
    if (walk.key != key) {
        walk.key = key;
        for (const Symbol* c = vocabulary_.begin(token) + skip; c != vocabulary_.end(token); ++c)
            state = automaton_->step(state, *c);
        walk.to = tracker_.match(state);
    }
    return walk.to;
}

// Of a token whose only separator is its first character, after the open word.
const Tracker::Match& Search::match_across(const Node& node, int token) {
    const Reach& reach = reach_[token];
    return (node.goes_on & reach.second) != 0 ? match_after(node.next_word, token) : reach.match;
}

// The same for the open word, and a token without a separator.
int32_t Search::spelled_after(int32_t node, int token) {
    if (node == LmTrie::ROOT) return fusion_->trie().start(token);
    if (node == LmTrie::NOWHERE) return node;
    const uint64_t key = static_cast<uint64_t>(node) * static_cast<uint64_t>(vocabulary_.size()) + token;
    WordWalk& walk = word_walks_[(key * 0x9E3779B97F4A7C15u) >> (64 - WALK_BITS)];
    if (walk.key != key) {
        walk.key = key;
        for (const Symbol* c = vocabulary_.begin(token); c != vocabulary_.end(token); ++c)
            node = fusion_->trie().step(node, *c);
        walk.node = node;
    }
    return walk.node;
}

}  // namespace asrbias
