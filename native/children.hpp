// The children of a node of a trie over symbols. They are numbered one after the other in the order of their symbols, from
// `first` on; `bits` are those of their symbols.
#pragma once
#include <algorithm>
#include <cstdint>

#include "vocabulary.hpp"

namespace asrbias {

constexpr int32_t NO_CHILD = 0;  // node 0 is nobody's child
constexpr int DENSE = 64;        // symbols of an alphabet, up to which each has a bit of its own

inline uint64_t symbol_bit(Symbol c) { return uint64_t{1} << (c & 63); }

inline int count_bits(uint64_t x) {  // not every processor that this is compiled for has an instruction for it
    x -= (x >> 1) & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    return static_cast<int>((((x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu) * 0x0101010101010101u) >> 56);
}

// In a dense alphabet: the bits tell which child it is, and no other memory is touched.
inline int32_t find_child(uint64_t bits, int32_t first, Symbol c) {
    const uint64_t bit = symbol_bit(c);
    return (bits & bit) == 0 ? NO_CHILD : first + count_bits(bits & (bit - 1));
}

// In any alphabet. symbols: of each node; last: the next node's first child.
inline int32_t find_child(uint64_t bits, int32_t first, Symbol c, const Symbol* symbols, int32_t last) {
    if ((bits & symbol_bit(c)) == 0) return NO_CHILD;
    const Symbol* child = std::lower_bound(symbols + first, symbols + last, c);
    return child < symbols + last && *child == c ? static_cast<int32_t>(child - symbols) : NO_CHILD;
}

}  // namespace asrbias
