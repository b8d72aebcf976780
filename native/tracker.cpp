#include "tracker.hpp"

#include <algorithm>

namespace asrbias {

PhraseTracker::Boundary PhraseTracker::close_word(Cursor at) const {
    const Boundary& open = boundaries_[at.word];
    if (automaton_->at_word_start(at.state)) return open;
    Boundary closed{at.word, open.best, open.penalty};
    for (int32_t s = (*automaton_)[at.state].output; s != Automaton::ROOT; s = (*automaton_)[(*automaton_)[s].fail].output) {
        const double bonus = automaton_->bonus((*automaton_)[s].phrase);
        if (bonus < 0)
            closed.penalty += bonus;
        else
            closed.best = std::max(closed.best, boundaries_[back(at.word, (*automaton_)[s].words - 1)].best + bonus);
    }
    return closed;
}

Cursor PhraseTracker::advance(Cursor at, int token) {
    for (const Symbol* c = vocabulary_.begin(token); c != vocabulary_.end(token); ++c) {
        if (*c == SEPARATOR) {
            if (automaton_->at_word_start(at.state)) continue;
            boundaries_.push_back(close_word(at));
            at.word = static_cast<int32_t>(boundaries_.size()) - 1;
        }
        at.state = automaton_->step(at.state, *c);
    }
    return at;
}

PhraseTracker::Ranking PhraseTracker::ranking(Cursor at) const {
    const Boundary& settled = boundaries_[at.word];
    double best = settled.best, slope = 0.0;
    for (int32_t s = at.state; s != Automaton::ROOT; s = (*automaton_)[s].fail) {
        const Automaton::State& match = (*automaton_)[s];
        const double steep = match.slope, partial = steep * match.depth;
        slope = std::max(slope, steep);
        if (partial > 0) best = std::max(best, boundaries_[back(at.word, match.words - 1)].best + partial);
    }
    return {best + settled.penalty, settled.best + settled.penalty, best > settled.best + SLACK, slope};
}

double PhraseTracker::final(Cursor at) const {
    const Boundary closed = close_word(at);
    return closed.best + closed.penalty;
}

}  // namespace asrbias
