// Posteriors in, hypotheses with times and words out: the search, the guard after it, and the alignment of what was found.
#pragma once
#include <cstdint>
#include <vector>

#include "alignment.hpp"
#include "search.hpp"
#include "words.hpp"

namespace asrbias {

struct Result {
    Found found;
    Alignment alignment;
    std::vector<Word> words;
};

// values: [frames, vocabulary.size()] row by row, of which the first is called `first`. Throws std::invalid_argument for
// what is no log probability.
void check_values(const float* values, int frames, int size, int first = 0);

// Best first, until nothing in the best hypothesis fails the guard; other hypotheses with something that does are left out.
std::vector<Result> decode_one(const Vocabulary& vocabulary, const Automaton* automaton, const LmTrie* lm,
                               const SearchOptions& options, const float* values, int frames);

// The same for posteriors that come bit by bit. What it was made of must outlive it.
class Stream {
  public:
    Stream(const Vocabulary& vocabulary, const Automaton* automaton, const LmTrie* lm, const SearchOptions& options);
    // Throws what check_values and decode_one throw; frames before the bad one count.
    void push(const float* values, int frames);
    // The tokens of the best hypothesis so far, the guard not asked.
    std::vector<int32_t> best() const;
    // What decode_one gives of all frames together.
    std::vector<Result> finish() const;
    const Vocabulary& vocabulary() const { return vocabulary_; }

  private:
    const Vocabulary& vocabulary_;
    const Automaton* automaton_;
    const LmTrie* lm_;
    const SearchOptions options_;
    Search search_;
    std::vector<float> values_;
    int frames_ = 0;
};

}  // namespace asrbias
