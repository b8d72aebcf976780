// The guard against false hits: what was heard must bear a listed phrase out by itself.
//
// An occurrence's lag is how far its alignment falls behind the likeliest labels of the same frames,
//     lag = sum over its frames of max_v log p_t(v) - log p_t(label of the alignment in t)   [nats, 0 or more],
// whatever the rest of the text, the language model or its bonus say for it. It must not be more than
//     character * (characters of the phrase) - list * log(phrases of the list) - common (where it is common English).
// (The word spotter's keyword_threshold, arXiv 2406.07096, does this for tokens; a floor that no bonus can lift.) A
// phrase that fails in the best hypothesis is paid nothing, and the search begins anew without it. One whose allowance is
// below 0 fails always: it is paid nothing from the beginning.
#pragma once
#include <cstdint>
#include <vector>

#include "alignment.hpp"
#include "automaton.hpp"
#include "words.hpp"

namespace asrbias {

class Guard {
  public:
    // log_probs: [frames, size] row by row; must outlive the guard.
    Guard(const Automaton& automaton, const GuardOptions& options, const float* log_probs, int frames, int size, int blank);
    // Phrases among these words that are paid something and that nothing bears out, but for those in `known`.
    std::vector<int32_t> failing(const std::vector<Word>& words, const std::vector<int32_t>& tokens,
                                 const Alignment& alignment, const std::vector<int32_t>& known) const;

  private:
    double lag(const std::vector<int32_t>& tokens, const Alignment& alignment, int32_t first, int32_t last) const;
    const Automaton& automaton_;
    const GuardOptions options_;
    const float* log_probs_;
    const int size_, blank_;
    std::vector<float> best_;  // of each frame
};

}  // namespace asrbias
