// KenLM's binary files, format version 5 (Heafield 2011): "probing" tables are used where they lie, a plain trie is
// copied into such tables. Nothing in the file is trusted: sizes, ids and values are checked before any look-up.
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "ngram.hpp"
#include "ngram_hash.hpp"

namespace asrbias {

namespace {
constexpr std::string_view MAGIC = "mmap lm http://kheafield.com/code", VERSION = " format version 5\n",
                           UNFINISHED = " incomplete";
constexpr const char* KINDS[] = {
    "probing",        "probing with rest costs",       "trie",
    "quantised trie", "trie with compressed pointers", "quantised trie with compressed pointers"};
constexpr int PROBING = 0, TRIE = 2;
constexpr size_t SANITY = 56, PARAMETERS = 88, COUNTS = 108;  // where in the file these begin

[[noreturn]] void broken(const std::string& what) { throw std::invalid_argument("it is a KenLM binary that " + what); }

// A file's bytes, never past their end.
struct Bytes {
    const uint8_t* data;
    uint64_t size, at;
    const uint8_t* take(uint64_t wanted) {
        if (at > size || wanted > size - at)
            broken("is cut short: " + std::to_string(size) + " bytes are too few for what its head announces");
        at += wanted;
        return data + at - wanted;
    }
    template <class T>
    T read() {
        T value;
        std::memcpy(&value, take(sizeof value), sizeof value);
        return value;
    }
};

int bits_for(uint64_t largest) {
    int bits = 0;
    for (; largest != 0; largest >>= 1) ++bits;
    return bits;
}

// Entries of `bits` bits each, with their fields from the lowest bit up.
struct Packed {
    const uint8_t* base;
    int bits;
    uint64_t field(uint64_t entry, int offset, int width) const {  // width at most 57
        const uint64_t at = entry * static_cast<uint64_t>(bits) + static_cast<uint64_t>(offset);
        uint64_t word;
        std::memcpy(&word, base + at / 8, sizeof word);
        return (word >> (at % 8)) & ((uint64_t{1} << width) - 1);
    }
    float real(uint64_t entry, int offset, int width, uint32_t set = 0) const {
        const uint32_t word = static_cast<uint32_t>(field(entry, offset, width)) | set;
        float value;
        std::memcpy(&value, &word, sizeof value);
        return value;
    }
};
}  // namespace

class KenLMReader {
  public:
    KenLMReader(const uint8_t* data, size_t size) : file_{data, size, 0} {}

    NGram read() {
        read_head();
        NGram model = kind_ == PROBING ? read_probing() : read_trie();
        model.unknown_ = 0;
        read_strings(model);
        model.begin_ = model.find("<s>");
        model.end_ = model.find("</s>");
        if (model.begin_ == 0 || model.end_ == 0) broken("has no <s> or no </s>");
        check_values(model);
        return model;
    }

  private:
    void read_head() {
        const std::string_view head(reinterpret_cast<const char*>(file_.data), std::min<size_t>(file_.size, SANITY));
        if (head.substr(MAGIC.size(), UNFINISHED.size()) == UNFINISHED) broken("was not written to its end");
        if (file_.size < COUNTS) broken("is cut short");
        if (head.substr(MAGIC.size(), VERSION.size()) != VERSION) broken("has a format other than version 5");
        file_.at = SANITY;
        const float zero = file_.read<float>(), one = file_.read<float>(), half = file_.read<float>();
        const uint32_t first = file_.read<uint32_t>(), last = file_.read<uint32_t>();
        file_.at = PARAMETERS - sizeof(uint64_t);
        if (zero != 0.0f || one != 1.0f || half != -0.5f || first != 1 ||
            last != std::numeric_limits<uint32_t>::max() || file_.read<uint64_t>() != 1)
            broken("was written on a machine with another byte order, or is damaged");
        const int order = file_.read<uint8_t>();
        file_.at = PARAMETERS + 4;
        multiplier_ = file_.read<float>();
        kind_ = static_cast<int>(std::min<uint32_t>(file_.read<uint32_t>(), 6));
        has_strings_ = file_.read<uint8_t>() != 0;
        if (kind_ == 6) broken("is of a kind unknown here");
        if (kind_ != PROBING && kind_ != TRIE)
            broken(std::string("is of the kind \"") + KINDS[kind_] +
                   "\"; only probing and plain trie are read, so use the ARPA file, or build_binary probing");
        if (order < 2 || order > NGram::MAX_ORDER)
            broken("has order " + std::to_string(order) + "; orders 2 to 6 are supported");
        if (!(multiplier_ >= 1.0f && multiplier_ <= 1000.0f)) broken("has a damaged head");
        file_.at = COUNTS;
        for (int n = 0; n < order; ++n) {
            counts_.push_back(file_.read<uint64_t>());
            if (counts_.back() > file_.size / 4)
                broken("is cut short or damaged: it announces more n-grams than it has bytes");
        }
        if (counts_[0] >= static_cast<uint64_t>(std::numeric_limits<int32_t>::max()))
            broken("has more than 2,147,483,646 words");
        file_.at = (file_.at + 7) / 8 * 8;
    }

    NGram::Table table(uint64_t count, uint32_t stride) {
        const auto wanted = static_cast<uint64_t>(multiplier_ * static_cast<float>(count));
        const uint64_t buckets = std::max(count + 1, wanted);
        return {file_.take(buckets * stride), buckets, stride};
    }

