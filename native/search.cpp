#include "search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace asrbias {

namespace {
constexpr double NEVER = -std::numeric_limits<double>::infinity();

constexpr int BLOCK = 16;      // labels that are looked at together
constexpr int WALK_BITS = 10;
constexpr double SLACK = 1e-6;  // nats by which bounds are widened against rounding

double log_add(double a, double b) {
    if (a < b) std::swap(a, b);
    const double difference = b - a;  // NaN where both are -inf
    return difference > -40.0 ? a + std::log1p(std::exp(difference)) : a;
}
}  // namespace

PhraseTracker::Boundary PhraseTracker::close_word(Cursor at) const {
    const Boundary& open = boundaries_[at.word];
    if (automaton_->at_word_start(at.state)) return open;
    Boundary closed{at.word, open.best, open.penalty};
    for (int32_t s = (*automaton_)[at.state].output; s != Automaton::ROOT; s = (*automaton_)[(*automaton_)[s].fail].output) {
        const double bonus = automaton_->bonus((*automaton_)[s].phrase);
        if (bonus < 0)
            closed.penalty += bonus;
        else
            closed.best = std::max(closed.best, boundaries_[back(at.word, (*automaton_)[s].words - 1)].best + bonus);
    }
    return closed;
}

Cursor PhraseTracker::advance(Cursor at, int token) {
    for (const Symbol* c = vocabulary_.begin(token); c != vocabulary_.end(token); ++c) {
        if (*c == SEPARATOR) {
            if (automaton_->at_word_start(at.state)) continue;
            boundaries_.push_back(close_word(at));
            at.word = static_cast<int32_t>(boundaries_.size()) - 1;
        }
        at.state = automaton_->step(at.state, *c);
    }
    return at;
}

PhraseTracker::Ranking PhraseTracker::ranking(Cursor at) const {
    const Boundary& settled = boundaries_[at.word];
    double best = settled.best, slope = 0.0;
    for (int32_t s = at.state; s != Automaton::ROOT; s = (*automaton_)[s].fail) {
        const Automaton::State& match = (*automaton_)[s];
        const double steep = match.slope, partial = steep * match.depth;
        slope = std::max(slope, steep);
        if (partial > 0) best = std::max(best, boundaries_[back(at.word, match.words - 1)].best + partial);
    }
    return {best + settled.penalty, best > settled.best + SLACK, slope};
}

double PhraseTracker::final(Cursor at) const {
    const Boundary closed = close_word(at);
    return closed.best + closed.penalty;
}

Search::Search(const Vocabulary& vocabulary, const Automaton* automaton, const SearchOptions& options)
    : vocabulary_(vocabulary), automaton_(automaton), options_(options), tracker_(vocabulary, automaton) {
    Node root{-1, -1, -1, -1, 0, Cursor{}};
    if (automaton_ != nullptr) summarise(root);
    nodes_.push_back(root);
    if (automaton_ != nullptr) steepest_ = automaton_->steepest() * options.bonus;
    beam_.push_back({0, -1, 0.0, NEVER, 0.0, 0.0, 0.0, steepest_, 0.0, 0.0, 0.0, root.accepts, -1, -1});
    if (automaton_ != nullptr) walks_.resize(size_t{1} << WALK_BITS, {~uint64_t{0}, 0});
    for (int token = 0; token < vocabulary.size(); ++token) {
        const Symbol *first = vocabulary.begin(token), *last = vocabulary.end(token);
        const auto separators = std::count(first, last, SEPARATOR);
        reach_.push_back({vocabulary.length(token), automaton_ != nullptr && separators > 0,
                          separators == 1 && *first == SEPARATOR,
                          first == last ? 0 : Automaton::bit(*first), 0.0, 0.0,
                          static_cast<uint8_t>(separators > 0 ? 0 : std::min<int64_t>(last - first, KINDS - 1))});
        if (automaton_ != nullptr) {
            const Automaton::State& match = (*automaton_)[automaton_->word_state(token)];
            Reach& reach = reach_.back();
            reach.begins = reach.only_first ? options.bonus * match.slope * match.depth : steepest_ * reach.length;
            reach.slope = options.bonus * match.slope;
            if (separators > 0) begins_ = std::max(begins_, reach.begins);
        }
        longest_ = std::max(longest_, vocabulary.length(token));
    }
    found_.resize(vocabulary.size() + 1);
    strong_.resize(vocabulary.size() + 1);
    highest_.resize((vocabulary.size() + BLOCK - 1) / BLOCK);
}

bool Search::step(const float* log_probs) {
    stay(log_probs);
    choose_tokens(log_probs);
    fresh_.clear();
    if (!tokens_.empty()) extend();
    prune();
    return !beam_.empty();
}

