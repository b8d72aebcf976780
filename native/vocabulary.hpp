// How labels are spelled: the symbols (folded characters) that phrases and words are matched in.
#pragma once
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
    // spelled: a string a label; an empty one is a label that is never emitted (blank, control labels). shown: how texts
    // show each label, UTF-8, with ' ' as the separator; without it texts are empty.
    Vocabulary(const std::vector<std::u32string>& spelled, int blank, std::vector<std::string> shown = {});
    // The words of these tokens as texts show them, with one ' ' between.
    std::string text(const std::vector<int32_t>& tokens) const;

    int size() const { return static_cast<int>(offsets_.size()) - 1; }
    int blank() const { return blank_; }
    bool emitted(int token) const { return offsets_[token] != offsets_[token + 1]; }
    const Symbol* begin(int token) const { return symbols_.data() + offsets_[token]; }
    const Symbol* end(int token) const { return symbols_.data() + offsets_[token + 1]; }
    int length(int token) const { return offsets_[token + 1] - offsets_[token]; }
    int symbols() const { return static_cast<int>(index_.size()); }  // different ones
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
    std::vector<std::string> shown_;
    std::vector<int> offsets_;
    std::vector<Symbol> symbols_;
    Trie trie_;
    bool every_symbol_is_a_label_ = false;  // then whatever consists of known symbols can be spelled
    std::unordered_map<char32_t, Symbol> index_;
};

}  // namespace asrbias
