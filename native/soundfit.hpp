// How well many sequences of phones fit in somewhere: for the shortlist of a long list (asrbias/shortlist.py).
#pragma once
#include <cstddef>
#include <cstdint>

namespace asrbias {

// Runs of frames, each perhaps a phone.
struct Runs {
    const float* odds;      // [S, P] nats for each phone
    const float* presence;  // [S] probability that there is a phone at all
    int count, phones;      // S, P
    float insertion;        // nats for a run of presence 1 that is passed over, at most 0
};

// Steps of time, each with a gain for every phone.
struct Steps {
    const float* stay;  // [S, P] nats for a step more in the same phone
    const float* move;  // [S, P] nats for the step into a phone
    int count, phones;  // S, P
    float floor;        // a state is at least this: 0 lets a sequence begin late
    float passing;      // nats for a phone passed over
};

// R sequences, one after the other; `offsets` [R+1].
struct Sequences {
    const uint16_t* labels;  // [offsets[R]] each below P
    const int32_t* offsets;
};

// How well each of the sequences `rows` [M] fits in anywhere -> scores [M] nats: the best sum of the odds of matched runs, of
// `insertion` for those passed over (at most INSERTED one after the other), and of `deletion` (at most 0) for phones passed over.
constexpr int INSERTED = 3;
void fit_runs(const Runs& runs, const Sequences& sequences, const int32_t* rows, int count, float deletion, float* scores);

// The best score of each of the sequences `rows` [M], to the end of it: `scores` [M]. A step is stay or move, after which one
// phone may be passed over (of two, the second a step later). `first` is the state of all phones before the first step.
void fit_sequences(const Steps& steps, const Sequences& sequences, const int32_t* rows, int count, float first, float* scores);

}  // namespace asrbias
