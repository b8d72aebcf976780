// The words of a language model as a trie over characters: what an open word may still become, and at what cost.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "children.hpp"
#include "ngram.hpp"
#include "vocabulary.hpp"

namespace asrbias {

class LmTrie {
  public:
    static constexpr int32_t NOWHERE = 0;  // no word of the model begins like this
    static constexpr int32_t ROOT = 1;     // nothing of the word is there yet

    // words: the spelling of each word of the model, by id, joined by '\n'; empty for one that is not to be written. Of
    // words that are spelled alike the likeliest one stays. boost: id of the word that stands for listed phrases.
    LmTrie(const Vocabulary& vocabulary, const NGram& model, const std::u32string& words, int32_t boost);

    const NGram& model() const { return model_; }
    int32_t boost() const { return boost_; }
    size_t size() const { return spelled_; }  // words that can be written
    int32_t word(int32_t node) const { return nodes_[node].word; }  // that ends here, or -1
    float best(int32_t node) const { return nodes_[node].best; }    // log probability of the likeliest word below
    int32_t step(int32_t node, Symbol c) const {
        const Node& at = nodes_[node];
        return dense_ ? find_child(at.children, at.first_child, c)
                      : find_child(at.children, at.first_child, c, symbols_.data(), nodes_[node + 1].first_child);
    }
    // Where a token leads from a word's start, its first separator left out. Not for tokens with another one.
    int32_t start(int token) const { return starts_[token]; }

  private:
    struct Node {
        uint64_t children;  // bits of the symbols with which it goes on
        int32_t first_child;
        int32_t word;
        float best;
    };
    struct Span {  // of a text: how word `id` is spelled
        int32_t first, last, id;
    };
    void renumber();
    void build(const std::vector<Symbol>& text, const std::vector<Span>& spans);

    const NGram& model_;
    int32_t boost_;
    bool dense_;
    size_t spelled_ = 0;
    std::vector<Node> nodes_;  // and one more, so that children of the last node have an end
    std::vector<Symbol> symbols_;
    std::vector<int32_t> starts_;
};

}  // namespace asrbias
