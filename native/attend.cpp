#include "attend.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "simd.hpp"

namespace asrbias {

namespace {
constexpr float NEVER = 1e-30f;  // nothing has no logarithm

ASRBIAS_CLONES void add_times(const float* x, float factor, int size, float* sum) {
    for (int t = 0; t < size; ++t) sum[t] += factor * x[t];
}

// sum += e^(score - nothing), what is beyond `highest` counting as that
ASRBIAS_CLONES void add_beyond(const float* score, const float* fit, float nats, const float* nothing, float lowest, float highest, int size, float* sum) {
    for (int t = 0; t < size; ++t) sum[t] += exp_fast(smaller(score[t] + nats * fit[t] - nothing[t], highest), lowest);
}

// Nats of an entity beyond <no-bias>, and how much its frames speak for it.
ASRBIAS_CLONES void take_logs(const float* sum, float early, int size, float* logit, float* support) {
    for (int t = 0; t < size; ++t) {
        logit[t] = log_fast(sum[t]);
        support[t] = log_fast(1.0f + early * sum[t]);  // softplus(logit + EARLY)
    }
}

ASRBIAS_CLONES void larger_of(const float* x, int size, float* best) {
    for (int t = 0; t < size; ++t) best[t] = larger(best[t], x[t]);
}

ASRBIAS_CLONES void to_weights(const float* highest, float lowest, int size, float* x, float* total) {
    for (int t = 0; t < size; ++t) {
        x[t] = exp_fast(x[t] - highest[t], lowest);
        total[t] += x[t];
    }
}

ASRBIAS_CLONES void divide(const float* by, int size, float* x) {
    for (int t = 0; t < size; ++t) x[t] /= by[t];
}

// The largest of x and `best`.
ASRBIAS_CLONES float largest(const float* x, int size, float best) {
    constexpr int LANES = 16;  // maxima side by side, or the compiler would take one number at a time
    float lanes[LANES];
    std::fill(lanes, lanes + LANES, best);
    int t = 0;
    for (; t + LANES <= size; t += LANES)
        for (int n = 0; n < LANES; ++n) lanes[n] = larger(lanes[n], x[t + n]);
    for (; t < size; ++t) lanes[0] = larger(lanes[0], x[t]);
    return *std::max_element(lanes, lanes + LANES);
}

constexpr int TOGETHER = 32;  // frames whose products are summed up in registers,
constexpr int KEYS = 4;       // of so many keys at once

// out [KEYS, T] = keys [KEYS, D] times query [D, T]; T is a multiple of TOGETHER
ASRBIAS_CLONES void products(const float* const* keys, const float* query, int size, int frames, float* out) {
#if defined(__GNUC__)
    using Lanes = float __attribute__((vector_size(2 * TOGETHER)));
    for (int t = 0; t < frames; t += TOGETHER) {
        Lanes low[KEYS] = {}, high[KEYS] = {}, some, others;
        for (int d = 0; d < size; ++d) {
            std::memcpy(&some, query + static_cast<size_t>(d) * frames + t, sizeof some);
            std::memcpy(&others, query + static_cast<size_t>(d) * frames + t + TOGETHER / 2, sizeof others);
            for (int n = 0; n < KEYS; ++n) {
                low[n] += keys[n][d] * some;
                high[n] += keys[n][d] * others;
            }
        }
        for (int n = 0; n < KEYS; ++n) {
            std::memcpy(out + static_cast<size_t>(n) * frames + t, &low[n], sizeof some);
            std::memcpy(out + static_cast<size_t>(n) * frames + t + TOGETHER / 2, &high[n], sizeof some);
        }
    }
#else
    std::fill(out, out + static_cast<size_t>(KEYS) * frames, 0.0f);
    for (int n = 0; n < KEYS; ++n)
        for (int d = 0; d < size; ++d) add_times(query + static_cast<size_t>(d) * frames, keys[n][d], frames, out + static_cast<size_t>(n) * frames);
#endif
}

class Attention {
  public:
    Attention(const AttentionSizes& sizes, const AttentionInput& input, const AttentionSettings& settings);
    void run(float* bias, float* attention) {
        for (int k = 0; k < s_.entities; ++k) hear(k);
        for (int h = 0; h < s_.heads; ++h) share(h);
        average(attention);
        for (int t = 0; t < s_.frames; ++t) add_values(t, attention + static_cast<size_t>(t) * (1 + s_.entities), bias + static_cast<size_t>(t) * s_.width);
    }

