#include "alignment.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace asrbias {

namespace {
constexpr double NEVER = -std::numeric_limits<double>::infinity();
// Back pointers are kept for this many frames and made again, block by block, from stored scores: hours fit in memory.
constexpr int BLOCK = 1024;

struct Lattice {
    const float* log_probs;
    int frames, size, blank;
    const std::vector<int32_t>& tokens;
    int states() const { return 2 * static_cast<int>(tokens.size()) + 1; }
    bool may_skip(int state) const { return state % 2 == 1 && state > 1 && tokens[state / 2] != tokens[state / 2 - 1]; }

    // scores: of the frame before, becomes those of `frame`. moves: how far back each state's best predecessor is.
    void advance(int frame, std::vector<double>& scores, uint8_t* moves) const {
        const float* row = log_probs + static_cast<size_t>(frame) * size;
        const int highest = std::min(states() - 1, 2 * frame + 1);
        const int lowest = std::max(0, states() - 2 * (frames - frame));  // below it the end is out of reach
        for (int s = highest; s >= lowest; --s) {
            double best = scores[s];
            uint8_t move = 0;
            if (s > 0 && scores[s - 1] > best) best = scores[s - 1], move = 1;
            if (may_skip(s) && scores[s - 2] > best) best = scores[s - 2], move = 2;
            scores[s] = best + row[s % 2 == 0 ? blank : tokens[s / 2]];
            moves[s] = move;
        }
    }
};

// The best path's state at each frame; its score into *score.
std::vector<int32_t> best_path(const Lattice& lattice, double* score) {
    const int states = lattice.states(), frames = lattice.frames;
    std::vector<std::vector<double>> starts;  // scores before each block
    std::vector<uint8_t> moves(static_cast<size_t>(std::min(BLOCK, frames)) * states);
    // Before the first frame: a state -1, from which states 0 and 1 are entered. State 0 holds its place.
    std::vector<double> scores(states, NEVER);
    scores[0] = 0.0;
    for (int t = 0; t < frames; ++t) {
        if (t % BLOCK == 0) starts.push_back(scores);
        lattice.advance(t, scores, moves.data() + static_cast<size_t>(t % BLOCK) * states);
    }
    int state = states - 1;
    if (states > 1 && scores[states - 2] > scores[states - 1]) state = states - 2;
    *score = scores[state];
    std::vector<int32_t> path(frames);
    for (int block = static_cast<int>(starts.size()) - 1; block >= 0; --block) {
        const int first = block * BLOCK, last = std::min(frames, first + BLOCK);
        if (last < frames) {  // the last block's moves are still there
            scores = starts[block];
            for (int t = first; t < last; ++t)
                lattice.advance(t, scores, moves.data() + static_cast<size_t>(t - first) * states);
        }
        for (int t = last - 1; t >= first; --t) {
            path[t] = state;
            state -= moves[static_cast<size_t>(t - first) * states + state];
        }
    }
    return path;
}
}  // namespace

int frames_needed(const std::vector<int32_t>& tokens) {
    int needed = static_cast<int>(tokens.size());
    for (size_t i = 1; i < tokens.size(); ++i) needed += tokens[i] == tokens[i - 1];
    return needed;
}

Alignment align(const float* log_probs, int frames, int size, int blank, const std::vector<int32_t>& tokens) {
    Alignment out;
    out.first.assign(tokens.size(), -1);
    out.last.assign(tokens.size(), -1);
    out.log_prob.assign(tokens.size(), 0.0);
    out.peak.assign(tokens.size(), NEVER);
    out.score = 0.0;
    if (frames == 0 && tokens.empty()) return out;
    if (frames < frames_needed(tokens)) throw std::invalid_argument("too few frames");
    const auto path = best_path(Lattice{log_probs, frames, size, blank, tokens}, &out.score);
    if (out.score == NEVER) throw std::invalid_argument("no path has a probability above 0");
    for (int t = 0; t < frames; ++t) {
        if (path[t] % 2 == 0) continue;
        const int token = path[t] / 2;
        const double log_prob = log_probs[static_cast<size_t>(t) * size + tokens[token]];
        if (out.first[token] < 0) out.first[token] = t;
        out.last[token] = t;
        out.log_prob[token] += log_prob;
        out.peak[token] = std::max(out.peak[token], log_prob);
    }
    return out;
}

}  // namespace asrbias
