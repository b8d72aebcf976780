// Which tokens of a frame the search looks at: a part of Search.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "search.hpp"

namespace asrbias {

namespace {
constexpr double UNBOUNDED = 1e6;  // nats
}

// The frame's tokens that could reach the cutoff, best first.
void Search::choose_tokens(const float* log_probs) {
    const double threshold = automaton_ == nullptr
                                 ? options_.token_threshold
                                 : std::max(options_.token_threshold, options_.phrase_threshold);
    const double most = beam_[0].rank + SLACK, reach = rank_cutoff_ - most, settled_reach = settled_cutoff_ - most;
    set_floors(std::max(best_ - threshold, -1e30), reach, settled_reach);
    find_tokens(log_probs);
    const auto ends_word = [this](const Candidate& c) { return reach_[c.token].separators != Separators::NONE; };
    if (!plain_ && std::any_of(tokens_.begin(), tokens_.end(), ends_word)) close_words();
    if (!plain_)
        for (Candidate& c : tokens_) bound_gain(&c);
    const auto weak = [=](const Candidate& c) {
        return c.log_prob + c.gain < reach && c.log_prob + c.settled_gain < settled_reach;
    };
    tokens_.erase(std::remove_if(tokens_.begin(), tokens_.end(), weak), tokens_.end());
    const double least = best_ - options_.token_threshold, faintest = best_ - options_.phrase_threshold;
    const double heard = std::max<double>(least, top_k_floor(log_probs, least));
    const auto acoustic = std::partition(tokens_.begin(), tokens_.end(),
                                         [heard](const Candidate& c) { return c.log_prob >= heard; });
    const auto vain = [faintest](const Candidate& c) { return !c.continues || c.log_prob < faintest; };
    acoustic_tokens_ = static_cast<size_t>(acoustic - tokens_.begin());
    tokens_.erase(std::remove_if(acoustic, tokens_.end(), vain), tokens_.end());
    const auto better = [](const Candidate& a, const Candidate& b) {
        return a.log_prob != b.log_prob ? a.log_prob > b.log_prob : a.token < b.token;
    };
    std::sort(tokens_.begin(), tokens_.begin() + acoustic_tokens_, better);
    std::sort(tokens_.begin() + acoustic_tokens_, tokens_.end(), better);
}

// Fills highest_; the largest of all.
float Search::block_maxima(const float* log_probs) {
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
    return *std::max_element(highest_.begin(), highest_.end());
}

// tokens_ becomes those that are not below the floor of their kind.
void Search::find_tokens(const float* log_probs) {
    const int size = vocabulary_.size(), blocks = static_cast<int>(highest_.size());
    const float lowest = *std::min_element(floors_, floors_ + MUTE);
    size_t found = 0;
    for (int block = 0; block < blocks; ++block) {
        if (highest_[block] < lowest) continue;
        for (int v = block * BLOCK; v < std::min(size, (block + 1) * BLOCK); ++v) {
            found_[found] = {log_probs[v], v, 0.0f, 0.0f, false};  // kept if the next does not take its place: no branch to guess
            found += log_probs[v] >= floors_[reach_[v].kind];
        }
    }
    tokens_.assign(found_.begin(), found_.begin() + found);
}

// The log probability of the frame's k-th token, or -inf where none of tokens_ that is above `least` can be beyond it.
// Tokens that are out of reach, and so not in tokens_, count too.
float Search::top_k_floor(const float* log_probs, double least) {
    const int k = options_.top_k;
    float weakest = 1.0f;
    for (const Candidate& c : tokens_)
        if (c.log_prob >= least) weakest = std::min(weakest, c.log_prob);
    if (vocabulary_.size() <= k || weakest > 0.5f) return static_cast<float>(NEVER);
    return kth_token(log_probs, weakest, k);
}

// The log probability of the frame's k-th token, or -inf where fewer are not below `weakest`.
float Search::kth_token(const float* log_probs, float weakest, int k) {
    const int size = vocabulary_.size();
    size_t count = 0;
    for (int block = 0; block * BLOCK < size; ++block) {
        if (highest_[block] < weakest) continue;
        for (int v = block * BLOCK; v < std::min(size, (block + 1) * BLOCK); ++v) {
            strong_[count] = log_probs[v];
            count += (log_probs[v] >= weakest) & (reach_[v].kind != MUTE);
        }
    }
    if (count <= static_cast<size_t>(k)) return static_cast<float>(NEVER);
    std::nth_element(strong_.begin(), strong_.begin() + (k - 1), strong_.begin() + count, std::greater<>());
    return strong_[k - 1];
}

// What the matches that are open in the beam, those that can begin, and the language model let a token gain: first for
// all of a kind ...
void Search::set_floors(double lowest, double reach, double settled_reach) {
    accepts_ = 0;
    slope_ = across_ = starting_ = 0.0;
    closing_ = speaking_ = 0.0;
    closing_boost_ = NEVER;
    for (const Entry& entry : beam_) {
        accepts_ |= entry.accepts;
        slope_ = std::max(slope_, entry.slope);
        across_ = std::max(across_, entry.across);
        if (!fusion_) continue;
        closing_ = std::max(closing_, entry.lm.before + fusion_->closing() - entry.lm.open);  // close_words() knows better
        if (entry.lm.before == entry.lm.open) starting_ = std::max(0.0, word_starts_);
    }
    speaking_ = closing_;
    const double boost = fusion_ && pays_more_ ? fusion_->closing() : NEVER;
    for (int kind = 0; kind < MUTE; ++kind) {
        const int length = kind < MUTE - 1 ? kind : longest_;
        double gain = slope_ * length + gap_gain_ + starting_, settled_gain = starting_;
        if (kind == 0) {
            const double begins = begins_ + word_starts_ + tracker_.class_gain(boost, most_share_, word_starts_);
            gain = std::max(closing_ + begins, std::max(speaking_, 0.0) + std::max(word_starts_, 0.0) + across_ * longest_) + gap_gain_;
            settled_gain = closing_ + word_starts_;
            if (separators_inside_) gain = settled_gain = UNBOUNDED;  // what begins in such a token may be complete in it
        }
        floors_[kind] = static_cast<float>(std::max(lowest, std::min(reach - gain, settled_reach - settled_gain)) - SLACK);
    }
    floors_[MUTE] = std::numeric_limits<float>::infinity();
}

// Now that some token may end them: what the open words are worth then.
void Search::close_words() {
    if (fusion_) closing_ = speaking_ = closing_boost_ = NEVER;
    for (size_t slot = 0; slot < beam_.size(); ++slot) {
        Entry& entry = beam_[slot];
        if (std::isnan(entry.closed)) {
            entry.end = tracker_.close(nodes_[entry.node].cursor, entry.gap);
            const Tracker::Closed closed = tracker_.closed(entry.end);
            entry.closed = closed.bias;
            entry.lm.closed = closed.lm;
            entry.lm.boost = closed.boost;
            entry.lm.history = closed.history;
            if (next_[slot].gap == entry.gap) next_[slot].closed = entry.closed, next_[slot].end = entry.end;
            next_[slot].lm = entry.lm;
        }
        if (!fusion_) continue;
        const double closing = entry.closed + entry.lm.closed - entry.bias - entry.lm.open;
        closing_ = std::max(closing_, closing);
        speaking_ = std::max(speaking_, entry.lm.closed - entry.lm.open);
        if (entry.lm.boost != NEVER)
            closing_boost_ = std::max(closing_boost_, closing + options_.bias.unigram * entry.lm.boost);
    }
}

// ... and then for each.
void Search::bound_gain(Candidate* c) const {
    const Reach& reach = reach_[c->token];
    double gain = starting_, settled_gain = starting_;
    if (reach.separators == Separators::NONE) {
        if ((accepts_ & reach.first) != 0) {
            gain += slope_ * reach.length + gap_gain_;
            c->continues = slope_ > 0 || pays_more_;
        }
    } else {
        const double begins = reach.begins + gap_gain_ * (reach.adaptive > 0);
        settled_gain = closing_ + reach.lm;
        gain = settled_gain + begins;
        const bool in_class = closing_boost_ != NEVER && reach.share != NEVER;
        const bool may_begin = begins > 0 || in_class || (reach.separators == Separators::INSIDE && pays_more_);
        if (in_class)
            gain = std::max(gain, closing_boost_ + tracker_.class_share(reach.share, reach.lm) + reach.lm + begins);
        if (across_ > 0)
            gain = std::max(gain, std::max(speaking_, 0.0) + std::max(reach.lm, 0.0) + across_ * reach.length + gap_gain_);
        c->continues = automaton_ != nullptr && (may_begin || across_ > 0);
        if (reach.separators == Separators::INSIDE) gain = settled_gain = UNBOUNDED;
    }
    const auto rounded_up = [](double nats) { return static_cast<float>(nats + std::abs(nats) * 1e-5); };
    c->gain = rounded_up(gain);
    c->settled_gain = rounded_up(settled_gain);
}

}  // namespace asrbias
