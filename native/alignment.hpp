// CTC forced alignment (Viterbi over blank-interleaved tokens; Graves et al. 2006, section 4.1).
#pragma once
#include <cstdint>
#include <vector>

namespace asrbias {

struct Alignment {
    std::vector<int32_t> first, last;  // frames of each token, both included
    std::vector<double> log_prob;      // of each token, summed over its frames
    std::vector<double> peak;          // of each token, the best of its frames
    double score;                      // log probability of the whole path, blanks included
};

// Frames that the tokens need: one each and a blank between two equal ones.
int frames_needed(const std::vector<int32_t>& tokens);

// log_probs: [frames, size] row by row. The best path; on a tie the one that stays longer in its state.
// Throws std::invalid_argument where no path has a probability.
Alignment align(const float* log_probs, int frames, int size, int blank, const std::vector<int32_t>& tokens);

}  // namespace asrbias