  private:
    void hear(int entity);
    void fit(int label, float* sum) const;
    float cover(int entity, int block) const;
    void share(int head);
    void average(float* attention) const;
    void add_values(int frame, const float* attention, float* bias) const;
    float weight(int head, int label, int frame) const;
    size_t at(int head, int entity) const { return (static_cast<size_t>(head) * s_.entities + entity) * s_.frames; }
    const float* key(int head, int label) const { return in_.keys + static_cast<size_t>(label) * s_.width + head * size_; }
    const float* nothing(int head) const { return in_.nothing + static_cast<size_t>(head) * s_.frames; }
    const AttentionSizes s_;
    const AttentionInput in_;
    const AttentionSettings set_;
    const int size_, padded_, blocks_;        // numbers a head, frames with those that fill up the last TOGETHER, blocks
    std::vector<float> query_;                // [A, padded]
    std::vector<float> sums_, shares_;        // [H, K, T]
    std::vector<float> cover_;                // [K, T]
    std::vector<float> scores_, fit_, best_;  // of an entity: [KEYS, padded], [labels, T], [labels, blocks]
    std::vector<int> begins_;                 // [K + 1] first label of each entity
    std::vector<int> phones_, column_;        // [N + 1] where the phones around each label begin, and which they are
    std::vector<float> share_;                // of each of these
};

Attention::Attention(const AttentionSizes& sizes, const AttentionInput& input, const AttentionSettings& settings)
    : s_(sizes), in_(input), set_(settings), size_(s_.width / s_.heads), padded_((s_.frames + TOGETHER - 1) / TOGETHER * TOGETHER),
      blocks_((s_.frames + set_.around - 1) / set_.around), query_(static_cast<size_t>(s_.width) * padded_, 0.0f),
      sums_(static_cast<size_t>(s_.heads) * s_.entities * s_.frames, NEVER), shares_(sums_.size()),
      cover_(s_.sounds ? static_cast<size_t>(s_.entities) * s_.frames : 0), scores_(static_cast<size_t>(KEYS) * padded_), begins_(s_.entities + 1, 0), phones_(1, 0) {
    for (int n = 0; n < s_.labels; ++n) {
        for (int c = 0; c < s_.sounds; ++c)
            if (const float share = in_.written[static_cast<size_t>(n) * s_.sounds + c]; share != 0.0f) {
                column_.push_back(c);
                share_.push_back(share);
            }
        phones_.push_back(static_cast<int>(column_.size()));
    }
    for (int i = 0; i < s_.width; ++i)
        std::copy_n(in_.query + static_cast<size_t>(i) * s_.frames, s_.frames, query_.data() + static_cast<size_t>(i) * padded_);
    int64_t most = 0;
    for (int k = 0; k < s_.entities; ++k) {
        begins_[k + 1] = begins_[k] + static_cast<int>(in_.sizes[k]);
        most = std::max(most, in_.sizes[k]);
    }
    fit_.resize(most * s_.frames);
    best_.resize(most * blocks_);
}

// What speaks for an entity: its labels' scores, and how much of it was heard.
void Attention::hear(int entity) {
    const int first = begins_[entity], count = begins_[entity + 1] - first;
    std::fill(fit_.begin(), fit_.begin() + static_cast<size_t>(count) * s_.frames, 0.0f);
    for (int i = 0; i < count && s_.sounds; ++i) fit(first + i, fit_.data() + static_cast<size_t>(i) * s_.frames);
    for (int h = 0; h < s_.heads; ++h)
        for (int i = 0; i < count; ++i) {
            if (i % KEYS == 0) {
                const float* keys[KEYS];
                for (int n = 0; n < KEYS; ++n) keys[n] = key(h, first + std::min(i + n, count - 1));
                products(keys, query_.data() + static_cast<size_t>(h) * size_ * padded_, size_, padded_, scores_.data());
            }
            add_beyond(scores_.data() + static_cast<size_t>(i % KEYS) * padded_, fit_.data() + static_cast<size_t>(i) * s_.frames,
                       s_.sounds ? in_.nats[h] : 0.0f, nothing(h), LOWEST_EXP, set_.highest, s_.frames, sums_.data() + at(h, entity));
        }
    if (!s_.sounds) return;
    for (int i = 0; i < count; ++i)
        for (int b = 0; b < blocks_; ++b) {
            const int begin = b * set_.around, size = std::min(set_.around, s_.frames - begin);
            const float least = size < set_.around ? 0.0f : -INFINITY;  // filled up with nothing heard
            best_[static_cast<size_t>(i) * blocks_ + b] = largest(fit_.data() + static_cast<size_t>(i) * s_.frames + begin, size, least);
        }
    for (int b = 0; b < blocks_; ++b) {
        const int begin = b * set_.around, size = std::min(set_.around, s_.frames - begin);
        std::fill_n(cover_.data() + static_cast<size_t>(entity) * s_.frames + begin, size, cover(entity, b) - set_.usual);
    }
}

// How well a label's phones fit each frame: written times heard, of the former what is not 0.
void Attention::fit(int label, float* sum) const {
    for (int i = phones_[label]; i < phones_[label + 1]; ++i)
        add_times(in_.heard + static_cast<size_t>(column_[i]) * s_.frames, share_[i], s_.frames, sum);
}

// Mean over an entity's phones of their best fit in a block and those beside it.
float Attention::cover(int entity, int block) const {
    float sum = 0.0f;
    int phones = 0;
    for (int n = begins_[entity]; n < begins_[entity + 1]; ++n) {
        if (phones_[n] == phones_[n + 1]) continue;
        const float* best = best_.data() + static_cast<size_t>(n - begins_[entity]) * blocks_;
        sum += *std::max_element(best + std::max(block - 1, 0), best + std::min(block + 2, blocks_));
        ++phones;
    }
    return sum / static_cast<float>(std::max(phones, 1));
}

// The softmax over <no-bias> and entities of one head.
void Attention::share(int head) {
    const int frames = s_.frames, reach = in_.window / 2;
    std::vector<float> support(frames + in_.window, 0.0f), highest(frames, in_.caution), total(frames);
    for (int k = 0; k < s_.entities; ++k) {
        float* logit = shares_.data() + at(head, k);
        take_logs(sums_.data() + at(head, k), std::exp(set_.early), frames, logit, support.data() + reach);
        for (int w = 0; w < in_.window; ++w) add_times(support.data() + w, in_.votes[head * in_.window + w], frames, logit);
        if (s_.sounds) add_times(cover_.data() + static_cast<size_t>(k) * frames, in_.covered[head], frames, logit);
        larger_of(logit, frames, highest.data());
    }
    for (int t = 0; t < frames; ++t) total[t] = std::exp(in_.caution - highest[t]);
    for (int k = 0; k < s_.entities; ++k) to_weights(highest.data(), LOWEST_EXP, frames, shares_.data() + at(head, k), total.data());
    for (int k = 0; k < s_.entities; ++k) divide(total.data(), frames, shares_.data() + at(head, k));
}

void Attention::average(float* attention) const {
    const int columns = 1 + s_.entities;
    std::vector<float> named(s_.frames, 0.0f), mean(s_.frames);
    for (int k = 0; k < s_.entities; ++k) {
        std::fill(mean.begin(), mean.end(), 0.0f);
        for (int h = 0; h < s_.heads; ++h) add_times(shares_.data() + at(h, k), 1.0f / static_cast<float>(s_.heads), s_.frames, mean.data());
        add_times(mean.data(), 1.0f, s_.frames, named.data());
        for (int t = 0; t < s_.frames; ++t) attention[static_cast<size_t>(t) * columns + 1 + k] = mean[t];
    }
    for (int t = 0; t < s_.frames; ++t) attention[static_cast<size_t>(t) * columns] = larger(1.0f - named[t], 0.0f);
}

// e to a label's score beyond <no-bias> in one frame
float Attention::weight(int head, int label, int frame) const {
    float score = -nothing(head)[frame];
    for (int d = 0; d < size_; ++d) score += key(head, label)[d] * in_.query[static_cast<size_t>(head * size_ + d) * s_.frames + frame];
    for (int i = phones_[label]; i < phones_[label + 1]; ++i)
        score += in_.nats[head] * share_[i] * in_.heard[static_cast<size_t>(column_[i]) * s_.frames + frame];
    return exp_fast(smaller(score, set_.highest), LOWEST_EXP);
}

// Of the entities that have enough of the frame's attention, each label by its share.
void Attention::add_values(int frame, const float* attention, float* bias) const {
    std::fill(bias, bias + s_.width, 0.0f);
    for (int k = 0; k < s_.entities; ++k) {
        if (attention[1 + k] < in_.least) continue;
        for (int h = 0; h < s_.heads; ++h) {
            const float share = shares_[at(h, k) + frame] / sums_[at(h, k) + frame];
            for (int n = begins_[k]; n < begins_[k + 1]; ++n)
                add_times(in_.values + static_cast<size_t>(n) * s_.width + h * size_, share * weight(h, n, frame), size_, bias + h * size_);
        }
    }
}
}  // namespace

void attend(const AttentionSizes& sizes, const AttentionInput& input, const AttentionSettings& settings, float* bias, float* attention) {
    Attention(sizes, input, settings).run(bias, attention);
}

}  // namespace asrbias
