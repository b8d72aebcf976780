#include "ngram.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "ngram_hash.hpp"

namespace asrbias {

namespace {
constexpr double LN10 = 2.302585092994045684;
constexpr uint32_t KEY = 8, MIDDLE = 16, LONGEST = 12, WORD = 12, UNIGRAM = 8;  // bytes of keys and rows

template <class T>
T load(const uint8_t* at) {  // rows of 12 bytes are not aligned
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}
template <class T>
void store(uint8_t* at, T value) {
    std::memcpy(at, &value, sizeof value);
}
float probability(const uint8_t* value) { return -std::fabs(load<float>(value)); }
float weight(const uint8_t* value) { return load<float>(value + 4); }
}  // namespace

const uint8_t* NGram::Table::find(uint64_t key) const {
    uint64_t at = key % buckets;
    for (uint64_t tries = 0; tries < buckets; ++tries) {  // a broken file may have no empty row
        const uint8_t* row = rows + at * stride;
        const auto found = load<uint64_t>(row);
        if (found == key) return row + KEY;
        if (found == 0) return nullptr;
        if (++at == buckets) at = 0;
    }
    return nullptr;
}

bool NGram::extends(const uint8_t* value) const {
    const float w = weight(value);
    return w != 0.0f || !std::signbit(w);
}

int32_t NGram::find(std::string_view word) const {
    const uint8_t* found = words_.find(hash_word(word));
    if (found == nullptr) return unknown_;
    const auto id = load<uint32_t>(found);
    return id < static_cast<uint32_t>(size_) ? static_cast<int32_t>(id) : unknown_;
}

std::string_view NGram::word(int32_t id) const {
    if (!has_strings()) return {};
    return {strings_ + offsets_[id], static_cast<size_t>(offsets_[id + 1] - offsets_[id] - 1)};
}

NGram::State NGram::begin() const {
    State state{};
    state.words[0] = begin_;
    state.length = order() > 1 && extends(unigrams_ + static_cast<size_t>(begin_) * UNIGRAM) ? 1 : 0;
    return state;
}

double NGram::unigram(int32_t word) const {
    return LN10 * probability(unigrams_ + static_cast<size_t>(word) * UNIGRAM);
}

double NGram::score(const State& from, int32_t word, State* to) const {
    const uint8_t* value = unigrams_ + static_cast<size_t>(word) * UNIGRAM;
    double log10 = probability(value);
    int matched = 0;  // words of the history that the longest n-gram found has
    int kept = extends(value) ? 1 : 0;
    uint64_t key = static_cast<uint64_t>(word);
    const int highest = static_cast<int>(tables_.size());
    for (int used = 1; used <= from.length; ++used) {
        key = combine(key, from.words[used - 1]);
        value = tables_[used - 1].find(key);
        if (value == nullptr) {
            if (gaps_) continue;
            break;
        }
        log10 = probability(value);
        matched = used;
        if (used < highest && extends(value)) kept = used + 1;
    }
    if (matched < from.length) log10 += back_off(from, matched);
    if (to != nullptr) {
        if (highest == 0) kept = 0;
        for (int i = kept - 1; i > 0; --i) to->words[i] = from.words[i - 1];
        if (kept > 0) to->words[0] = word;
        to->length = static_cast<uint8_t>(kept);
    }
    return LN10 * log10;
}

// The weights of the histories that are longer than the words used.
double NGram::back_off(const State& from, int used) const {
    double sum = 0.0;
    uint64_t key = static_cast<uint64_t>(from.words[0]);
    if (used == 0) sum += weight(unigrams_ + static_cast<size_t>(from.words[0]) * UNIGRAM);
    for (int length = 2; length <= from.length; ++length) {
        key = combine(key, from.words[length - 1]);
        if (length <= used) continue;
        if (const uint8_t* value = tables_[length - 2].find(key)) sum += weight(value);
    }
    return sum;
}

NGramBuilder::NGramBuilder(const std::vector<uint64_t>& counts) : added_(counts.size(), 0) {
    if (counts.empty() || counts.size() > NGram::MAX_ORDER)
        throw std::invalid_argument("has order " + std::to_string(counts.size()) + "; orders 1 to 6 are supported");
    model_.counts_ = counts;
    if (counts[0] >= static_cast<uint64_t>(std::numeric_limits<int32_t>::max()))
        throw std::invalid_argument("has more than 2,147,483,646 words");
    const auto room = [&](uint64_t count, uint32_t stride) {
        const uint64_t buckets = count + count / 2 + 1;
        model_.memory_.emplace_back(buckets * stride, uint8_t{0});
        return NGram::Table{model_.memory_.back().data(), buckets, stride};
    };
    model_.words_ = room(counts[0], WORD);
    model_.memory_.emplace_back(counts[0] * UNIGRAM, uint8_t{0});
    model_.unigrams_ = model_.memory_.back().data();
    for (size_t n = 1; n < counts.size(); ++n)
        model_.tables_.push_back(room(counts[n], n + 1 == counts.size() ? LONGEST : MIDDLE));
}

uint8_t* NGramBuilder::insert(NGram::Table& table, uint64_t key) {
    // The rows are this builder's own memory.
    auto* rows = const_cast<uint8_t*>(table.rows);
    for (uint64_t at = key % table.buckets;;) {
        uint8_t* row = rows + at * table.stride;
        const auto found = load<uint64_t>(row);
        if (found == key) return nullptr;
        if (found == 0) {
            store(row, key);
            return row + KEY;
        }
        if (++at == table.buckets) at = 0;
    }
}

void NGramBuilder::check(float probability, float back_off) {
    if (!std::isfinite(probability)) throw std::invalid_argument("has a log probability that is not a finite number");
    if (probability > 0) throw std::invalid_argument("has a log probability above 0");
    if (!std::isfinite(back_off)) throw std::invalid_argument("has a back-off weight that is not a finite number");
}

void NGramBuilder::add_word(std::string_view word, float log10_probability, float log10_back_off) {
    check(log10_probability, log10_back_off);
    if (word.empty()) throw std::invalid_argument("is an empty word");
    if (added_[0] == model_.counts_[0]) throw std::invalid_argument("is one more than was counted");
    uint8_t* value = insert(model_.words_, hash_word(word));
    if (value == nullptr) throw std::invalid_argument("is listed twice");
    store(value, static_cast<uint32_t>(added_[0]));
    auto* unigram = const_cast<uint8_t*>(model_.unigrams_) + added_[0] * UNIGRAM;
    store(unigram, log10_probability);
    store(unigram + 4, log10_back_off == 0.0f ? -0.0f : log10_back_off);
    model_.offsets_.push_back(strings_.size());
    strings_.append(word).push_back('\0');
    ++added_[0];
}

int32_t NGramBuilder::find(std::string_view word) const {
    const uint8_t* found = model_.words_.find(hash_word(word));
    return found == nullptr ? -1 : static_cast<int32_t>(load<uint32_t>(found));
}

void NGramBuilder::add(const int32_t* ids, int order, float log10_probability, float log10_back_off) {
    check(log10_probability, log10_back_off);
    const auto highest = static_cast<int>(model_.counts_.size());
    if (order == highest && log10_back_off != 0.0f)
        throw std::invalid_argument("has a back-off weight, but nothing is longer");
    if (added_[order - 1] == model_.counts_[order - 1]) throw std::invalid_argument("is one more than was counted");
    uint64_t key = static_cast<uint64_t>(ids[order - 1]), suffix = 0;
    for (int i = order - 2; i >= 0; --i) suffix = key, key = combine(key, ids[i]);
    uint64_t history = static_cast<uint64_t>(ids[order - 2]);
    for (int i = order - 3; i >= 0; --i) history = combine(history, ids[i]);

    // A history must be able to say that it is continued; a missing suffix only costs speed.
    const uint8_t* before =
        order == 2 ? model_.unigrams_ + static_cast<size_t>(ids[0]) * UNIGRAM : model_.tables_[order - 3].find(history);
    if (before == nullptr) throw std::invalid_argument("has a history that is not listed itself");
    if (weight(before) == 0.0f) store(const_cast<uint8_t*>(before) + 4, 0.0f);
    if (order > 2 && model_.tables_[order - 3].find(suffix) == nullptr) model_.gaps_ = true;
    uint8_t* value = insert(model_.tables_[order - 2], key);
    if (value == nullptr) throw std::invalid_argument("is listed twice");
    store(value, log10_probability);
    if (order < highest) store(value + 4, log10_back_off == 0.0f ? -0.0f : log10_back_off);
    ++added_[order - 1];
}

NGram NGramBuilder::finish() {
    for (size_t n = 0; n < added_.size(); ++n)
        if (added_[n] != model_.counts_[n])
            throw std::invalid_argument("holds " + std::to_string(added_[n]) + " " + std::to_string(n + 1) +
                                        "-grams where " + std::to_string(model_.counts_[n]) + " were counted");
    model_.size_ = static_cast<int32_t>(added_[0]);
    model_.offsets_.push_back(strings_.size());
    model_.memory_.emplace_back(strings_.begin(), strings_.end());
    model_.strings_ = reinterpret_cast<const char*>(model_.memory_.back().data());
    const auto special = [&](const char* word) {
        const int32_t id = find(word);
        if (id < 0) throw std::invalid_argument(std::string("has no ") + word);
        return id;
    };
    model_.unknown_ = find("<unk>") < 0 && find("<UNK>") >= 0 ? find("<UNK>") : special("<unk>");
    model_.begin_ = special("<s>");
    model_.end_ = special("</s>");
    return std::move(model_);
}

}  // namespace asrbias
