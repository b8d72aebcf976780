// How well many sequences of phones fit in somewhere: for the shortlist of a long list (asrbias/shortlist.py).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace asrbias {

// Steps of time (runs or frames), each with a gain for every phone.
struct Steps {
    const float* stay;  // [S, P] nats for a step more in the same phone, or [S, 1]
    const float* move;  // [S, P] nats for the step into a phone
    int count, phones, stays;  // S, P, columns of `stay`
    float floor;        // a state is at least this: 0 lets a sequence begin late
    float passing;      // nats for a phone passed over
};

// R sequences, one after the other; `offsets` [R+1].
struct Sequences {
    const int32_t* labels;  // [offsets[R]] each below P
    const int32_t* offsets;
};

// The best score of each of the sequences `rows` [M], to the end of it: `scores` [M]. A step is stay or move, after which one
// phone may be passed over (of two, the second a step later). `first` is the state of all phones before the first step.
void fit_sequences(const Steps& steps, const Sequences& sequences, const int32_t* rows, int count, float first, float* scores);

// The trigrams that were heard, against those of sequences: one pass over a flat array, for very long lists. A trigram's
// evidence in a window of the utterance is the best sum of odds of three runs that follow each other (one between two of them
// may be passed over). A sequence's score is the sum over its trigrams, in the best window, divided by a power of their
// number. Trigrams of a sequence that are heard in another order count alike: what passes this sieve is aligned.
class PhoneGrams {
  public:
    PhoneGrams(const Sequences& sequences, int count, int phones);
    // odds [S, P], presence [S], insertion nats -> scores [R]
    void scores(const float* odds, const float* presence, int runs, float insertion, float* scores) const;
    int size() const { return static_cast<int>(starts_.size()) - 1; }
    size_t bytes() const;

  private:
    std::vector<std::vector<float>> tables(const float* odds, const float* presence, int runs, float insertion) const;
    int phones_;
    std::vector<int32_t> codes_, starts_;
    std::vector<float> share_;
};

}  // namespace asrbias
