// The hashes of KenLM's binary files: of a word, and of an n-gram from its last word back.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

namespace asrbias {

// MurmurHash64A (Austin Appleby, public domain), seed 0.
inline uint64_t hash_word(std::string_view word) {
    constexpr uint64_t m = 0xc6a4a7935bd1e995ULL;
    constexpr int r = 47;
    uint64_t h = word.size() * m;
    size_t i = 0;
    for (; i + 8 <= word.size(); i += 8) {
        uint64_t k;
        std::memcpy(&k, word.data() + i, 8);
        k *= m;
        k ^= k >> r;
        h ^= k * m;
        h *= m;
    }
    if (i < word.size()) {
        uint64_t tail = 0;
        for (size_t j = word.size(); j-- > i;) tail = (tail << 8) | static_cast<unsigned char>(word[j]);
        h ^= tail;
        h *= m;
    }
    h ^= h >> r;
    h *= m;
    return h ^ (h >> r);
}

// The key of an n-gram, from the key of all but its first word (a word's key is its id) and that first word.
inline uint64_t combine(uint64_t key, int32_t before) {
    return (key * 8978948897894561157ULL) ^ ((uint64_t{1} + static_cast<uint32_t>(before)) * 17894857484156487943ULL);
}

}  // namespace asrbias
