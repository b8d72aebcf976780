#include "guard.hpp"

#include <algorithm>
#include <cmath>

namespace asrbias {

Guard::Guard(const Automaton& automaton, const GuardOptions& options, const float* log_probs, int frames, int size, int blank)
    : automaton_(automaton), options_(options), log_probs_(log_probs), size_(size), blank_(blank) {
    for (int t = 0; t < frames; ++t) {
        const float* row = log_probs + static_cast<size_t>(t) * size;
        best_.push_back(*std::max_element(row, row + size));
    }
}

// first, last: of the tokens.
double Guard::lag(const std::vector<int32_t>& tokens, const Alignment& alignment, int32_t first, int32_t last) const {
    double nats = 0.0;
    for (int32_t k = first; k <= last; ++k) {
        const int32_t until = k < last ? alignment.first[k + 1] : alignment.last[k] + 1;  // blanks between are its own
        for (int32_t t = alignment.first[k]; t < until; ++t) {
            const int32_t label = t <= alignment.last[k] ? tokens[k] : blank_;
            nats += best_[t] - log_probs_[static_cast<size_t>(t) * size_ + label];
        }
    }
    return nats;
}

std::vector<int32_t> Guard::failing(const std::vector<Word>& words, const std::vector<int32_t>& tokens,
                                    const Alignment& alignment, const std::vector<int32_t>& known) const {
    std::vector<int32_t> found;
    for (size_t w = 0; w < words.size(); ++w) {
        const int32_t phrase = words[w].phrase;
        if (phrase < 0 || words[w].phrase_first != static_cast<int32_t>(w)) continue;  // once an occurrence
        const Automaton::Terms& terms = automaton_.terms(phrase);
        if (!(terms.bonus > 0) || std::find(known.begin(), known.end(), phrase) != known.end()) continue;
        const double allowed = options_.allowed(terms, automaton_.phrases());
        if (allowed < 0) continue;  // it was paid nothing
        const Word& last = words[words[w].phrase_last];
        if (lag(tokens, alignment, words[w].first_token, last.last_token) > allowed) found.push_back(phrase);
    }
    return found;
}

}  // namespace asrbias
