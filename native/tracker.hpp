// What a text earns from a list and what a language model says of it, followed character by character.
//
// What a phrase pays. Closed words are parsed: the bias of a text is
//     max over parses of sum of pay(occurrence) for each listed phrase of the parse
//   + sum of bonus(phrase) for each occurrence of a phrase whose bonus is negative
// where a parse is a set of occurrences of phrases with bonus >= 0 that do not overlap, and an occurrence is whole
// words. Negative occurrences may overlap anything and each other. So nothing is paid twice, what is no phrase keeps
// nothing, and the order of the list changes nothing.
//     pay = bonus(phrase)                                         6.1: a function of the words alone
//         + adaptive * gap(tokens of the occurrence)              6.2: depends on the frames, see below
//         + unigram * max(0, class - lm(words of the occurrence)) 6.3: a function of the words alone
// where lm() is what the language model itself says of these words after those before them, and class what it says of its
// class word in their place, once for the whole phrase:
//     class = weight * log P(<boost> | words before) + word_bonus + list_prior * log(the phrase's share of the list).
// The words after the phrase have its words in their history, as without a list: so the model's part of
// a text's score is the same with and without a list, and only what is paid differs.
//
// Gaps. A token's gap is how much less likely it was than the best, in the frame in which it was put to its prefix
// (Search::gap_of), so the same text may earn more or less by how it was heard. A prefix keeps one number, the gaps of the
// tokens of its open word. Where alignments that put the last token in different frames merge, it is the number of the
// later one if that alone is likelier than all earlier ones together, else it stays. When a word is closed its number is
// that of the moment in which the prefix that closes it came into the beam. A token that holds a separator counts for
// the word that it begins; a separator alone has no gap. None of this looks at the list.
//
// What the search sees. While a match is open, ranking takes the larger of what is settled so far and, for each open
// match f (those of the automaton state and of its fail arcs),
//     settled before f began + slope(f) * characters matched + adaptive * gap(tokens so far)
//                            + unigram * max(0, class(f) - lm(closed words since f began, open word)),
// slope(f) = max over phrases through f of bonus / length, class(f) that of the likeliest phrase through f,
// which rises with every character, reaches the phrase's pay at its last one, and is gone when the match fails.
// The beam's threshold does not count what is provisional: a strong phrase that begins like the truth must not end it.
// A negative phrase shows only at the end of its last word, so it harms no phrase that begins like it.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "automaton.hpp"
#include "fusion.hpp"

namespace asrbias {

constexpr double SLACK = 1e-6;  // nats by which comparisons are widened against rounding
constexpr double NEVER = -std::numeric_limits<double>::infinity();

struct BiasOptions {
    double bonus, adaptive, unigram, list_prior;
};

struct GuardOptions {  // see guard.hpp
    double character, list, common;  // nats; character +inf: no guard
    bool on() const { return character < 1e300; }
    // The lag that a phrase may have, in a list of so many; below 0 none will do.
    double allowed(const Automaton::Terms& terms, size_t phrases) const {
        return character * terms.length - list * std::log(static_cast<double>(phrases)) - common * terms.common;
    }
};

// Place in the text of one prefix.
struct Cursor {
    int32_t state = Automaton::START;
    int32_t word = 0;  // index of the Boundary at which the open word began
    int32_t spelled = LmTrie::ROOT;  // the open word in the language model's trie
};

struct Parsed {  // a part of the best parse
    int32_t phrase = -1;  // or none
    int32_t words = 1;    // that it spans
};

// Follows prefixes through the automaton and keeps what their closed words have settled.
class Tracker {
  public:
    // automaton, fusion: null without a list, without a language model.
    // unpaid: phrases that are worth nothing, though they are shown where the text has them, as are those that can never
    // pass the guard.
    Tracker(const Vocabulary& vocabulary, const Automaton* automaton, const Fusion* fusion, const BiasOptions& options,
            const GuardOptions& guard, const std::vector<int32_t>& unpaid);

