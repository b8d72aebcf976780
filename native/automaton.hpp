// The phrase automaton: which listed phrases a text holds, over characters.
//
// A text is a string of symbols (folded characters); SEPARATOR stands before every word, so "new york"
// is the symbols of "_new_york". A phrase may begin only at a separator, so a fail arc leads to the
// longest proper suffix that begins at a separator, and there are at most as many as words.
// A token walks its several characters: every segmentation of a phrase takes the same way.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "children.hpp"
#include "vocabulary.hpp"

namespace asrbias {

class Automaton {
  public:
    static constexpr int32_t ROOT = 0;   // inside a word that no phrase can hold
    static constexpr int32_t START = 1;  // "_": at a word's start

    struct alignas(32) State {  // what a walk needs, two to a cache line
        uint64_t children;  // bits of the symbols with which this state goes on
        uint64_t accepts;   // with which it or one along its fail arcs does
        int32_t first_child;
        int32_t fail;      // longest proper suffix that is a state
        float slope;       // max over phrases through here of bonus / length, 0 where all are negative
        uint16_t depth;    // characters matched, the first separator not counted
        uint16_t words : 14;      // separators on the way here, which are words begun
        uint16_t word_start : 1;  // the last of them is the last symbol
        uint16_t ends : 1;        // a phrase ends here or along the fail arcs
    };
    static uint64_t bit(Symbol c) { return symbol_bit(c); }

    // What a phrase earns.
    struct Terms {
        double bonus;    // in units of the decoder's `bonus` option
        float adaptive;  // share of the decoder's `adaptive` option, 0 or more
        float share;     // log of its share of the list's weight; -inf: the language model's class is not for it
        float length;    // characters, for the guard
        float common;    // 1 for common words
    };

    // phrases: matching forms joined by '\n'. terms: one a phrase.
    Automaton(const Vocabulary& vocabulary, const std::u32string& phrases, std::vector<Terms> terms);

    int32_t step(int32_t state, Symbol c) const {
        if ((states_[state].accepts & bit(c)) == 0) return c == SEPARATOR ? START : ROOT;
        for (;;) {
            const State& at = states_[state];
            const int32_t child = dense_ ? find_child(at.children, at.first_child, c)
                                         : find_child(at.children, at.first_child, c, symbols_.data(), states_[state + 1].first_child);
            if (child != ROOT || state == ROOT) return child;
            state = states_[state].fail;
        }
    }
    const State& operator[](int32_t state) const { return states_[state]; }
    bool at_word_start(int32_t state) const { return states_[state].word_start; }
    // This state or the nearest one along the fail arcs at which a phrase ends; ROOT if none.
    int32_t output(int32_t state) const { return states_[state].ends ? ends_[state].output : ROOT; }
    int32_t phrase(int32_t state) const { return ends_[state].phrase; }  // row of the phrase that ends here, or -1
    size_t phrases() const { return terms_.size(); }
    const Terms& terms(int32_t phrase) const { return terms_[phrase]; }
    // The largest of any phrase through a state: of Terms' fields those that the state does not hold.
    float adaptive(int32_t state) const { return same_ && state != ROOT ? same_->adaptive : ends_[state].adaptive; }
    float share(int32_t state) const { return same_ && state != ROOT ? same_->share : ends_[state].share; }
    // Where a token that begins with a separator, and holds no other, leads from a word's start; else ROOT.
    int32_t word_state(int token) const { return word_states_[token]; }
    // The most that one more character can add to the provisional bonus.
    double steepest() const { return states_[START].slope; }
    bool empty() const { return states_.size() <= 3; }
    size_t size() const { return states_.size() - 1; }
    size_t bytes() const {
        return states_.capacity() * sizeof(State) + symbols_.capacity() * sizeof(Symbol) + ends_.capacity() * sizeof(End);
    }
    // Rows of the phrases that no sequence of the labels spells.
    const std::vector<int32_t>& unusable() const { return unusable_; }

  private:
    void build_trie(const std::vector<Symbol>& text, const std::vector<std::pair<int32_t, int32_t>>& spans,
                    const std::vector<int32_t>& rows);
    void link();
    void hand_up();
    void renumber();
    struct End {  // what a walk does not need
        int32_t output, phrase;
        float adaptive, share;
    };

    std::vector<State> states_;  // and one more, so that children of the last state have an end
    std::vector<Symbol> symbols_;  // of each state, in an alphabet that is not dense
    std::vector<End> ends_;
    bool dense_;
    std::optional<End> same_;  // where adaptive and share are the same for all phrases: that spares a walk their memory
    std::vector<Terms> terms_;
    std::vector<int32_t> unusable_, word_states_;
};

}  // namespace asrbias