    NGram read_probing() {
        NGram model;
        model.counts_ = counts_;
        if (file_.read<uint32_t>() != 0) broken("has a vocabulary of an unknown version");
        const auto words = file_.read<uint32_t>();
        if (words < 3 || words > counts_[0] + 1) broken("is damaged: its number of words is impossible");
        model.size_ = static_cast<int32_t>(words);
        model.words_ = table(counts_[0], 12);
        model.unigrams_ = file_.take((counts_[0] + 1) * 8);
        for (size_t n = 1; n < counts_.size(); ++n)
            model.tables_.push_back(table(counts_[n], n + 1 == counts_.size() ? 12 : 16));
        return model;
    }

    // Words are numbered by the order of their hashes, from 1; 0 is <unk>. The trie goes from the last word back.
    NGram read_trie() {
        NGramBuilder builder(counts_);
        NGram& model = builder.model_;
        const auto words = file_.read<uint64_t>();
        if (words + 1 < 3 || words + 1 > counts_[0]) broken("is damaged: its number of words is impossible");
        model.size_ = static_cast<int32_t>(words + 1);
        const uint8_t* hashes = file_.take(8 * counts_[0]);
        for (uint32_t id = 1; id <= words; ++id) {
            uint64_t hash;
            std::memcpy(&hash, hashes + 8 * (id - 1), 8);
            store(builder, model.words_, hash, &id, sizeof id);
        }
        const uint8_t* unigrams = file_.take((counts_[0] + 2) * 16);
        std::vector<uint64_t> keys, ends;  // of the order before: n-grams, and where their children end
        for (uint64_t id = 0; id < words + 1; ++id) {
            std::memcpy(const_cast<uint8_t*>(model.unigrams_) + 8 * id, unigrams + 16 * id, 8);
            keys.push_back(id);
            ends.emplace_back();
            std::memcpy(&ends.back(), unigrams + 16 * (id + 1) + 8, 8);
        }
        for (size_t n = 1; n < counts_.size(); ++n) read_level(builder, n, keys, ends);
        return std::move(model);
    }

    void read_level(NGramBuilder& builder, size_t n, std::vector<uint64_t>& keys, std::vector<uint64_t>& ends) {
        const bool longest = n + 1 == counts_.size();
        const int word_bits = bits_for(counts_[0]), next_bits = longest ? 0 : bits_for(counts_[n + 1]);
        const int bits = word_bits + (longest ? 31 : 63 + next_bits);
        const Packed packed{file_.take(((counts_[n] + 1) * static_cast<uint64_t>(bits) + 7) / 8 + 8), bits};
        std::vector<uint64_t> children, children_ends;
        uint64_t entry = 0;
        for (size_t parent = 0; parent < keys.size(); ++parent) {
            if (ends[parent] < entry || ends[parent] > counts_[n]) broken("is damaged: its pointers lead outside");
            for (; entry < ends[parent]; ++entry) {
                const uint64_t word = packed.field(entry, 0, word_bits);
                if (word >= static_cast<uint64_t>(builder.model_.size_))
                    broken("is damaged: it has an impossible word");
                const float value[2] = {packed.real(entry, word_bits, 31, 0x80000000u),
                                        longest ? 0.0f : packed.real(entry, word_bits + 31, 32)};
                const uint64_t key = combine(keys[parent], static_cast<int32_t>(word));
                store(builder, builder.model_.tables_[n - 1], key, value, longest ? 4 : 8);
                if (longest) continue;
                children.push_back(key);
                children_ends.push_back(packed.field(entry + 1, word_bits + 63, next_bits));
            }
        }
        keys.swap(children);
        ends.swap(children_ends);
    }

    static void store(NGramBuilder& builder, NGram::Table& table, uint64_t key, const void* value, size_t bytes) {
        uint8_t* row = key == 0 ? nullptr : builder.insert(table, key);
        if (row == nullptr) broken("is damaged: it lists something twice");
        std::memcpy(row, value, bytes);
    }

    // They are at the file's end, each closed by a zero, <unk> first.
    void read_strings(NGram& model) const {
        if (!has_strings_) return;
        model.strings_ = reinterpret_cast<const char*>(file_.data + file_.at);
        const uint64_t size = file_.size - file_.at;
        uint64_t at = 0;
        for (int32_t id = 0; id < model.size_; ++id) {
            const void* end = std::memchr(model.strings_ + at, 0, size - at);
            if (end == nullptr) broken("is cut short: its words' strings are not all there");
            model.offsets_.push_back(at);
            at = static_cast<uint64_t>(static_cast<const char*>(end) - model.strings_) + 1;
        }
        model.offsets_.push_back(at);
        for (int32_t id = 0; id < model.size_; ++id)
            if (model.find(model.word(id)) != id) broken("is damaged: its words and their numbers do not agree");
    }

    static void check_values(const NGram& model) {
        const auto check = [](const uint8_t* value, bool weighted) {
            float numbers[2] = {0.0f, 0.0f};
            std::memcpy(numbers, value, weighted ? 8 : 4);
            if (!std::isfinite(numbers[0]) || !std::isfinite(numbers[1]))
                broken("is damaged: it has a value that is not a finite number");
        };
        for (int32_t id = 0; id < model.size_; ++id) check(model.unigrams_ + 8 * static_cast<size_t>(id), true);
        for (const NGram::Table& table : model.tables_)
            for (uint64_t row = 0; row < table.buckets; ++row)
                check(table.rows + row * table.stride + 8, table.stride == 16);
    }

    Bytes file_;
    float multiplier_ = 0;
    int kind_ = 0;
    bool has_strings_ = false;
    std::vector<uint64_t> counts_;
};

NGram read_kenlm(const uint8_t* bytes, size_t size) { return KenLMReader(bytes, size).read(); }

}  // namespace asrbias
