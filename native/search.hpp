// CTC prefix beam search (Graves & Jaitly 2014; Hannun et al. 2014, arXiv 1408.2873) with phrase bonuses and a language
// model at the ends of words.
//
// What phrases pay, and what of it ranking sees, is written in tracker.hpp; what the language model says, in fusion.hpp.
//
// Prefixes that no future can tell apart compete with each other first (prune.cpp).
//
// A prefix has one parent and one last token, so an extension can only merge with a prefix already in the beam:
// beam entries know their parents, and no hash map is needed.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "guard.hpp"
#include "tracker.hpp"

namespace asrbias {

struct SearchOptions {
    int beam, nbest, top_k;
    double token_threshold, phrase_threshold, beam_threshold;
    int settled_beam;  // see prune.cpp
    BiasOptions bias;
    double gap_cap;   // nats that a gap is at most
    int gap_top_k;    // tokens of a frame that can have one
    bool gap_prefix;  // measured from the best prefix rather than from the frame's best label
    LmOptions lm;
    GuardOptions guard;
};

struct Found {
    std::vector<int32_t> tokens;
    double acoustic, bias, lm;
    std::vector<Parsed> parse;  // last part first; empty without a list
};

class Search {
  public:
    // automaton, words: null without a list, without a language model.
    // unpaid: phrases that are worth nothing.
    Search(const Vocabulary& vocabulary, const Automaton* automaton, const LmTrie* words, const SearchOptions& options,
           const std::vector<int32_t>& unpaid);
    Search(const Search&) = delete;  // parts of it point to each other
    Search& operator=(const Search&) = delete;
    // log_probs: a frame, V of them. False if no label sequence is possible any more.
    bool step(const float* log_probs);
    // Best first.
    std::vector<Found> finish() const;

  private:
    struct Node {
        int32_t parent, token, first_child, sibling;
        int32_t slot;  // in the beam, valid if that entry's node is this one
        Cursor cursor;
        // What most extensions need to know, so that they need no walk:
        int32_t next_word = Automaton::START;  // state after a separator
        double across = 0.0;                   // slope of the matches that are open there
        uint64_t goes_on = 0;                  // bits of the symbols with which they go on
        uint64_t accepts = 0;
        double settled = 0.0;                  // bias if every open match fails
    };
    struct Spoken {  // what the language model says of a prefix
        double open = 0.0;    // closed words and an estimate of the open one
        double before = 0.0;  // without the open one
        double closed = 0.0;  // if the word ends here
        double boost = NEVER;  // what the class is worth then
        uint64_t history = 0;  // Tracker::history then
    };
    struct Entry {
        int32_t node, token;
        double blank, label;       // log probability of the alignments that end in blank / in the last token
        double total, bias, rank;  // log(e^blank + e^label); bias of ranking; their sum, with lm.open
        double slope;              // nats that one more character can add to the matches that are open
        double boost;              // Tracker::Ranking::boost
        double settled, closed;    // bias if every open match fails; if the word ends here (NaN: not yet asked)
        double across;             // the slope of matches that go on in a next word
        uint64_t accepts;          // bits of the symbols that keep a match open
        int32_t first_child, sibling;  // slots of prefixes in the beam that extend this one by a token
        double gap;                // of the open word
        uint64_t future;           // what can still become of it: Tracker::future and the last token
        int32_t end;               // Tracker::close of its word, or -1: not yet asked
        Spoken lm;
    };
    struct Fresh {
        int32_t slot, token;  // entry that is extended, and by what
        double label, bias, settled, rank, slope, boost, lm, gap;
        uint64_t future;
    };
    struct Ranked {
        double rank, settled;  // with the open matches, and without them
        uint64_t future;
        int32_t index;  // in next_, then in fresh_
    };
    struct Future {
        uint64_t key;
        int32_t best, most_settled;  // of order_
    };
    struct Candidate {
        float log_prob;
        int32_t token;
        float gain;      // nats that phrases and the language model can add to it at most, whatever it extends
        float settled_gain;  // the same without what open matches add
        bool continues;  // may begin or continue a phrase
    };
    enum class Separators : uint8_t { NONE, FIRST, INSIDE };  // FIRST: one, which is its first character
    struct Reach {  // of a token in the phrases and words
        int32_t length;
        Separators separators;
        uint8_t kind;      // MUTE: never emitted; 0: holds a separator; else its length, MUTE - 1 at most
        uint64_t first;    // bit of its first character
        uint64_t second;   // of the one after it; all bits where there is none
        Tracker::Match match;  // where it leads from a word's start, if its only separator is its first character
        double begins;     // nats of the match that it begins at a word's start
        double slope;      // that one more character can add to it
        double adaptive;   // of that match, as in Automaton::Terms
        double share;
        double lm;         // of the word that it begins, as long as that is open
    };
    struct Walk {  // a remembered one, of phrases
        uint64_t key;
        Tracker::Match to;
    };
    struct WordWalk {
        uint64_t key;
        int32_t node;
    };
    void reach_tokens();
    void stay(const float* log_probs);
    void list_all(double floor);
    void find_futures();
    void set_cutoffs();
    void choose(double floor);
    bool reaches(double rank, double settled) const {
        return rank >= rank_cutoff_ || settled >= settled_cutoff_;
    }
    void merge_gaps(const float* log_probs);
    double gap_of(int token, double log_prob, double score) const;
    void choose_tokens(const float* log_probs);
    float block_maxima(const float* log_probs);
    void find_tokens(const float* log_probs);
    float top_k_floor(const float* log_probs, double least);
    float kth_token(const float* log_probs, float weakest, int k);
    void extend();
    bool could_stay(const Entry& from, const Candidate& token, bool needs_phrase) const;
    bool walk_could_stay(const Entry& from, int token, double label, double lm) const;
    bool in_beam(const Entry& parent, int token) const;
    bool rank_extension(const Entry& from, const Candidate& token, bool needs_phrase, Fresh* fresh);
    Tracker::Ranking walk_phrases(const Entry& from, int token, double gap);
    double speak_on(const Entry& from, int token);
    uint64_t future_of(const Entry& from, int token);
    const Tracker::Match& match_after(int32_t state, int token);
    const Tracker::Match& match_across(const Node& node, int token);
    int32_t spelled_after(int32_t node, int token);
    void set_floors(double lowest, double reach, double settled_reach);
    void close_words();
    void bound_gain(Candidate* c) const;
    void tighten();
    void prune();
    Entry entry_of(const Fresh& fresh);
    int32_t node_for(const Fresh& fresh);
    void summarise(Node& node) const;

