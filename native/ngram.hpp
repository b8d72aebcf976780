// A back-off n-gram model over words (Katz 1987), read-only once made and safe from many threads.
//
// N-grams of each order lie in one open-addressing table of packed rows under a 64-bit key. The keys, the hashes of
// words and the rows are those of KenLM's "probing" files (Heafield 2011), which are therefore used where they lie, in
// a mapped file. The key of an n-gram goes from its last word back: that of "b c" is on the way to that of "a b c".
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace asrbias {

class NGram {
  public:
    static constexpr int MAX_ORDER = 6;

    // What of the past can still matter: words that no longer n-gram of the model begins with are left out, so equal
    // states have equal futures.
    struct State {
        int32_t words[MAX_ORDER - 1];  // the latest first
        uint8_t length = 0;
        bool operator==(const State& other) const {
            return length == other.length && std::equal(words, words + length, other.words);
        }
        bool operator!=(const State& other) const { return !(*this == other); }
    };

    NGram(NGram&&) = default;
    NGram& operator=(NGram&&) = default;

    int order() const { return static_cast<int>(tables_.size()) + 1; }
    int32_t size() const { return size_; }        // words, <unk>, <s> and </s> among them
    int32_t unknown() const { return unknown_; }  // id of <unk>
    int32_t sentence_begin() const { return begin_; }
    int32_t sentence_end() const { return end_; }
    size_t count(int order) const { return counts_[order - 1]; }  // n-grams of an order
    bool has_strings() const { return !offsets_.empty(); }        // a KenLM file may leave them out

    int32_t find(std::string_view word) const;  // id, or unknown()
    State begin() const;                        // after <s>
    // Natural log P(word | state), 0 <= word < size(); `to`, which may be null or &from, becomes the state after it.
    double score(const State& from, int32_t word, State* to) const;
    double end(const State& from) const { return score(from, end_, nullptr); }  // natural log P(</s> | state)
    double unigram(int32_t word) const;                                         // natural log, no history
    std::string_view word(int32_t id) const;                                    // empty without has_strings()

  private:
    friend class NGramBuilder;
    friend class KenLMReader;
    // Rows of a key that is not 0, a log10 probability, and, where another word may follow, a log10 back-off weight.
    // A weight of -0.0 says that no n-gram continues this one. KenLM keeps a flag in the probability's sign.
    struct Table {
        const uint8_t* rows = nullptr;
        uint64_t buckets = 0;
        uint32_t stride = 0;                      // bytes
        const uint8_t* find(uint64_t key) const;  // its value, after the key; null if there is none
    };
    NGram() = default;
    bool extends(const uint8_t* value) const;
    double back_off(const State& from, int used) const;

    std::vector<Table> tables_;          // of bigrams and up
    const uint8_t* unigrams_ = nullptr;  // probability and back-off weight of each word
    Table words_;                        // hash of a word -> id
    std::vector<uint64_t> counts_;
    const char* strings_ = nullptr;
    std::vector<uint64_t> offsets_;  // of strings_; one more than words; a word ends a byte before the next begins
    std::vector<std::vector<uint8_t>> memory_;  // what of the above is not in a mapped file
    int32_t size_ = 0, unknown_ = 0, begin_ = 0, end_ = 0;
    // Whether some n-gram "a b c" is there without its "b c", as pruning by SRILM leaves them; no shorter match may end
    // the search then. KenLM's files fill such gaps.
    bool gaps_ = false;
};

// Makes a model n-gram by n-gram: all words, then bigrams, and so on. Values are checked; std::invalid_argument says in
// a phrase that fits behind "this n-gram" what is wrong.
class NGramBuilder {
  public:
    // counts: n-grams of each order.
    explicit NGramBuilder(const std::vector<uint64_t>& counts);
    void add_word(std::string_view word, float log10_probability, float log10_back_off);
    // -1 if it was not added.
    int32_t find(std::string_view word) const;
    // ids: in the order they are said; of order 2 and up.
    void add(const int32_t* ids, int order, float log10_probability, float log10_back_off);
    // A model needs <unk>, <s> and </s>.
    NGram finish();

  private:
    friend class KenLMReader;
    uint8_t* insert(NGram::Table& table, uint64_t key);  // null if it is there already
    static void check(float probability, float back_off);
    NGram model_;
    std::vector<uint64_t> added_;
    std::string strings_;
};

// The text of an ARPA file. Throws std::invalid_argument with a sentence that names the line.
NGram read_arpa(std::string_view text);
// The bytes of a KenLM binary (probing or plain trie), which must stay where they are as long as the model is used.
// Throws std::invalid_argument with a sentence.
NGram read_kenlm(const uint8_t* bytes, size_t size);

}  // namespace asrbias
