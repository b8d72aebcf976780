#include "vocabulary.hpp"

#include <set>
#include <stdexcept>
#include <utility>

namespace asrbias {

Vocabulary::Vocabulary(const std::vector<std::u32string>& spelled, int blank, std::vector<std::string> shown)
    : blank_(blank), shown_(std::move(shown)) {
    if (!shown_.empty() && shown_.size() != spelled.size()) throw std::invalid_argument("there must be as many labels shown as spelled");
    // Symbols in code point order: phrases that come sorted stay sorted. ' ' becomes SEPARATOR.
    std::set<char32_t> characters;
    for (const auto& label : spelled) characters.insert(label.begin(), label.end());
    characters.erase(U' ');
    if (characters.size() >= NO_SYMBOL - 1) throw std::invalid_argument("labels hold more than 65,000 different characters");
    index_[U' '] = SEPARATOR;
    Symbol next = SEPARATOR + 1;
    for (char32_t c : characters) index_[c] = next++;

    auto add_node = [this](Symbol c) {
        trie_.child.push_back(0), trie_.sibling.push_back(0), trie_.symbol.push_back(c), trie_.terminal.push_back(0);
        return static_cast<int>(trie_.child.size()) - 1;
    };
    add_node(NO_SYMBOL);
    offsets_.push_back(0);
    for (const auto& label : spelled) {
        int node = 0;
        for (char32_t c : label) {
            const Symbol s = index_[c];
            symbols_.push_back(s);
            int child = trie_.find(node, s);
            if (child == 0) {
                child = add_node(s);
                trie_.sibling[child] = trie_.child[node];
                trie_.child[node] = child;
            }
            node = child;
        }
        if (node != 0) trie_.terminal[node] = 1;
        offsets_.push_back(static_cast<int>(symbols_.size()));
    }
    every_symbol_is_a_label_ = true;
    for (Symbol s = SEPARATOR; s < next; ++s) {
        const int node = trie_.find(0, s);
        every_symbol_is_a_label_ = every_symbol_is_a_label_ && node != 0 && trie_.terminal[node];
    }
}

int Vocabulary::Trie::find(int node, Symbol c) const {
    int found = child[node];
    while (found != 0 && symbol[found] != c) found = sibling[found];
    return found;
}

std::string Vocabulary::text(const std::vector<int32_t>& tokens) const {
    std::string text;
    bool inside = false;  // a word
    for (size_t t = 0; !shown_.empty() && t < tokens.size(); ++t)
        for (const char c : shown_[tokens[t]]) {
            if (c != ' ' && !inside && !text.empty()) text += ' ';
            if (c != ' ') text += c;
            inside = c != ' ';
        }
    return text;
}

Symbol Vocabulary::symbol(char32_t character) const {
    const auto found = index_.find(character);
    return found == index_.end() ? NO_SYMBOL : found->second;
}

bool Vocabulary::can_spell(const Symbol* first, const Symbol* last) const {
    if (every_symbol_is_a_label_) return true;
    const size_t length = static_cast<size_t>(last - first);
    std::vector<char> reached(length + 1, 0);
    // The first separator may be implied (the audio's start).
    reached[0] = reached[1] = 1;
    for (size_t at = 0; at < length; ++at) {
        if (!reached[at]) continue;
        int node = 0;
        size_t to = at;
        while (to < length && (node = trie_.find(node, first[to])) != 0) {
            ++to;
            if (trie_.terminal[node]) reached[to] = 1;
        }
        // A label may hold this word's end and what follows it.
        if (to == length && node != 0 && trie_.find(node, SEPARATOR) != 0) reached[length] = 1;
    }
    return reached[length];
}

}  // namespace asrbias
