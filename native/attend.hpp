// The contextual adapter's attention for one utterance: asrbias/adapter.py, ContextualAdapter._attend, in a few passes.
#pragma once
#include <cstdint>
#include <vector>

namespace asrbias {

struct AttentionSizes {
    int heads, frames, labels, entities, width, sounds;  // H, T, N, K, A, 3P (0: nothing is compared by sound)
};

struct AttentionInput {
    const float* keys;      // [N, A]
    const float* query;     // [A, T], each head's part after the other
    const float* nothing;   // [H, T] score of <no-bias>, its threshold included
    const float* written;   // [N, 3P] phones of each label and those around it
    const float* heard;     // [3P, T] phones around each frame
    const float* values;    // [N, A]
    const int64_t* sizes;   // [K] labels of each entity
    const float* nats;      // [H] for a label that fits
    const float* covered;   // [H] nats for a coverage of 1 above the usual
    const float* votes;     // [H, W] of the frames around each, W odd; W may be 0
    int window;             // W
    float caution;          // nats more for <no-bias>
    float least;            // share of a frame's attention below which an entity adds nothing to it
};

struct AttentionSettings {  // constants of asrbias/adapter.py and soundmatch.py
    float highest, early, usual;
    int around;
};

// bias [T, A]: the sum of values; attention [T, 1 + K]: means over heads, <no-bias> first.
void attend(const AttentionSizes& sizes, const AttentionInput& input, const AttentionSettings& settings, float* bias, float* attention);

}  // namespace asrbias
