#include "lmtrie.hpp"

#include <algorithm>
#include <limits>

namespace asrbias {

LmTrie::LmTrie(const Vocabulary& vocabulary, const NGram& model, const std::u32string& words, int32_t boost)
    : model_(model), boost_(boost), dense_(vocabulary.symbols() <= DENSE) {
    std::vector<Symbol> text;
    std::vector<Span> spans;
    text.reserve(words.size());
    size_t at = 0;
    for (int32_t id = 0; id < model.size() && at <= words.size(); ++id) {
        const size_t end = std::min(words.find(U'\n', at), words.size());
        const auto first = static_cast<int32_t>(text.size());
        bool known = end > at;
        for (; at < end; ++at) {
            text.push_back(vocabulary.symbol(words[at]));
            known = known && text.back() != NO_SYMBOL && text.back() != SEPARATOR;
        }
        ++at;  // the newline
        if (known) spans.push_back({first, static_cast<int32_t>(text.size()), id});
    }
    std::stable_sort(spans.begin(), spans.end(), [&](const Span& a, const Span& b) {
        return std::lexicographical_compare(text.begin() + a.first, text.begin() + a.last, text.begin() + b.first,
                                            text.begin() + b.last);
    });
    build(text, spans);
    for (int token = 0; token < vocabulary.size(); ++token) {
        const Symbol *c = vocabulary.begin(token), *last = vocabulary.end(token);
        int32_t node = ROOT;
        for (c += c != last && *c == SEPARATOR; c != last && node != NOWHERE; ++c) node = step(node, *c);
        starts_.push_back(node);
    }
}

void LmTrie::build(const std::vector<Symbol>& text, const std::vector<Span>& spans) {
    constexpr float NOTHING = -std::numeric_limits<float>::infinity();
    struct Range { int32_t first, last, depth; };  // of the spans that share this node's characters
    std::vector<Range> ranges{{0, 0, 0}, {0, static_cast<int32_t>(spans.size()), 0}};
    nodes_ = {{0, 2, -1, NOTHING}, {0, 2, -1, NOTHING}};
    symbols_ = {NO_SYMBOL, NO_SYMBOL};
    for (size_t n = ROOT; n < nodes_.size(); ++n) {
        nodes_[n].first_child = static_cast<int32_t>(nodes_.size());
        const auto [first, last, depth] = ranges[n];
        int32_t at = first;
        for (; at < last && spans[at].first + depth == spans[at].last; ++at) {  // shorter spellings come first
            const int32_t had = nodes_[n].word;
            spelled_ += had < 0;
            if (had < 0 || model_.unigram(spans[at].id) > model_.unigram(had)) nodes_[n].word = spans[at].id;
        }
        while (at < last) {
            const Symbol c = text[spans[at].first + depth];
            int32_t end = at + 1;
            while (end < last && text[spans[end].first + depth] == c) ++end;
            nodes_[n].children |= symbol_bit(c);
            nodes_.push_back({0, 0, -1, NOTHING});
            symbols_.push_back(c);
            ranges.push_back({at, end, depth + 1});
            at = end;
        }
    }
    const auto count = static_cast<int32_t>(nodes_.size());
    nodes_.push_back({0, count, -1, NOTHING});
    symbols_.push_back(NO_SYMBOL);
    for (int32_t n = count - 1; n >= ROOT; --n) {  // children come after their parents
        Node& node = nodes_[n];
        if (node.word >= 0) node.best = static_cast<float>(model_.unigram(node.word));
        for (int32_t child = node.first_child; child < nodes_[n + 1].first_child; ++child)
            node.best = std::max(node.best, nodes_[child].best);
    }
    if (dense_) renumber();
}

void LmTrie::renumber() {
    const std::vector<int32_t> numbers = depth_first(nodes_, ROOT);
    std::vector<Node> nodes(nodes_.size());
    for (size_t n = NOWHERE; n < nodes_.size(); ++n) {
        Node& node = nodes[numbers[n]] = nodes_[n];
        node.first_child = numbers[node.first_child];
    }
    nodes_.swap(nodes);
    symbols_ = {};
}

}  // namespace asrbias
