#include "automaton.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <stdexcept>

namespace asrbias {

Vocabulary::Vocabulary(const std::vector<std::u32string>& spelled, int blank) : blank_(blank) {
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

Automaton::Automaton(const Vocabulary& vocabulary, const std::u32string& phrases, const std::vector<double>& bonus)
    : bonus_(bonus) {
    std::vector<Symbol> text;
    std::vector<std::pair<int32_t, int32_t>> spans;  // of text, a usable phrase each
    std::vector<int32_t> rows;
    text.reserve(phrases.size() + bonus.size());
    size_t at = 0;
    for (int32_t row = 0; row < static_cast<int32_t>(bonus.size()); ++row) {
        const size_t end = std::min(phrases.find(U'\n', at), phrases.size());
        const int32_t begin = static_cast<int32_t>(text.size());
        text.push_back(SEPARATOR);
        bool known = end > at && end - at < NO_SYMBOL;
        for (; at < end; ++at) {
            text.push_back(vocabulary.symbol(phrases[at]));
            known = known && text.back() != NO_SYMBOL;
        }
        ++at;  // the newline
        if (known && vocabulary.can_spell(text.data() + begin, text.data() + text.size())) {
            spans.emplace_back(begin, static_cast<int32_t>(text.size()));
            rows.push_back(row);
        } else {
            unusable_.push_back(row);
        }
    }
    build_trie(text, spans, rows);
    link();
    for (int token = 0; token < vocabulary.size(); ++token) {
        const Symbol *first = vocabulary.begin(token), *last = vocabulary.end(token);
        int32_t state = ROOT;
        if (first != last && *first == SEPARATOR && std::find(first + 1, last, SEPARATOR) == last)
            for (state = START; ++first != last;) state = step(state, *first);
        word_states_.push_back(state);
    }
}

void Automaton::build_trie(const std::vector<Symbol>& text, const std::vector<std::pair<int32_t, int32_t>>& spans,
                           const std::vector<int32_t>& rows) {
    const auto less = [&](int32_t a, int32_t b) {
        return std::lexicographical_compare(text.begin() + spans[a].first, text.begin() + spans[a].second,
                                            text.begin() + spans[b].first, text.begin() + spans[b].second);
    };
    std::vector<int32_t> order(spans.size());
    std::iota(order.begin(), order.end(), 0);
    if (!std::is_sorted(order.begin(), order.end(), less)) std::stable_sort(order.begin(), order.end(), less);

    // Each state stands for a range of the sorted phrases: those that share its characters.
    struct Range { int32_t first, last; };
    std::vector<Range> ranges;
    auto add = [&](Symbol c, uint16_t depth, uint16_t words, int32_t first, int32_t last) {
        states_.push_back({0, ROOT, ROOT, -1, 0.0f, depth, words, 0});
        symbols_.push_back(c);
        ranges.push_back({first, last});
    };
    add(NO_SYMBOL, 0, 0, 0, 0);
    add(SEPARATOR, 0, 1, 0, static_cast<int32_t>(order.size()));
    states_[ROOT].first_child = START;
    for (size_t s = START; s < states_.size(); ++s) {
        states_[s].first_child = static_cast<int32_t>(states_.size());
        const int32_t depth = states_[s].depth + 1;  // of the children, and the index of their symbol in a span
        int32_t at = ranges[s].first;
        const int32_t last = ranges[s].last;
        // Sorted: a phrase that ends here comes before those that go on. Of equal phrases the largest bonus stays.
        while (at < last && spans[order[at]].first + depth == spans[order[at]].second) {
            const int32_t row = rows[order[at]], had = states_[s].phrase;
            if (had < 0 || bonus_[row] > bonus_[had]) states_[s].phrase = row;
            ++at;
        }
        while (at < last) {
            const Symbol c = text[spans[order[at]].first + depth];
            int32_t end = at + 1;
            while (end < last && text[spans[order[end]].first + depth] == c) ++end;
            add(c, static_cast<uint16_t>(depth), static_cast<uint16_t>(states_[s].words + (c == SEPARATOR)), at, end);
            at = end;
        }
    }
    const int32_t count = static_cast<int32_t>(states_.size());
    states_.push_back({count, ROOT, ROOT, -1, 0.0f, 0, 0, 0});
    symbols_.push_back(NO_SYMBOL);
    states_.shrink_to_fit();
    symbols_.shrink_to_fit();
}

void Automaton::link() {
    const int32_t count = static_cast<int32_t>(size());
    for (int32_t s = ROOT; s < count; ++s) {
        if (states_[s].phrase >= 0) states_[s].output = s;
        else states_[s].output = states_[states_[s].fail].output;
        if (s != ROOT) states_[s].accepts = states_[states_[s].fail].accepts;  // the fail state came before
        for (int32_t child = states_[s].first_child; child < states_[s + 1].first_child; ++child)
            states_[s].accepts |= bit(symbols_[child]);
        if (s == ROOT) continue;
        for (int32_t child = states_[s].first_child; child < states_[s + 1].first_child; ++child)
            states_[child].fail = step(states_[s].fail, symbols_[child]);
    }
    // Children come after their parents: backwards, every slope is known before it is handed up.
    std::vector<int32_t> parent(count, ROOT);
    for (int32_t s = ROOT; s < count; ++s)
        for (int32_t child = states_[s].first_child; child < states_[s + 1].first_child; ++child) parent[child] = s;
    for (int32_t s = count - 1; s > ROOT; --s) {
        State& state = states_[s];
        if (state.phrase >= 0 && bonus_[state.phrase] > 0)
            state.slope = std::max(state.slope, static_cast<float>(bonus_[state.phrase] / state.depth));
        State& up = states_[parent[s]];
        up.slope = std::max(up.slope, state.slope);
    }
    states_[ROOT].slope = 0.0f;
}

}  // namespace asrbias