    // gap: of the open word at `from`; end: what close() gave for that word, if it was asked. Boundaries made on the way stay
    // until release().
    Cursor advance(Cursor from, int token, double gap, int32_t end = -1);
    // The boundary that ends the open word; the last one if none is open. All that follow this word may share it.
    int32_t close(Cursor at, double gap);
    size_t mark() const { return boundaries_.size(); }
    void release(size_t mark) { boundaries_.resize(mark); }
    struct Ranking {
        double bias;       // settled and provisional
        double settled;
        bool provisional;  // whether an open match adds to it
        double slope;      // that one more character can add to the open matches
        double boost;      // what the class is worth to them at most, less what the model says of their closed words
    };
    Ranking ranking(Cursor at, double gap) const;
    // What ranking needs to know of an automaton state, so that it is looked up once and not for each prefix.
    struct Match {
        int32_t state = Automaton::ROOT;
        float slope = 0.0f, share = 0.0f, adaptive = 0.0f;
        uint16_t depth = 0;
        bool alone = true;  // no match is open but one that began with the open word, if any
    };
    Match match(int32_t state) const;
    // The same as ranking of {match.state, word, spelled}.
    Ranking ranking(const Match& match, int32_t word, int32_t spelled, double gap) const;
    double settled(Cursor at) const { return boundaries_[at.word].best + boundaries_[at.word].penalty; }
    struct Closed {
        double bias, lm;
        double boost;      // what the class is worth after this word; NEVER where it is not in use
        uint64_t history;  // see history()
    };
    Closed closed(Cursor at, double gap) const { return closed_by(close_word(at, gap)); }  // if the open word ends here
    Closed closed(int32_t end) const { return closed_by(boundaries_[end]); }  // of what close() gave
    // Of the language model: all closed words, and with an estimate of the open one.
    double spoken(Cursor at) const { return boundaries_[at.word].lm; }
    double speaking(Cursor at) const { return boundaries_[at.word].lm + fusion_->open(at.spelled); }
    double spoken_to_end(Cursor at) const;
    // A hash of what the language model still knows of the closed words.
    uint64_t history(Cursor at) const { return boundaries_[at.word].key; }
    // A hash of all that tells what prefixes with the same last token can still earn or lose by the texts that may follow:
    // two that agree in it differ by a constant from now on, whatever is said, to 0.01 nats. (The open word's gap is not
    // in it.)
    uint64_t future(Cursor at) const;
    static uint64_t future(uint64_t history, int32_t state, int32_t spelled) {
        return mix(mix(history, static_cast<uint64_t>(state)), static_cast<uint64_t>(spelled));
    }
    static uint64_t mix(uint64_t hash, uint64_t value) {
        hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
        return hash ^ (hash >> 29);
    }
    // What the class is worth to a match through a state of that share.
    double class_worth(double boost, double share) const {
        return boost == NEVER || share == NEVER ? NEVER : boost + options_.list_prior * share;
    }
    // What unigram boosting adds to a match through `state` that began where the class is worth `boost`.
    double class_gain(double boost, double share, double lm) const {
        return boost == NEVER || share == NEVER ? 0.0
                                                : options_.unigram * std::max(0.0, boost + options_.list_prior * share - lm);
    }
    // The part of it that does not depend on where it began, where it is above 0.
    double class_share(double share, double lm) const { return options_.unigram * (options_.list_prior * share - lm); }
    // The parse that `closed` pays, last part first.
    std::vector<Parsed> parse(Cursor at, double gap) const;

  private:
    struct Boundary {
        int32_t previous;
        Parsed parsed;         // what ends here
        double best = 0.0;     // of the parses of the words before here
        double penalty = 0.0;  // of the negative phrases before here
        double gap = 0.0;      // of the word that ends here
        double lm = 0.0;       // of the words before here
        double boost = NEVER;
        uint64_t key = 0;  // of the history
        NGram::State history{};
    };
    bool inside(Cursor at) const {  // a word
        return automaton_ != nullptr ? !automaton_->at_word_start(at.state) : at.spelled != LmTrie::ROOT;
    }
    Boundary close_word(Cursor at, double gap) const;
    static Closed closed_by(const Boundary& end) { return {end.best + end.penalty, end.lm, end.boost, end.key}; }
    static uint64_t key_of(const NGram::State& history);
    double pay(int32_t phrase, int32_t first, Cursor at, double gap, double lm) const;
    // All gaps since a boundary, and the boundary so many words ago.
    double gaps_since(int32_t first, Cursor at, double gap) const {
        for (int32_t word = at.word; word != first; word = boundaries_[word].previous) gap += boundaries_[word].gap;
        return gap;
    }
    int32_t back(int32_t word, int words) const {
        while (words-- > 0) word = boundaries_[word].previous;
        return word;
    }
    const Vocabulary& vocabulary_;
    const Automaton* automaton_;
    const Fusion* fusion_;
    const BiasOptions options_;
    const GuardOptions guard_;
    const std::vector<int32_t> unpaid_;
    std::vector<Boundary> boundaries_;
};

}  // namespace asrbias
