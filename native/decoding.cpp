#include "decoding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "guard.hpp"

namespace asrbias {

namespace {

constexpr float HIGHEST = 1e-3f;  // half precision may round a log probability up to a little above 0

// One clear sentence for a row with a value that no log probability has.
[[noreturn]] void refuse(const float* row, int size, int frame) {
    const std::string where = " at frame " + std::to_string(frame);
    float largest = row[0];
    for (int v = 0; v < size; ++v) {
        if (std::isnan(row[v]))
            throw std::invalid_argument("log_probs holds NaN" + where + ": every value must be a log probability; "
                                        "look for an overflow in the model or for broken audio");
        largest = std::max(largest, row[v]);
    }
    if (std::isinf(largest) && largest > 0)
        throw std::invalid_argument("log_probs holds +inf" + where + ": a log probability is at most 0; -inf is allowed");
    if (largest > HIGHEST)
        throw std::invalid_argument("log_probs holds " + std::to_string(largest) + where + ", and a log probability is "
                                    "at most 0: these look like probabilities or logits; give the output of log_softmax");
    throw std::invalid_argument("log_probs is -inf for every label" + where + ": at least one label must be possible");
}

}  // namespace

void check_values(const float* values, int frames, int size, int first) {
    for (int t = 0; t < frames; ++t) {
        const float* row = values + static_cast<size_t>(t) * size;
        int bad = 0, possible = 0;
        for (int v = 0; v < size; ++v) {  // without a branch: the compiler makes vector instructions of it
            bad |= !(row[v] <= HIGHEST);
            possible |= row[v] >= std::numeric_limits<float>::lowest();
        }
        if (bad || !possible) refuse(row, size, first + t);
    }
}

namespace {

void step(Search* search, const float* row, int frame) {
    if (!search->step(row))
        throw std::invalid_argument("no label sequence is possible up to frame " + std::to_string(frame) +
                                    ": log_probs gives -inf to the blank and to every token that could stand there");
}

std::vector<Result> results_of(const Search& search, const Vocabulary& vocabulary, const float* values, int frames) {
    std::vector<Result> results;
    for (Found& found : search.finish()) {
        Result result;
        result.alignment = align(values, frames, vocabulary.size(), vocabulary.blank(), found.tokens);
        result.words = find_words(vocabulary, found.tokens, found.parse);
        result.found = std::move(found);
        results.push_back(std::move(result));
    }
    return results;
}

std::vector<Result> search_one(const Vocabulary& vocabulary, const Automaton* automaton, const LmTrie* lm,
                               const SearchOptions& options, const std::vector<int32_t>& unpaid, const float* values, int frames) {
    const int size = vocabulary.size();
    Search search(vocabulary, automaton, lm, options, unpaid);
    for (int t = 0; t < frames; ++t) step(&search, values + static_cast<size_t>(t) * size, t);
    return results_of(search, vocabulary, values, frames);
}

}  // namespace

std::vector<Result> decode_one(const Vocabulary& vocabulary, const Automaton* automaton, const LmTrie* lm,
                               const SearchOptions& options, const float* values, int frames) {
    check_values(values, frames, vocabulary.size());
    std::vector<int32_t> unpaid;
    if (automaton == nullptr || !options.guard.on()) return search_one(vocabulary, automaton, lm, options, unpaid, values, frames);
    const Guard guard(*automaton, options.guard, values, frames, vocabulary.size(), vocabulary.blank());
    for (;;) {
        std::vector<Result> results = search_one(vocabulary, automaton, lm, options, unpaid, values, frames), sound;
        std::vector<int32_t> failing;
        for (Result& result : results) {
            const auto fails = guard.failing(result.words, result.found.tokens, result.alignment, unpaid);
            if (&result == &results[0]) failing = fails;
            if (fails.empty()) sound.push_back(std::move(result));
        }
        if (failing.empty()) return sound;
        unpaid.insert(unpaid.end(), failing.begin(), failing.end());
    }
}

Stream::Stream(const Vocabulary& vocabulary, const Automaton* automaton, const LmTrie* lm, const SearchOptions& options)
    : vocabulary_(vocabulary), automaton_(automaton), lm_(lm), options_(options),
      search_(vocabulary, automaton, lm, options_, {}) {}

void Stream::push(const float* values, int frames) {
    const int size = vocabulary_.size();
    for (int t = 0; t < frames; ++t) {
        const float* row = values + static_cast<size_t>(t) * size;
        check_values(row, 1, size, frames_);
        step(&search_, row, frames_);
        values_.insert(values_.end(), row, row + size);
        ++frames_;
    }
}

std::vector<int32_t> Stream::best() const {
    std::vector<Found> found = search_.finish();
    return found.empty() ? std::vector<int32_t>{} : std::move(found[0].tokens);
}

std::vector<Result> Stream::finish() const {
    if (automaton_ != nullptr && options_.guard.on())
        return decode_one(vocabulary_, automaton_, lm_, options_, values_.data(), frames_);
    return results_of(search_, vocabulary_, values_.data(), frames_);
}

}  // namespace asrbias
