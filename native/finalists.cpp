#include "finalists.hpp"

#include <algorithm>
#include <vector>

#include "cut.hpp"
#include "simd.hpp"

namespace asrbias {

namespace {
ASRBIAS_CLONES int count_from(const float* scores, int count, float least) {
    int all = 0;
    for (int n = 0; n < count; ++n) all += scores[n] >= least;
    return all;
}
}  // namespace

int keep_best(const int32_t* owners, const int32_t* rows, const float* scores, int count, int most, int32_t* kept) {
    std::vector<float> best(count);
    std::vector<int32_t> entity(count);  // of each row, counted from 0
    int entities = 0;
    for (int n = 0, before = -1; n < count; ++n) {
        const int owner = owners[rows[n]];
        if (owner != before) best[entities++] = scores[n];
        before = owner;
        entity[n] = entities - 1;
        best[entities - 1] = larger(best[entities - 1], scores[n]);
    }
    int size = 0;
    if (entities <= most) {
        for (int n = 0; n < count; ++n) kept[size++] = n;
        return size;
    }
    const auto [lowest, highest] = std::minmax_element(best.begin(), best.begin() + entities);
    const Cut cut = find_cut(*lowest - 1.0f, *highest + 1.0f, most, 1.0f, [&](float least) { return count_from(best.data(), entities, least); });
    int alike = most - cut.found;  // that may be kept of those below `high`
    for (int n = 0; n < count; ++n) {
        const float score = best[entity[n]];
        const bool first = n == 0 || entity[n] != entity[n - 1], again = !first && size > 0 && kept[size - 1] == n - 1;
        if (score >= cut.high || (score >= cut.low && (first ? alike-- > 0 : again))) kept[size++] = n;
    }
    return size;
}

}  // namespace asrbias
