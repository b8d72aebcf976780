// Where in a text listed entities would stand: for which of its words, and in which of their spellings.
#pragma once
#include <cstdint>
#include <vector>

#include "exchange.hpp"

namespace asrbias {

// An entity's matching forms, spelled within a text and at the beginning of one. One without words cannot be spelled.
struct Forms {
    std::vector<Words> inside, leading;
};

// An entity that may have been said in frames first .. last, both included.
struct Sought {
    int32_t first, last;
    const Forms* forms;
};

struct Place {
    double gain = IMPOSSIBLE;            // nats: log probability of the text with it, less that of the text as it is
    int32_t form = -1, first = 0, last = 0;  // which form, for words first .. last - 1; form -1: it cannot stand anywhere
};

struct PlaceOptions {
    int edges;   // word boundaries that are tried for each edge of a place, the nearest ones
    int margin;  // frames that these may be away (all but the nearest), and the labels may lie outside the place
};

// The best place of each. starts, ends: frames of the text's words; leads: nothing stands before its first one. On a tie the nearest boundaries, then the first form.
std::vector<Place> find_places(const Exchange& text, const std::vector<double>& starts, const std::vector<double>& ends,
                               bool leads, const std::vector<Sought>& sought, const PlaceOptions& options);

// Boundaries between words, 0 .. the number of words, that are near a frame, the nearest first.
std::vector<int> near_boundaries(const std::vector<double>& starts, const std::vector<double>& ends, double frame,
                                 const PlaceOptions& options);

}  // namespace asrbias
