// CTC scores of texts whose words may be said, or spelled, in several ways.
#pragma once
#include "labelgraph.hpp"

namespace asrbias {

// Log of the summed probability of every alignment of every way through the text; IMPOSSIBLE where there is none.
// (Ways of equal labels count each: a word's graph should hold a label sequence once.) At the ends of the stretch of states
// that are alive, what is some 460 nats less probable than the best of its frame is left out: nothing of a text that fits
// its frames anyhow, but a text that has nothing to do with minutes of speech may score still lower than it should.
double text_score(const Frames& frames, const Words& words);

struct WordTimes {
    std::vector<int32_t> first, last;          // frames with a label of each word, both included; -1 for an empty word
    std::vector<std::vector<int32_t>> labels;  // of each word
    double score;
};

// The best single alignment (Viterbi) of the text; on a tie the one that moves on later. It keeps a pointer for each
// state and frame, so it is for stretches of speech, not for hours. Throws std::invalid_argument where there is none.
WordTimes best_way(const Frames& frames, const Words& words);

}  // namespace asrbias
