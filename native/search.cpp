#include "search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace asrbias {

namespace {
constexpr double UNKNOWN = std::numeric_limits<double>::quiet_NaN();

double log_add(double a, double b) {
    if (a < b) std::swap(a, b);
    const double difference = b - a;  // NaN where both are -inf
    return difference > -40.0 ? a + std::log1p(std::exp(difference)) : a;
}
}  // namespace

Search::Search(const Vocabulary& vocabulary, const Automaton* automaton, const LmTrie* words,
               const SearchOptions& options, const std::vector<int32_t>& unpaid)
    : vocabulary_(vocabulary), automaton_(automaton), options_(options), plain_(automaton == nullptr && words == nullptr),
      settled_beam_(automaton != nullptr ? options.settled_beam : 0),
      fusion_(words != nullptr ? std::optional<Fusion>(std::in_place, *words, options.lm) : std::nullopt),
      tracker_(vocabulary, automaton, fusion_ ? &*fusion_ : nullptr, options.bias, options.guard, unpaid) {
    nodes_.push_back({-1, -1, -1, -1, 0, Cursor{}});
    if (automaton_ != nullptr) {
        steepest_ = automaton_->steepest() * options.bias.bonus;
        gap_gain_ = options.bias.adaptive * options.gap_cap * automaton_->adaptive(Automaton::START);
        most_share_ = automaton_->share(Automaton::START);
        pays_more_ = gap_gain_ > 0 || (fusion_ && options.bias.unigram > 0);
        walks_.resize(size_t{1} << WALK_BITS, {~uint64_t{0}, {}});
    }
    if (fusion_) word_walks_.resize(size_t{1} << WALK_BITS, {~uint64_t{0}, 0});
    summarise(nodes_[0]);
    beam_.push_back({0, -1, 0.0, NEVER, 0.0, 0.0, 0.0, steepest_, NEVER, 0.0, plain_ ? 0.0 : UNKNOWN, 0.0,
                     nodes_[0].accepts, -1, -1, 0.0, 0, -1, {}});
    if (automaton_ != nullptr) {
        const auto ranking = tracker_.ranking(nodes_[0].cursor, 0.0);
        beam_[0].rank = beam_[0].bias = ranking.bias;
        beam_[0].boost = ranking.boost;
    }
    reach_tokens();
    found_.resize(vocabulary.size() + 1);
    strong_.resize(vocabulary.size() + 1);
    highest_.resize((vocabulary.size() + BLOCK - 1) / BLOCK);
}

void Search::reach_tokens() {
    for (int token = 0; token < vocabulary_.size(); ++token) {
        const Symbol *first = vocabulary_.begin(token), *last = vocabulary_.end(token);
        const auto separators = std::count(first, last, SEPARATOR);
        Reach reach{vocabulary_.length(token), Separators::NONE, 0, 0, ~uint64_t{0}, {}, 0.0, 0.0, 0.0, NEVER, 0.0};
        if (separators > 0)
            reach.separators = separators == 1 && *first == SEPARATOR ? Separators::FIRST : Separators::INSIDE;
        else
            reach.kind = static_cast<uint8_t>(std::min<int64_t>(last - first, MUTE - 1));
        if (token == vocabulary_.blank() || !vocabulary_.emitted(token)) reach.kind = MUTE;
        if (first != last) reach.first = Automaton::bit(*first);
        if (last - first > 1) reach.second = Automaton::bit(first[1]);
        if (automaton_ != nullptr) {
            const int32_t state = automaton_->word_state(token);
            const Automaton::State& match = (*automaton_)[state];
            const bool alone = reach.separators == Separators::FIRST;
            reach.slope = options_.bias.bonus * match.slope;
            reach.begins = alone ? reach.slope * match.depth : steepest_ * reach.length;
            reach.adaptive = alone ? automaton_->adaptive(state) : 1.0;
            reach.share = automaton_->share(state);
            reach.match = tracker_.match(state);
            if (separators > 0) begins_ = std::max(begins_, reach.begins);
        }
        if (fusion_) reach.lm = fusion_->open(fusion_->trie().start(token));
        word_starts_ = token == 0 ? reach.lm : std::max(word_starts_, reach.lm);
        separators_inside_ = separators_inside_ || reach.separators == Separators::INSIDE;
        longest_ = std::max(longest_, reach.length);
        reach_.push_back(reach);
    }
}