// Every prefix goes on without a new token: a blank, its last token again, or its parent's extension by that token.
void Search::stay(const float* log_probs) {
    const double blank = log_probs[vocabulary_.blank()];
    next_ = beam_;
    ranks_.clear();
    for (Entry& entry : beam_) entry.first_child = -1;
    for (size_t slot = 0; slot < beam_.size(); ++slot) {
        const Entry& was = beam_[slot];
        Entry& entry = next_[slot];
        entry.blank = was.total + blank;
        if (was.token >= 0) {
            const double token = log_probs[was.token];
            entry.label = was.label + token;
            const int32_t parent = nodes_[was.node].parent, at = nodes_[parent].slot;
            if (at < static_cast<int32_t>(beam_.size()) && beam_[at].node == parent) {
                const double from = beam_[at].token == was.token ? beam_[at].blank : beam_[at].total;
                entry.label = log_add(entry.label, from + token);
                beam_[slot].sibling = beam_[at].first_child;
                beam_[at].first_child = static_cast<int32_t>(slot);
            }
        }
        entry.total = log_add(entry.blank, entry.label);
        entry.rank = entry.total + entry.bias;
        ranks_.push_back(entry.rank);
    }
    const auto beam = static_cast<size_t>(options_.beam);
    cutoff_ = *std::max_element(ranks_.begin(), ranks_.end()) - options_.beam_threshold;
    if (ranks_.size() >= beam) {
        std::nth_element(ranks_.begin(), ranks_.begin() + (beam - 1), ranks_.end(), std::greater<>());
        cutoff_ = std::max(cutoff_, ranks_[beam - 1]);
    }
}

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

void Search::extend() {
    size_t pushed = 0;
    for (size_t k = 0; k < tokens_.size(); ++k) {
        const Candidate& token = tokens_[k];
        const double most = static_cast<double>(token.log_prob) + token.gain + SLACK;
        for (const Entry& entry : beam_) {
            if (entry.rank + most < cutoff_) break;  // the beam is sorted
            Fresh fresh;
            if (!rank_extension(entry, token, k >= acoustic_tokens_, &fresh) || in_beam(entry, token.token)) continue;
            fresh_.push_back(fresh);
            if (++pushed % static_cast<size_t>(options_.beam) == 0) tighten();
        }
    }
}

bool Search::in_beam(const Entry& parent, int token) const {
    int32_t slot = parent.first_child;
    while (slot >= 0 && beam_[slot].token != token) slot = beam_[slot].sibling;
    return slot >= 0;
}

// False where it cannot stay in the beam, or needs a phrase to enter it and continues none.
bool Search::rank_extension(const Entry& from, const Candidate& token, bool needs_phrase, Fresh* fresh) {
    const Reach& reach = reach_[token.token];
    // The same token again is a new one only after a blank.
    const double label = (from.token == token.token ? from.blank : from.total) + token.log_prob;
    double bias = from.settled, slope = 0.0;
    if (reach.only_first && from.across == 0.0) {  // no phrase goes on across this word's end
        if (needs_phrase && reach.begins <= SLACK) return false;
        bias = from.closed + reach.begins;
        slope = reach.slope;
    } else if (reach.starts_word || (from.accepts & reach.first) != 0) {  // else every open match fails, if there is any
        const double gain = reach.starts_word ? token.gain : from.slope * reach.length;
        if (label + from.bias + gain + SLACK < cutoff_) return false;
        const auto ranking = rank_phrases(nodes_[from.node], token.token);
        if (needs_phrase && !ranking.provisional) return false;
        bias = options_.bonus * ranking.bias;
        slope = options_.bonus * ranking.slope;
    } else if (needs_phrase) {
        return false;
    }
    const double rank = label + bias;
    if (!(rank >= cutoff_) || label == NEVER) return false;
    *fresh = {static_cast<int32_t>(&from - beam_.data()), token.token, label, bias, rank, slope};
    return true;
}

PhraseTracker::Ranking Search::rank_phrases(const Node& from, int token) {
    const Reach& reach = reach_[token];
    if (!reach.starts_word) return tracker_.ranking({state_after(from.cursor.state, token), from.cursor.word});
    const int32_t state = automaton_->word_state(token);
    if (reach.only_first && state_after(from.next_word, token) == state) {  // none goes on across this word's end
        const Automaton::State& match = (*automaton_)[state];
        const double slope = match.slope, partial = slope * match.depth;
        return {from.closed + partial, partial > SLACK, slope};
    }
    const size_t mark = tracker_.mark();
    const auto ranking = tracker_.ranking(tracker_.advance(from.cursor, token));
    tracker_.release(mark);
    return ranking;
}

// Of a token without a separator, or of what follows its first one. The same few are asked for frame after frame, and a
// walk misses the processor's cache.
int32_t Search::state_after(int32_t state, int token) {
    if (state == Automaton::START && reach_[token].only_first) return automaton_->word_state(token);
    const uint64_t key = static_cast<uint64_t>(state) * static_cast<uint64_t>(vocabulary_.size()) + token;
    Walk& walk = walks_[(key * 0x9E3779B97F4A7C15u) >> (64 - WALK_BITS)];
    if (walk.key != key) {
        walk.key = key;
        for (const Symbol* c = vocabulary_.begin(token) + reach_[token].only_first; c != vocabulary_.end(token); ++c)
            state = automaton_->step(state, *c);
        walk.state = state;
    }
    return walk.state;
}

