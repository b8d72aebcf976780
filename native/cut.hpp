// Where the best of many scores begin, by counting: a few passes that need no branch, and nothing is moved.
#pragma once

namespace asrbias {

struct Cut {
    float low, high;  // `found` scores are `high` or more, too many `low` or more
    int found;
};

// `from(x)` tells how many scores are x or more: more than `wanted` for `low`, no more for `high`. Ends when `enough` of them
// are found, or where scores are too much alike to tell them apart.
template <class From>
Cut find_cut(float low, float high, int wanted, float enough, const From& from) {
    constexpr int HALVINGS = 40;
    Cut cut{low, high, 0};
    for (int n = 0; n < HALVINGS && cut.found < enough * wanted; ++n) {
        const float middle = 0.5f * (cut.low + cut.high);
        const int some = from(middle);
        (some > wanted ? cut.low : cut.high) = middle;
        if (some <= wanted) cut.found = some;
    }
    return cut;
}

}  // namespace asrbias
