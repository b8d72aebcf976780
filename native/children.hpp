// The children of a node of a trie over symbols. They are numbered one after the other in the order of their symbols, from
// `first` on; `bits` are those of their symbols. In an alphabet that is not dense nodes are numbered breadth-first, so the
// children end where the next node's begin.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

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

// New numbers for the nodes of a trie in a dense alphabet, which was numbered breadth-first: a node's children are
// followed by all that is below the first of them. Most nodes have one child, so a word's later characters lie side by side
// in memory. nodes: and one more; those up to `root` keep their numbers.
template <class Node>
std::vector<int32_t> depth_first(const std::vector<Node>& nodes, int32_t root) {
    std::vector<int32_t> numbers(nodes.size()), open{root};
    for (int32_t n = 0; n <= root; ++n) numbers[n] = n;
    int32_t next = root + 1;
    while (!open.empty()) {
        const int32_t node = open.back(), first = nodes[node].first_child, last = nodes[node + 1].first_child;
        open.pop_back();
        for (int32_t child = first; child < last; ++child) numbers[child] = next++;
        for (int32_t child = last - 1; child >= first; --child) open.push_back(child);
    }
    numbers.back() = static_cast<int32_t>(nodes.size()) - 1;
    return numbers;
}

// In any alphabet. symbols: of each node; last: the next node's first child.
inline int32_t find_child(uint64_t bits, int32_t first, Symbol c, const Symbol* symbols, int32_t last) {
    if ((bits & symbol_bit(c)) == 0) return NO_CHILD;
    const Symbol* child = std::lower_bound(symbols + first, symbols + last, c);
    return child < symbols + last && *child == c ? static_cast<int32_t>(child - symbols) : NO_CHILD;
}

}  // namespace asrbias
