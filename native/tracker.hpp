// Phrase bonuses: what a text earns from a list, followed character by character.
//
// What a phrase pays. The bias of a text is a function of its words alone:
//     bias(words) = max over parses of sum of bonus(phrase) for each listed phrase of the parse
//                 + sum of bonus(phrase) for each occurrence of a phrase whose bonus is negative
// where a parse is a set of occurrences of phrases with bonus >= 0 that do not overlap, and an occurrence is whole
// words. Negative occurrences may overlap anything and each other. It follows that the order of the list, the
// segmentation into tokens and the way the search took change nothing, and that nothing is paid twice.
//
// What the search sees. While a match is open, ranking takes the larger of what is settled so far and, for each open
// match f (those of the automaton state and of its fail arcs),
//     settled before f began + slope(f) * characters matched,   slope(f) = max over phrases through f of bonus / length
// which rises with every character, reaches the phrase's bonus at its last one, and is gone when the match fails.
// The beam's threshold does not count what is provisional: a strong phrase that begins like the truth must not end it.
// A negative phrase shows only at the end of its last word, so it harms no phrase that begins like it.
#pragma once
#include <cstdint>
#include <vector>

#include "automaton.hpp"

namespace asrbias {

constexpr double SLACK = 1e-6;  // nats by which comparisons are widened against rounding

// Place in the text of one prefix.
struct Cursor {
    int32_t state = Automaton::START;
    int32_t word = 0;  // index of the Boundary at which the open word began
};

// Follows prefixes through the automaton and keeps what their closed words have settled.
class PhraseTracker {
  public:
    PhraseTracker(const Vocabulary& vocabulary, const Automaton* automaton)
        : vocabulary_(vocabulary), automaton_(automaton), boundaries_{{-1, 0.0, 0.0}} {}

    // Boundaries made on the way stay until release().
    Cursor advance(Cursor from, int token);
    size_t mark() const { return boundaries_.size(); }
    void release(size_t mark) { boundaries_.resize(mark); }
    struct Ranking {
        double bias;       // settled and provisional
        double settled;
        bool provisional;  // whether an open match adds to it
        double slope;      // that one more character can add to the open matches
    };
    Ranking ranking(Cursor at) const;
    double settled(Cursor at) const { return boundaries_[at.word].best + boundaries_[at.word].penalty; }
    double final(Cursor at) const;

  private:
    struct Boundary {
        int32_t previous;
        double best;     // of the parses of the words before here
        double penalty;  // of the negative phrases before here
    };
    Boundary close_word(Cursor at) const;
    int32_t back(int32_t word, int words) const {
        while (words-- > 0) word = boundaries_[word].previous;
        return word;
    }
    const Vocabulary& vocabulary_;
    const Automaton* automaton_;  // null where there is no list: nothing is asked then
    std::vector<Boundary> boundaries_;
};

}  // namespace asrbias