    const Vocabulary& vocabulary_;
    const Automaton* automaton_;
    const SearchOptions options_;
    const bool plain_;  // neither list nor language model
    const int settled_beam_;  // 0 where nothing can be unsettled
    const std::optional<Fusion> fusion_;
    Tracker tracker_;
    std::vector<Node> nodes_;
    std::vector<Entry> beam_, next_, kept_;  // next_: entries of beam_ after the frame, in the same slots
    std::vector<Ranked> order_, chosen_, settled_;
    std::vector<Fresh> fresh_;
    std::vector<Candidate> tokens_;
    std::vector<double> ranks_;
    size_t acoustic_tokens_ = 0;  // tokens_ up to here need no phrase
    double rank_cutoff_ = 0, settled_cutoff_ = 0;  // no prefix below both can stay; the second is +inf without a beam of its own
    double leader_ = 0;           // the best prefix, its open matches not counted
    float best_ = 0, gap_floor_ = 0;  // of the frame: its best label, and the least that can have a gap
    double steepest_ = 0;         // nats that one more character can add at most
    double gap_gain_ = 0;         // nats that a gap can add at most
    int longest_ = 0;             // characters of the longest label
    double begins_ = 0;           // the largest of reach_
    static constexpr int MUTE = 8, KINDS = 9, BLOCK = 16;
    static constexpr int WALK_BITS = 11;  // of the number of walks that are remembered
    float floors_[KINDS] = {};    // log probability below which no token of a kind can reach the cutoff
    double slope_ = 0, across_ = 0;  // the largest in the beam
    uint64_t accepts_ = 0;           // of any in the beam
    double closing_ = 0, speaking_ = 0;  // nats that a word's end adds at most to any prefix in the beam; by the model
    double starting_ = 0;            // that a token without a separator adds at most by the word that it begins
    double closing_boost_ = NEVER;   // the most that a word's end adds together with what the class is worth then
    bool pays_more_ = false;         // phrases pay something that their slope does not show
    double word_starts_ = 0, most_share_ = NEVER;  // the largest of reach_
    bool separators_inside_ = false;               // of any label
    std::vector<Candidate> found_;  // room for find_tokens
    std::vector<float> strong_;     // and for top_k_floor
    std::vector<Reach> reach_;    // of each token
    std::vector<float> highest_;  // of each BLOCK labels
    std::vector<Walk> walks_;
    std::vector<WordWalk> word_walks_;
    std::vector<Future> futures_;
    std::vector<int32_t> places_;  // of futures_ in a table of their keys, or -1
    std::vector<char> taken_;
};

}  // namespace asrbias
