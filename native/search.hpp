// CTC prefix beam search (Graves & Jaitly 2014; Hannun et al. 2014, arXiv 1408.2873) with phrase bonuses.
//
// What phrases pay, and what of it ranking sees, is written in tracker.hpp.
//
// A prefix has one parent and one last token, so an extension can only merge with a prefix already in the beam:
// beam entries know their parents, and no hash map is needed.
#pragma once
#include <cstdint>
#include <limits>
#include <vector>

#include "tracker.hpp"

namespace asrbias {

constexpr double NEVER = -std::numeric_limits<double>::infinity();

struct SearchOptions {
    int beam, nbest, top_k;
    double token_threshold, phrase_threshold, beam_threshold, bonus;
};

struct Found {
    std::vector<int32_t> tokens;
    double acoustic, bias;
};

class Search {
  public:
    // automaton: null for no list.
    Search(const Vocabulary& vocabulary, const Automaton* automaton, const SearchOptions& options);
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
        uint64_t accepts = 0;
        double settled = 0.0, closed = 0.0;    // bias (in bonuses) if every open match fails; if the word ends here
    };
    struct Entry {
        int32_t node, token;
        double blank, label;       // log probability of the alignments that end in blank / in the last token
        double total, bias, rank;  // log(e^blank + e^label); bias of ranking; their sum
        double slope;              // nats that one more character can add to the matches that are open
        double settled, closed;    // bias if every open match fails; if the word ends here
        double across;             // the same for matches that go on in a next word
        uint64_t accepts;          // bits of the symbols that keep a match open
        int32_t first_child, sibling;  // slots of prefixes in the beam that extend this one by a token
    };
    struct Fresh {
        int32_t slot, token;  // entry that is extended, and by what
        double label, bias, settled, rank, slope;
    };
    struct Ranked {
        double rank;
        int32_t index;  // in next_, then in fresh_
    };
    struct Candidate {
        float log_prob;
        int32_t token;
        float gain;  // nats that phrases can add to it at most, whatever it extends
    };
    struct Reach {  // of a token in the phrases
        int32_t length;
        bool starts_word;  // holds a separator (and there is a list)
        bool only_first;   // which is its first character
        uint64_t first;    // bit of its first character
        double begins;     // nats of the match that it begins at a word's start
        double slope;      // that one more character can add to it
        uint8_t kind;      // 0: holds a separator; else its length, KINDS - 1 at most
    };
    struct Walk {  // a remembered one
        uint64_t key;
        int32_t state;
    };
    void stay(const float* log_probs);
    void choose_tokens(const float* log_probs);
    float top_k_floor(const float* log_probs, double least);
    void extend();
    bool in_beam(const Entry& parent, int token) const;
    bool rank_extension(const Entry& from, const Candidate& token, bool needs_phrase, Fresh* fresh);
    PhraseTracker::Ranking rank_phrases(const Node& from, int token);
    int32_t state_after(int32_t state, int token);
    void set_floors(double lowest, double reach);
    void bound_gains();
    void tighten();
    void prune();
    Entry entry_of(const Fresh& fresh);
    int32_t node_for(int32_t parent, int token);
    void summarise(Node& node) const;

    const Vocabulary& vocabulary_;
    const Automaton* automaton_;
    const SearchOptions options_;
    PhraseTracker tracker_;
    std::vector<Node> nodes_;
    std::vector<Entry> beam_, next_, kept_;  // next_: entries of beam_ after the frame, in the same slots
    std::vector<Ranked> order_;
    std::vector<Fresh> fresh_;
    std::vector<Candidate> tokens_;
    std::vector<double> ranks_;
    size_t acoustic_tokens_ = 0;  // tokens_ up to here need no phrase
    double cutoff_ = 0;           // no prefix below it can stay
    double steepest_ = 0;         // nats that one more character can add at most
    int longest_ = 0;             // characters of the longest label
    double begins_ = 0;           // the largest of reach_
    static constexpr int KINDS = 8, BLOCK = 16;
    float floors_[KINDS] = {};    // log probability below which no token of a kind can reach the cutoff
    double slope_ = 0, across_ = 0;  // the largest in the beam
    uint64_t accepts_ = 0;           // of any in the beam
    std::vector<Candidate> found_;  // room for choose_tokens
    std::vector<float> strong_;     // and for top_k_floor
    std::vector<Reach> reach_;    // of each token
    std::vector<float> highest_;  // of each BLOCK labels
    std::vector<Walk> walks_;
};

}  // namespace asrbias
