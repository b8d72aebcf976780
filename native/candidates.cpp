// Which tokens of a frame the search looks at: a part of Search.
#include <algorithm>
#include <functional>

#include "search.hpp"

namespace asrbias {

// The frame's tokens that could reach the cutoff, best first.
void Search::choose_tokens(const float* log_probs) {
    const int size = vocabulary_.size(), blocks = static_cast<int>(highest_.size());
    for (int block = 0; block < blocks; ++block) {
        const float* first = log_probs + block * BLOCK;
        float lanes[4] = {*first, *first, *first, *first};  // the compiler makes vector instructions of these
        int v = 0;
        for (const int count = std::min(BLOCK, size - block * BLOCK) & ~3; v < count; v += 4)
            for (int lane = 0; lane < 4; ++lane) lanes[lane] = first[v + lane] > lanes[lane] ? first[v + lane] : lanes[lane];
        for (; block * BLOCK + v < size && v < BLOCK; ++v) lanes[0] = std::max(lanes[0], first[v]);
        highest_[block] = std::max(std::max(lanes[0], lanes[1]), std::max(lanes[2], lanes[3]));
    }
    const float best = *std::max_element(highest_.begin(), highest_.end());
    const double threshold = automaton_ == nullptr
                                 ? options_.token_threshold
                                 : std::max(options_.token_threshold, options_.phrase_threshold);
    const double reach = cutoff_ - beam_[0].rank - SLACK;
    set_floors(std::max(best - threshold, -1e30), reach);
    const float lowest = *std::min_element(floors_, floors_ + KINDS);
    size_t found = 0;
    for (int block = 0; block < blocks; ++block) {
        if (highest_[block] < lowest) continue;
        for (int v = block * BLOCK; v < std::min(size, (block + 1) * BLOCK); ++v) {
            found_[found] = {log_probs[v], v, 0.0f};  // kept if the next does not take its place: no branch to guess
            found += log_probs[v] >= floors_[reach_[v].kind];
        }
    }
    tokens_.assign(found_.begin(), found_.begin() + found);
    const auto mute = [this](const Candidate& c) { return c.token == vocabulary_.blank() || !vocabulary_.emitted(c.token); };
    tokens_.erase(std::remove_if(tokens_.begin(), tokens_.end(), mute), tokens_.end());
    const double least = best - options_.token_threshold, faintest = best - options_.phrase_threshold;
    const double heard = std::max<double>(least, top_k_floor(log_probs, least));
    const auto acoustic = std::partition(tokens_.begin(), tokens_.end(),
                                         [heard](const Candidate& c) { return c.log_prob >= heard; });
    bound_gains();
    const auto weak = [reach](const Candidate& c) { return c.log_prob + c.gain < reach; };
    const auto vain = [&](const Candidate& c) { return c.gain <= 0 || c.log_prob < faintest || weak(c); };
    const auto last = std::remove_if(acoustic, tokens_.end(), vain);
    const auto strong = std::remove_if(tokens_.begin(), acoustic, weak);
    acoustic_tokens_ = static_cast<size_t>(strong - tokens_.begin());
    tokens_.erase(std::move(acoustic, last, strong), tokens_.end());
    const auto better = [](const Candidate& a, const Candidate& b) {
        return a.log_prob != b.log_prob ? a.log_prob > b.log_prob : a.token < b.token;
    };
    std::sort(tokens_.begin(), tokens_.begin() + acoustic_tokens_, better);
    std::sort(tokens_.begin() + acoustic_tokens_, tokens_.end(), better);
}

// The log probability of the frame's k-th token, or -inf where none of tokens_ that is above `least` can be beyond it.
// Tokens that are out of reach, and so not in tokens_, count too.
float Search::top_k_floor(const float* log_probs, double least) {
    const int size = vocabulary_.size(), k = options_.top_k;
    float weakest = 1.0f;
    for (const Candidate& c : tokens_)
        if (c.log_prob >= least) weakest = std::min(weakest, c.log_prob);
    if (size <= k || weakest > 0.5f) return static_cast<float>(NEVER);
    size_t count = 0;
    for (int v = 0; v < size; ++v) {
        strong_[count] = log_probs[v];
        count += log_probs[v] >= weakest;
    }
    if (count <= static_cast<size_t>(k)) return static_cast<float>(NEVER);
    count = 0;
    for (int v = 0; v < size; ++v)
        if (log_probs[v] >= weakest && v != vocabulary_.blank() && vocabulary_.emitted(v)) strong_[count++] = log_probs[v];
    if (count <= static_cast<size_t>(k)) return static_cast<float>(NEVER);
    std::nth_element(strong_.begin(), strong_.begin() + (k - 1), strong_.begin() + count, std::greater<>());
    return strong_[k - 1];
}

// What the matches that are open in the beam, and those that can begin, let a token gain: first for all of a kind ...
void Search::set_floors(double lowest, double reach) {
    accepts_ = 0;
    slope_ = across_ = 0.0;
    for (const Entry& entry : beam_) {
        accepts_ |= entry.accepts;
        slope_ = std::max(slope_, entry.slope);
        across_ = std::max(across_, entry.across);
    }
    for (int kind = 0; kind < KINDS; ++kind) {
        const int length = kind < KINDS - 1 ? kind : longest_;
        const double gain = kind == 0 ? std::max(begins_, across_ * longest_) : slope_ * length;
        floors_[kind] = static_cast<float>(std::max(lowest, reach - gain) - SLACK);
    }
}

// ... and then for each.
void Search::bound_gains() {
    if (automaton_ == nullptr) return;
    for (Candidate& c : tokens_) {
        const Reach& reach = reach_[c.token];
        double gain = 0.0;
        if (reach.starts_word)
            gain = std::max(reach.begins, across_ * reach.length);
        else if ((accepts_ & reach.first) != 0)
            gain = slope_ * reach.length;
        c.gain = static_cast<float>(gain) * 1.00001f;  // rounded up
    }
}

}  // namespace asrbias
