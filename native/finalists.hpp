// Of the pronunciations that were aligned, those of the entities that fit best (asrbias/shortlist.py).
#pragma once
#include <cstdint>

namespace asrbias {

// rows [M] in order, owners [R] the entity of each row, in order too; scores [M]. An entity is as good as its best row. The
// places in `rows` of all rows of the `most` best entities -> kept [M], in order, and how many they are. Of entities that are
// equally good the first.
int keep_best(const int32_t* owners, const int32_t* rows, const float* scores, int count, int most, int32_t* kept);

}  // namespace asrbias
