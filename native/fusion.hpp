// The language model's part of a text's score (shallow fusion, word by word).
//
// A closed word w costs   weight * log P(w | words before it) + word_bonus,   an unknown one unknown_penalty more, and the
// end of the text   weight * log P(</s> | ...).   An open word costs what its likeliest continuation does by the model's
// unigrams (an unknown word being one of them), so that the cost comes piece by piece and not all at the word's end.
#pragma once
#include <algorithm>

#include "lmtrie.hpp"

namespace asrbias {

struct LmOptions {
    double weight, word_bonus, unknown_penalty;
};

class Fusion {
  public:
    Fusion(const LmTrie& trie, const LmOptions& options)
        : trie_(trie), options_(options),
          unknown_(options.weight * trie.model().unigram(trie.model().unknown()) + options.unknown_penalty) {}

    const LmTrie& trie() const { return trie_; }
    // Of a word whose characters so far lead to this node; 0 where there are none.
    double open(int32_t node) const {
        if (node == LmTrie::ROOT) return 0.0;
        if (node == LmTrie::NOWHERE) return unknown_ + options_.word_bonus;
        return std::max(options_.weight * static_cast<double>(trie_.best(node)), unknown_) + options_.word_bonus;
    }
    double close(const NGram::State& from, int32_t node, NGram::State* to) const {
        const int32_t word = trie_.word(node);
        const double unknown = word < 0 ? options_.unknown_penalty : 0.0;
        return options_.weight * trie_.model().score(from, word < 0 ? trie_.model().unknown() : word, to) +
               options_.word_bonus + unknown;
    }
    // The most that close() can give.
    double closing() const { return options_.word_bonus + std::max(0.0, options_.unknown_penalty); }
    double end(const NGram::State& from) const { return options_.weight * trie_.model().end(from); }
    // Of a phrase that the model's class word stands for; its share of the list is not in it yet. Never above closing().
    double boost(const NGram::State& from) const {
        return options_.weight * trie_.model().score(from, trie_.boost(), nullptr) + options_.word_bonus;
    }

  private:
    const LmTrie& trie_;
    const LmOptions options_;
    const double unknown_;
};

}  // namespace asrbias
