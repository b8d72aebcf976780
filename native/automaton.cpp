#include "automaton.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace asrbias {

namespace {
constexpr size_t LONGEST = (1 << 14) - 2;  // characters of a phrase: State::words has 14 bits
}

Automaton::Automaton(const Vocabulary& vocabulary, const std::u32string& phrases, std::vector<Terms> terms)
    : dense_(vocabulary.symbols() <= DENSE), terms_(std::move(terms)) {
    std::vector<Symbol> text;
    std::vector<std::pair<int32_t, int32_t>> spans;  // of text, a usable phrase each
    std::vector<int32_t> rows;
    text.reserve(phrases.size() + terms_.size());
    size_t at = 0;
    for (int32_t row = 0; row < static_cast<int32_t>(terms_.size()); ++row) {
        const size_t end = std::min(phrases.find(U'\n', at), phrases.size());
        const int32_t begin = static_cast<int32_t>(text.size());
        text.push_back(SEPARATOR);
        bool known = end > at && end - at <= LONGEST;
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
    hand_up();
    if (dense_) renumber();
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
        states_.push_back({0, 0, 0, ROOT, 0.0f, depth, words, c == SEPARATOR, 0});
        symbols_.push_back(c);
        ends_.push_back({ROOT, -1, 0.0f, -std::numeric_limits<float>::infinity()});
        ranges.push_back({first, last});
    };
    add(NO_SYMBOL, 0, 0, 0, 0);
    add(SEPARATOR, 0, 1, 0, static_cast<int32_t>(order.size()));
    states_[ROOT].children = bit(SEPARATOR);
    states_[ROOT].first_child = START;
    for (size_t s = START; s < states_.size(); ++s) {
        states_[s].first_child = static_cast<int32_t>(states_.size());
        const int32_t depth = states_[s].depth + 1;  // of the children, and the index of their symbol in a span
        int32_t at = ranges[s].first;
        const int32_t last = ranges[s].last;
        // Sorted: a phrase that ends here comes before those that go on. Of equal phrases the largest bonus stays.
        while (at < last && spans[order[at]].first + depth == spans[order[at]].second) {
            const int32_t row = rows[order[at]], had = ends_[s].phrase;
            if (had < 0 || terms_[row].bonus > terms_[had].bonus) ends_[s].phrase = row;
            ++at;
        }
        while (at < last) {
            const Symbol c = text[spans[order[at]].first + depth];
            int32_t end = at + 1;
            while (end < last && text[spans[order[end]].first + depth] == c) ++end;
            states_[s].children |= bit(c);
            add(c, static_cast<uint16_t>(depth), static_cast<uint16_t>(states_[s].words + (c == SEPARATOR)), at, end);
            at = end;
        }
    }
    const int32_t count = static_cast<int32_t>(states_.size());
    states_.push_back({0, 0, count, ROOT, 0.0f, 0, 0, 0, 0});
    symbols_.push_back(NO_SYMBOL);
    states_.shrink_to_fit();
    symbols_.shrink_to_fit();
    ends_.shrink_to_fit();
}

void Automaton::link() {
    const int32_t count = static_cast<int32_t>(size());
    for (int32_t s = ROOT; s < count; ++s) {
        State& state = states_[s];
        ends_[s].output = ends_[s].phrase >= 0 ? s : ends_[state.fail].output;
        state.ends = ends_[s].output != ROOT;
        state.accepts = state.children | (s == ROOT ? 0 : states_[state.fail].accepts);  // which came before
        if (s == ROOT) continue;
        for (int32_t child = state.first_child; child < states_[s + 1].first_child; ++child)
            states_[child].fail = step(state.fail, symbols_[child]);
    }
}

// What the phrases through a state can earn at most. Children come after their parents: backwards, every state's is known
// before it is handed up.
void Automaton::hand_up() {
    const int32_t count = static_cast<int32_t>(size());
    std::vector<int32_t> parent(count, ROOT);
    bool any = false;
    for (int32_t s = ROOT; s < count; ++s)
        for (int32_t child = states_[s].first_child; child < states_[s + 1].first_child; ++child) parent[child] = s;
    for (int32_t s = count - 1; s > ROOT; --s) {
        State &state = states_[s], &up = states_[parent[s]];
        End &end = ends_[s], &above = ends_[parent[s]];
        if (end.phrase >= 0) {
            const Terms& terms = terms_[end.phrase];
            if (!any) same_ = End{ROOT, -1, terms.adaptive, terms.share};
            any = true;
            if (same_ && (same_->adaptive != terms.adaptive || same_->share != terms.share)) same_.reset();
            if (terms.bonus > 0) state.slope = std::max(state.slope, static_cast<float>(terms.bonus / state.depth));
            end.adaptive = std::max(end.adaptive, terms.adaptive);
            end.share = std::max(end.share, terms.share);
        }
        up.slope = std::max(up.slope, state.slope);
        above.adaptive = std::max(above.adaptive, end.adaptive);
        above.share = std::max(above.share, end.share);
    }
    states_[ROOT].slope = ends_[ROOT].adaptive = 0.0f;
    ends_[ROOT].share = -std::numeric_limits<float>::infinity();
}

void Automaton::renumber() {
    const std::vector<int32_t> numbers = depth_first(states_, START);
    std::vector<State> states(states_.size());
    std::vector<End> ends(ends_.size());
    for (size_t s = ROOT; s < states_.size(); ++s) {
        State& state = states[numbers[s]] = states_[s];
        state.first_child = numbers[state.first_child];
        state.fail = numbers[state.fail];
        if (s == ends.size()) break;
        End& end = ends[numbers[s]] = ends_[s];
        end.output = numbers[end.output];
    }
    states_.swap(states);
    ends_.swap(ends);
    symbols_ = {};
}

}  // namespace asrbias
