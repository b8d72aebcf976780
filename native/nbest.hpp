// An utterance's hypotheses in a few flat arrays: filled while nobody waits for Python's lock, and thrown away at once.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "decoding.hpp"

namespace asrbias {

struct NBest {
    struct Scores {
        double acoustic, bias, lm;
    };
    struct SpokenWord {
        double start, end;        // frame at which its first token begins, frame after its last one's last
        double confidence;        // geometric mean over its tokens of the best probability in the token's frames
        int32_t phrase;           // row of the phrase it belongs to, or -1
        int32_t phrase_first, phrase_last;  // words of that occurrence, both included
    };
    std::vector<Scores> scores;                    // N, best first
    std::vector<size_t> token_begin, word_begin;   // N + 1 each: where a hypothesis' tokens and words begin
    std::vector<int32_t> tokens, first, last;      // of all hypotheses; first and last frame of each token
    std::vector<SpokenWord> words;
    std::vector<std::string> texts;                // N
    std::vector<std::string> distinct;             // words of all texts, each once
    std::vector<size_t> spelled_begin;             // N + 1: where a text's words begin in:
    std::vector<int32_t> spelled;                  // positions in `distinct`

    NBest() = default;
    NBest(const std::vector<Result>& results, const Vocabulary& vocabulary);

  private:
    void tell_words();
};

}  // namespace asrbias
