// From a hypothesis' tokens to its words, and to the listed phrases among them.
#pragma once
#include <cstdint>
#include <vector>

#include "tracker.hpp"

namespace asrbias {

struct Word {
    int32_t first_token, last_token;          // that hold its characters, both included
    int32_t phrase = -1;                      // row of the phrase it belongs to in the best parse, or -1
    int32_t phrase_first = -1, phrase_last = -1;  // words of that occurrence, both included
};

// parse: of these words, last part first (Tracker::parse); empty for no list.
std::vector<Word> find_words(const Vocabulary& vocabulary, const std::vector<int32_t>& tokens,
                             const std::vector<Parsed>& parse);

}  // namespace asrbias