// Enough extensions were collected to know a higher cutoff.
void Search::tighten() {
    ranks_.clear();
    for (const Entry& entry : next_) ranks_.push_back(entry.rank);
    for (const Fresh& fresh : fresh_) ranks_.push_back(fresh.rank);
    const auto nth = ranks_.begin() + (options_.beam - 1);
    std::nth_element(ranks_.begin(), nth, ranks_.end(), std::greater<>());
    cutoff_ = std::max(cutoff_, *nth);
    const double cutoff = cutoff_;
    fresh_.erase(std::remove_if(fresh_.begin(), fresh_.end(), [cutoff](const Fresh& f) { return f.rank < cutoff; }),
                 fresh_.end());
}

void Search::prune() {
    double best = NEVER;
    for (const Entry& entry : next_) best = std::max(best, entry.rank);
    for (const Fresh& fresh : fresh_) best = std::max(best, fresh.rank);
    const double floor = std::max(best - options_.beam_threshold, -1e300);
    const auto stayed = static_cast<int32_t>(next_.size());
    order_.clear();
    for (int32_t i = 0; i < stayed; ++i)
        if (next_[i].rank >= floor) order_.push_back({next_[i].rank, i});
    for (int32_t i = 0; i < static_cast<int32_t>(fresh_.size()); ++i)
        if (fresh_[i].rank >= floor) order_.push_back({fresh_[i].rank, stayed + i});
    const auto better = [](const Ranked& a, const Ranked& b) { return a.rank != b.rank ? a.rank > b.rank : a.index < b.index; };
    if (order_.size() > static_cast<size_t>(options_.beam)) {
        std::nth_element(order_.begin(), order_.begin() + options_.beam, order_.end(), better);
        order_.resize(options_.beam);
    }
    std::sort(order_.begin(), order_.end(), better);
    kept_.clear();
    for (const Ranked& ranked : order_) {
        kept_.push_back(ranked.index < stayed ? next_[ranked.index] : entry_of(fresh_[ranked.index - stayed]));
        nodes_[kept_.back().node].slot = static_cast<int32_t>(kept_.size()) - 1;
    }
    beam_.swap(kept_);
}

Search::Entry Search::entry_of(const Fresh& fresh) {
    const int32_t made = node_for(beam_[fresh.slot].node, fresh.token);
    const Node& node = nodes_[made];
    return {made,       fresh.token,  NEVER, fresh.label, fresh.label, fresh.bias, fresh.rank,
            fresh.slope, options_.bonus * node.settled, options_.bonus * node.closed,
            options_.bonus * node.across, node.accepts, -1, -1};
}

// A prefix that fell out of the beam and comes back is the same node, so that its extensions still merge.
int32_t Search::node_for(int32_t parent, int token) {
    for (int32_t node = nodes_[parent].first_child; node >= 0; node = nodes_[node].sibling)
        if (nodes_[node].token == token) return node;
    const auto made = static_cast<int32_t>(nodes_.size());
    Node node{parent, token, -1, nodes_[parent].first_child, 0, Cursor{}};
    if (automaton_ != nullptr) {
        node.cursor = tracker_.advance(nodes_[parent].cursor, token);
        summarise(node);
    }
    nodes_.push_back(node);
    nodes_[parent].first_child = made;
    return made;
}

void Search::summarise(Node& node) const {
    const int32_t state = node.cursor.state;
    node.next_word = automaton_->at_word_start(state) ? state : automaton_->step(state, SEPARATOR);
    for (int32_t s = node.next_word; s != Automaton::START; s = (*automaton_)[s].fail)
        node.across = std::max(node.across, static_cast<double>((*automaton_)[s].slope));
    node.accepts = (*automaton_)[state].accepts;
    node.settled = tracker_.settled(node.cursor);
    node.closed = tracker_.final(node.cursor);
}

std::vector<Found> Search::finish() const {
    std::vector<Found> found;
    for (const Entry& entry : beam_) {
        Found hypothesis;
        for (int32_t node = entry.node; node > 0; node = nodes_[node].parent) hypothesis.tokens.push_back(nodes_[node].token);
        std::reverse(hypothesis.tokens.begin(), hypothesis.tokens.end());
        hypothesis.acoustic = entry.total;
        hypothesis.bias = automaton_ == nullptr ? 0.0 : options_.bonus * tracker_.final(nodes_[entry.node].cursor);
        found.push_back(std::move(hypothesis));
    }
    std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        return a.acoustic + a.bias > b.acoustic + b.bias;
    });
    if (found.size() > static_cast<size_t>(options_.nbest)) found.resize(options_.nbest);
    return found;
}

}  // namespace asrbias