bool Search::step(const float* log_probs) {
    best_ = block_maxima(log_probs);
    if (gap_gain_ > 0) gap_floor_ = kth_token(log_probs, std::numeric_limits<float>::lowest(), options_.gap_top_k);
    stay(log_probs);
    choose_tokens(log_probs);
    if (!tokens_.empty()) extend();
    prune();
    return !beam_.empty();
}

// Every prefix goes on without a new token: a blank, its last token again, or its parent's extension by that token.
void Search::stay(const float* log_probs) {
    const double blank = log_probs[vocabulary_.blank()];
    next_ = beam_;
    for (Entry& entry : beam_) entry.first_child = -1;
    leader_ = NEVER;
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
        entry.rank = entry.total + entry.bias + entry.lm.open;
        leader_ = std::max(leader_, entry.total + entry.settled + entry.lm.open);
    }
    if (gap_gain_ > 0) merge_gaps(log_probs);
    fresh_.clear();
    rank_cutoff_ = leader_ - options_.beam_threshold;
    settled_cutoff_ = settled_beam_ > 0 ? rank_cutoff_ : std::numeric_limits<double>::infinity();
    set_cutoffs();
}

Search::Entry Search::entry_of(const Fresh& fresh) {
    const int32_t made = node_for(fresh);
    const Node& node = nodes_[made];
    const Spoken lm = fusion_ ? Spoken{fresh.lm, tracker_.spoken(node.cursor), 0.0, NEVER, 0} : Spoken{};
    return {made, fresh.token, NEVER, fresh.label, fresh.label, fresh.bias, fresh.rank, fresh.slope, fresh.boost, node.settled,
            plain_ ? 0.0 : UNKNOWN, node.across, node.accepts, -1, -1, fresh.gap, fresh.future, -1, lm};
}

// A prefix that fell out of the beam and comes back is the same node, so that its extensions still merge.
int32_t Search::node_for(const Fresh& fresh) {
    const Entry& from = beam_[fresh.slot];
    const int32_t parent = from.node;
    int32_t at = nodes_[parent].first_child;
    while (at >= 0 && nodes_[at].token != fresh.token) at = nodes_[at].sibling;
    const bool known = at >= 0;
    if (known && gap_gain_ == 0) return at;
    if (!known) {
        at = static_cast<int32_t>(nodes_.size());
        nodes_.push_back({parent, fresh.token, -1, nodes_[parent].first_child, 0, Cursor{}});
        nodes_[parent].first_child = at;
    }
    if (!plain_) nodes_[at].cursor = tracker_.advance(nodes_[parent].cursor, fresh.token, from.gap, from.end);
    summarise(nodes_[at]);
    return at;
}

void Search::summarise(Node& node) const {
    if (automaton_ == nullptr) return;
    const int32_t state = node.cursor.state;
    node.across = 0.0;
    node.goes_on = 0;
    node.next_word = automaton_->at_word_start(state) ? state : automaton_->step(state, SEPARATOR);
    for (int32_t s = node.next_word; s != Automaton::START; s = (*automaton_)[s].fail) {
        node.across = std::max({node.across, options_.bias.bonus * (*automaton_)[s].slope, pays_more_ ? SLACK : 0.0});
        node.goes_on |= (*automaton_)[s].children;
    }
    node.accepts = (*automaton_)[state].accepts;
    node.settled = tracker_.settled(node.cursor);
}

std::vector<Found> Search::finish() const {
    std::vector<Found> found;
    for (const Entry& entry : beam_) {
        Found hypothesis{{}, entry.total, 0.0, 0.0, {}};
        for (int32_t node = entry.node; node > 0; node = nodes_[node].parent) hypothesis.tokens.push_back(nodes_[node].token);
        std::reverse(hypothesis.tokens.begin(), hypothesis.tokens.end());
        const Cursor cursor = nodes_[entry.node].cursor;
        if (automaton_ != nullptr) {
            hypothesis.bias = tracker_.closed(cursor, entry.gap).bias;
            hypothesis.parse = tracker_.parse(cursor, entry.gap);
        }
        if (fusion_) hypothesis.lm = tracker_.spoken_to_end(cursor);
        found.push_back(std::move(hypothesis));
    }
    std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        return a.acoustic + a.bias + a.lm > b.acoustic + b.bias + b.lm;
    });
    if (found.size() > static_cast<size_t>(options_.nbest)) found.resize(options_.nbest);
    return found;
}

}  // namespace asrbias
