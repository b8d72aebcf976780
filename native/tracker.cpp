#include "tracker.hpp"

#include <algorithm>
#include <cmath>

namespace asrbias {

Tracker::Tracker(const Vocabulary& vocabulary, const Automaton* automaton, const Fusion* fusion,
                 const BiasOptions& options, const GuardOptions& guard, const std::vector<int32_t>& unpaid)
    : vocabulary_(vocabulary), automaton_(automaton), fusion_(fusion), options_(options), guard_(guard), unpaid_(unpaid) {
    Boundary first{-1, {}};
    if (fusion_ != nullptr) {
        first.history = fusion_->trie().model().begin();
        first.key = key_of(first.history);
        if (automaton_ != nullptr && options_.unigram > 0) first.boost = fusion_->boost(first.history);
    }
    boundaries_.push_back(first);
}

Tracker::Boundary Tracker::close_word(Cursor at, double gap) const {
    const Boundary& open = boundaries_[at.word];
    if (!inside(at)) return open;
    Boundary closed{at.word, {}};
    closed.best = open.best;
    closed.penalty = open.penalty;
    closed.gap = gap;
    if (fusion_ != nullptr) {
        closed.lm = open.lm + fusion_->close(open.history, at.spelled, &closed.history);
        closed.key = key_of(closed.history);
        if (open.boost != NEVER) closed.boost = fusion_->boost(closed.history);
    }
    if (automaton_ == nullptr) return closed;
    // Longest first: of equal parses the longer phrase at the later end, and a phrase rather than none.
    for (int32_t s = automaton_->output(at.state); s != Automaton::ROOT; s = automaton_->output((*automaton_)[s].fail)) {
        const int32_t phrase = automaton_->phrase(s), words = (*automaton_)[s].words;
        if (automaton_->terms(phrase).bonus < 0) {
            closed.penalty += options_.bonus * automaton_->terms(phrase).bonus;
            continue;
        }
        const int32_t first = back(at.word, words - 1);
        const double value = boundaries_[first].best + pay(phrase, first, at, gap, closed.lm);
        if (value > closed.best || (closed.parsed.phrase < 0 && value >= closed.best)) {
            closed.best = value;
            closed.parsed = {phrase, words};
        }
    }
    return closed;
}

// lm: of the text up to the phrase's end.
double Tracker::pay(int32_t phrase, int32_t first, Cursor at, double gap, double lm) const {
    if (std::find(unpaid_.begin(), unpaid_.end(), phrase) != unpaid_.end()) return 0.0;
    const Automaton::Terms& terms = automaton_->terms(phrase);
    if (guard_.on() && guard_.allowed(terms, automaton_->phrases()) < 0) return 0.0;
    double nats = options_.bonus * terms.bonus;
    if (options_.adaptive > 0) nats += options_.adaptive * terms.adaptive * gaps_since(first, at, gap);
    return nats + class_gain(boundaries_[first].boost, terms.share, lm - boundaries_[first].lm);
}

int32_t Tracker::close(Cursor at, double gap) {
    if (!inside(at)) return at.word;
    boundaries_.push_back(close_word(at, gap));
    return static_cast<int32_t>(boundaries_.size()) - 1;
}

Cursor Tracker::advance(Cursor at, int token, double gap, int32_t end) {
    for (const Symbol* c = vocabulary_.begin(token); c != vocabulary_.end(token); ++c) {
        if (*c == SEPARATOR) {
            if (!inside(at)) continue;
            at.word = end >= 0 && c == vocabulary_.begin(token) ? end : close(at, gap);
            at.spelled = LmTrie::ROOT;
            gap = 0.0;
        } else if (fusion_ != nullptr) {
            at.spelled = fusion_->trie().step(at.spelled, *c);
        }
        if (automaton_ != nullptr) at.state = automaton_->step(at.state, *c);
    }
    return at;
}

Tracker::Ranking Tracker::ranking(Cursor at, double gap) const {
    const Boundary& settled = boundaries_[at.word];
    double best = settled.best, slope = 0.0, boost = NEVER;
    const bool classes = settled.boost != NEVER;
    const double lm = classes ? speaking(at) : 0.0;
    for (int32_t s = at.state; s != Automaton::ROOT; s = (*automaton_)[s].fail) {
        const Automaton::State& match = (*automaton_)[s];
        const double steep = options_.bonus * match.slope;
        double partial = steep * match.depth;
        slope = std::max(slope, steep);
        const int32_t first = back(at.word, match.words - 1);
        if (options_.adaptive > 0) partial += options_.adaptive * automaton_->adaptive(s) * gaps_since(first, at, gap);
        if (classes) {
            const double share = automaton_->share(s);
            partial += class_gain(boundaries_[first].boost, share, lm - boundaries_[first].lm);
            boost = std::max(boost, class_worth(boundaries_[first].boost, share) - (settled.lm - boundaries_[first].lm));
        }
        if (partial > 0) best = std::max(best, boundaries_[first].best + partial);
    }
    return {best + settled.penalty, settled.best + settled.penalty, best > settled.best + SLACK, slope, boost};
}

Tracker::Match Tracker::match(int32_t state) const {
    const Automaton::State& at = (*automaton_)[state];
    const bool alone = at.fail == Automaton::ROOT && at.words < 2;
    return {state, at.slope, automaton_->share(state), automaton_->adaptive(state), at.depth, alone};
}

Tracker::Ranking Tracker::ranking(const Match& match, int32_t word, int32_t spelled, double gap) const {
    if (!match.alone) return ranking({match.state, word, spelled}, gap);
    const Boundary& settled = boundaries_[word];
    const double slope = options_.bonus * match.slope;
    double partial = slope * match.depth, boost = NEVER;
    if (options_.adaptive > 0) partial += options_.adaptive * match.adaptive * gap;
    if (settled.boost != NEVER) {
        const double lm = settled.lm + fusion_->open(spelled);
        partial += class_gain(settled.boost, match.share, lm - settled.lm);
        boost = class_worth(settled.boost, match.share);
    }
    const double best = partial > 0 ? settled.best + partial : settled.best;
    return {best + settled.penalty, settled.best + settled.penalty, best > settled.best + SLACK, slope, boost};
}

uint64_t Tracker::key_of(const NGram::State& history) {
    uint64_t key = 0x243F6A8885A308D3u;  // not small: mix() keeps small numbers apart from each other, not from their neighbours
    for (int i = 0; i < history.length; ++i) key = mix(key, static_cast<uint64_t>(history.words[i]));
    return key;
}

uint64_t Tracker::future(Cursor at) const {
    uint64_t key = future(boundaries_[at.word].key, at.state, at.spelled);
    if (automaton_ == nullptr) return key;
    const auto add = [&key](double nats) { key = mix(key, static_cast<uint64_t>(std::llround(nats * 100.0))); };
    const Boundary& settled = boundaries_[at.word];
    for (int32_t s = at.state; (*automaton_)[s].words > 1; s = (*automaton_)[s].fail) {  // matches that began before this word
        const int32_t first = back(at.word, (*automaton_)[s].words - 1);
        add(boundaries_[first].best - settled.best);
        if (options_.adaptive > 0) add(gaps_since(first, at, 0.0));
        if (settled.boost == NEVER) continue;
        add(boundaries_[first].boost);
        add(settled.lm - boundaries_[first].lm);
    }
    return key;
}

double Tracker::spoken_to_end(Cursor at) const {
    const Boundary closed = close_word(at, 0.0);
    return closed.lm + fusion_->end(closed.history);
}

std::vector<Parsed> Tracker::parse(Cursor at, double gap) const {
    std::vector<Parsed> parts;
    if (!inside(at) && at.word == 0) return parts;
    Boundary end = close_word(at, gap);
    for (;;) {
        parts.push_back(end.parsed);
        const int32_t word = back(end.previous, end.parsed.words - 1);
        if (word == 0) return parts;
        end = boundaries_[word];
    }
}

}  // namespace asrbias
