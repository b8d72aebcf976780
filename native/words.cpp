#include "words.hpp"

namespace asrbias {

std::vector<Word> find_words(const Vocabulary& vocabulary, const std::vector<int32_t>& tokens,
                             const std::vector<Parsed>& parse) {
    std::vector<Word> words;
    bool inside = false;
    for (int32_t t = 0; t < static_cast<int32_t>(tokens.size()); ++t) {
        for (const Symbol* c = vocabulary.begin(tokens[t]); c != vocabulary.end(tokens[t]); ++c) {
            if (*c != SEPARATOR) {
                if (!inside) words.push_back({t, t});
                words.back().last_token = t;
            }
            inside = *c != SEPARATOR;
        }
    }
    auto last = static_cast<int32_t>(words.size()) - 1;
    for (const Parsed& part : parse) {
        const int32_t first = last - part.words + 1;
        for (int32_t w = first; w <= last && part.phrase >= 0; ++w) {
            words[w].phrase = part.phrase;
            words[w].phrase_first = first;
            words[w].phrase_last = last;
        }
        last = first - 1;
    }
    return words;
}

}  // namespace asrbias
