// The phrase automaton: which listed phrases a text holds, over characters.
//
// A text is a string of symbols (folded characters); SEPARATOR stands before every word, so "new york"
// is the symbols of "_new_york". A phrase may begin only at a separator, so a fail arc leads to the
// longest proper suffix that begins at a separator, and there are at most as many as words.
// A token walks its several characters: every segmentation of a phrase takes the same way.
//
// States are numbered breadth-first, so the children of state s are first_child[s] .. first_child[s+1].
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace asrbias {

using Symbol = uint16_t;
constexpr Symbol SEPARATOR = 0;
constexpr Symbol NO_SYMBOL = 0xFFFF;

// How each label is spelled. Labels arrive folded, with ' ' as the separator.
class Vocabulary {
  public:
    // spelled: a string a label; an empty one is a label that is never emitted (blank, control labels).
    Vocabulary(const std::vector<std::u32string>& spelled, int blank);

    int size() const { return static_cast<int>(offsets_.size()) - 1; }
    int blank() const { return blank_; }
    bool emitted(int token) const { return offsets_[token] != offsets_[token + 1]; }
    const Symbol* begin(int token) const { return symbols_.data() + offsets_[token]; }
    const Symbol* end(int token) const { return symbols_.data() + offsets_[token + 1]; }
    int length(int token) const { return offsets_[token + 1] - offsets_[token]; }
    // NO_SYMBOL for a character that no label holds.
    Symbol symbol(char32_t character) const;
    // Whether some sequence of labels spells these symbols (which begin with a separator) up to a word's end.
    bool can_spell(const Symbol* first, const Symbol* last) const;

  private:
    struct Trie {  // of the labels' spellings, for can_spell
        std::vector<int32_t> child, sibling;
        std::vector<Symbol> symbol;
        std::vector<char> terminal;
        int find(int node, Symbol c) const;
    };
    int blank_;
    std::vector<int> offsets_;
    std::vector<Symbol> symbols_;
    Trie trie_;
    bool every_symbol_is_a_label_ = false;  // then whatever consists of known symbols can be spelled
    std::unordered_map<char32_t, Symbol> index_;
};

class Automaton {
  public:
    static constexpr int32_t ROOT = 0;   // inside a word that no phrase can hold
    static constexpr int32_t START = 1;  // "_": at a word's start

    struct State {
        int32_t first_child;
        int32_t fail;    // longest proper suffix that is a state
        int32_t output;  // this state or the nearest one along the fail arcs at which a phrase ends; ROOT if none
        int32_t phrase;  // row of the phrase that ends here, or -1
        float slope;     // max over phrases through here of bonus / length, 0 where all are negative
        uint16_t depth;  // characters matched, the first separator not counted
        uint16_t words;  // separators on the way here: words begun
        uint64_t accepts;  // bits of the symbols with which this state or one along its fail arcs goes on
    };
    static uint64_t bit(Symbol c) { return uint64_t{1} << (c & 63); }  // large alphabets share bits

    // phrases: matching forms joined by '\n'. bonus: one a phrase, in units of the decoder's `bonus` option.
    Automaton(const Vocabulary& vocabulary, const std::u32string& phrases, const std::vector<double>& bonus);

    int32_t step(int32_t state, Symbol c) const {
        if ((states_[state].accepts & bit(c)) == 0) return c == SEPARATOR ? START : ROOT;
        for (;;) {
            const int32_t child = find(state, c);
            if (child != ROOT || state == ROOT) return child;
            state = states_[state].fail;
        }
    }
    const State& operator[](int32_t state) const { return states_[state]; }
    bool at_word_start(int32_t state) const { return symbols_[state] == SEPARATOR; }
    double bonus(int32_t phrase) const { return bonus_[phrase]; }
    // Where a token that begins with a separator, and holds no other, leads from a word's start; else ROOT.
    int32_t word_state(int token) const { return word_states_[token]; }
    // The most that one more character can add to the provisional bonus.
    double steepest() const { return states_[START].slope; }
    bool empty() const { return states_.size() <= 3; }
    size_t size() const { return states_.size() - 1; }
    size_t bytes() const { return states_.capacity() * sizeof(State) + symbols_.capacity() * sizeof(Symbol); }
    // Rows of the phrases that no sequence of the labels spells.
    const std::vector<int32_t>& unusable() const { return unusable_; }

  private:
    int32_t find(int32_t state, Symbol c) const {
        int32_t child = states_[state].first_child;
        const int32_t last = states_[state + 1].first_child;
        if (last - child > 32)  // large alphabets
            child = static_cast<int32_t>(std::lower_bound(&symbols_[child], &symbols_[last], c) - symbols_.data());
        while (child < last && symbols_[child] < c) ++child;
        return child < last && symbols_[child] == c ? child : ROOT;
    }
    void build_trie(const std::vector<Symbol>& text, const std::vector<std::pair<int32_t, int32_t>>& spans,
                    const std::vector<int32_t>& rows);
    void link();

    std::vector<State> states_;  // and one more, so that children of the last state have an end
    std::vector<Symbol> symbols_;
    std::vector<double> bonus_;
    std::vector<int32_t> unusable_, word_states_;
};

}  // namespace asrbias
