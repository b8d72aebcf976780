// The trigrams that were heard, against those of a very long list's pronunciations: which of them are worth aligning.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "soundfit.hpp"

namespace asrbias {

// A trigram's evidence in a window of the utterance is the best sum of odds of three runs that follow each other (one between
// two of them may be passed over). A sequence's score is the sum over every other trigram of it and the last, in the best window,
// divided by a power of their number; a sequence of two phones has a pair, one of one phone that alone. Trigrams that are heard
// in another order count alike: what passes this sieve is aligned.
//
// Evidence is counted in levels, 85 to a phone, of two or four windows side by side in one number, so that one addition serves
// them all. Sequences of one length are looked at together, which a processor foresees better than lengths by chance.
class PhoneGrams {
  public:
    PhoneGrams(const Sequences& sequences, int count, int phones);
    void scores(const Runs& heard, float* scores) const;  // [R] nats
    // Those of the highest scores, in their order -> rows, and how many they are: at most `count` (which is at most R), and at
    // least 98 % of them.
    int best(const Runs& heard, int count, int32_t* rows) const;
    int size() const { return static_cast<int>(rows_.size()); }
    size_t bytes() const { return 4 * (rows_.size() + codes_.size()) + 2 * short_codes_.size() + last_.size() + sizeof(Block) * blocks_.size(); }

  private:
    struct Levels {
        float low, step;  // nats of a phone's level 0, and of one more
    };
    struct Group {  // sequences of one length: places first .. last - 1 in rows_
        float nats(const Levels& levels, int sum) const { return (sum * levels.step + phones * levels.low) * share; }
        int least(const Levels& levels, float nats) const;  // the sum that is so much
        int first, last, each, phones;                      // codes of each, and the phones that these are
        size_t code;                                        // its first in codes_
        float share;
    };
    struct Block {  // those that differ in the last phone, begin .. end - 1
        int begin, end, phones, first, second, third;  // of a pair, `first` is the first phone; `third`: the last ones are from here on
    };
    struct Heard;
    Levels add_up(const Runs& heard, uint16_t* sums) const;
    template <class Fields>
    void fill(const Heard& heard, int begin, Fields* table) const;
    template <class Fields>
    void add_windows(const Heard& heard, int begin, uint16_t* sums) const;
    int above(const uint16_t* sums, const Levels& levels, float nats) const;

    int phones_;
    std::vector<int32_t> rows_;          // [R] sequences by their lengths
    std::vector<uint32_t> codes_;        // of their trigrams, pairs or phones: places in last_;
    std::vector<uint16_t> short_codes_;  // or these, where there are not too many
    std::vector<uint8_t> last_;          // of all that occur, trigrams, then pairs, then phones: the last phone, less its block's
    std::vector<Block> blocks_;
    std::vector<Group> groups_;
};

}  // namespace asrbias
