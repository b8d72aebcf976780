#include "nbest.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace asrbias {

namespace {

NBest::SpokenWord spoken(const Word& word, const Alignment& alignment) {
    double sum = 0.0;
    for (int32_t t = word.first_token; t <= word.last_token; ++t) sum += alignment.peak[t];
    const double mean = sum / (word.last_token + 1 - word.first_token);
    return {static_cast<double>(alignment.first[word.first_token]), static_cast<double>(alignment.last[word.last_token] + 1),
            std::min(1.0, std::exp(mean)), word.phrase, word.phrase_first, word.phrase_last};
}

}  // namespace

NBest::NBest(const std::vector<Result>& results, const Vocabulary& vocabulary) {
    size_t all_tokens = 0, all_words = 0;
    for (const Result& one : results) all_tokens += one.found.tokens.size(), all_words += one.words.size();
    for (auto* of_tokens : {&tokens, &first, &last}) of_tokens->reserve(all_tokens);
    words.reserve(all_words);
    scores.reserve(results.size());
    texts.reserve(results.size());
    for (auto* begin : {&token_begin, &word_begin}) begin->reserve(results.size() + 1), begin->push_back(0);
    for (const Result& one : results) {
        scores.push_back({one.found.acoustic, one.found.bias, one.found.lm});
        tokens.insert(tokens.end(), one.found.tokens.begin(), one.found.tokens.end());
        first.insert(first.end(), one.alignment.first.begin(), one.alignment.first.end());
        last.insert(last.end(), one.alignment.last.begin(), one.alignment.last.end());
        for (const Word& word : one.words) words.push_back(spoken(word, one.alignment));
        texts.push_back(vocabulary.text(one.found.tokens));
        token_begin.push_back(tokens.size());
        word_begin.push_back(words.size());
    }
    tell_words();
}

// Texts of one n-best share most of their words.
void NBest::tell_words() {
    std::unordered_map<std::string, int32_t> known;
    spelled_begin.push_back(0);
    for (const std::string& text : texts) {
        for (size_t from = 0, to; from < text.size(); from = to + 1) {
            to = std::min(text.find(' ', from), text.size());
            const auto [place, fresh] = known.try_emplace(text.substr(from, to - from), static_cast<int32_t>(distinct.size()));
            if (fresh) distinct.push_back(place->first);
            spelled.push_back(place->second);
        }
        spelled_begin.push_back(spelled.size());
    }
}

}  // namespace asrbias
