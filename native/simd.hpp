// Loops over flat float arrays: compiled for several instruction sets where the compiler can choose among them at run time,
// and exp and log that it can vectorise.
#pragma once
#include <cstdint>
#include <cstring>

// Of older GCCs the one for any x86-64 is taken; "arch=haswell" and the like would ask for that very processor.
#if defined(__x86_64__) && defined(__ELF__) && defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define ASRBIAS_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ASRBIAS_CLONES
#endif
#if defined(__GNUC__)
#define ASRBIAS_INLINE static inline __attribute__((always_inline))
#else
#define ASRBIAS_INLINE static inline
#endif

namespace asrbias {

ASRBIAS_INLINE float larger(float a, float b) { return a > b ? a : b; }
ASRBIAS_INLINE float smaller(float a, float b) { return a < b ? a : b; }

// The place of the lowest bit that is set; x is not 0.
ASRBIAS_INLINE int lowest_bit(uint64_t x) {
#if defined(__GNUC__)
    return __builtin_ctzll(x);
#else
    int place = 0;
    for (; !(x & 1); x >>= 1) ++place;
    return place;
#endif
}

constexpr float LOWEST_EXP = -87.0f;  // nats: e to this is a normal number

// e^x to 2e-7 of itself, for x up to 88; below `lowest` what e^lowest is. (Were it a constant, the compiler would make a
// branch of it, and vectorise nothing.)
ASRBIAS_INLINE float exp_fast(float x, float lowest) {
    const float within = larger(x, lowest);
    const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
    const float whole = (within * 1.44269504088896341f + shift) - shift;
    const float rest = (within - whole * 0.693359375f) + whole * 2.12194440e-4f;
    float sum = 1.9875691500e-4f;
    sum = sum * rest + 1.3981999507e-3f;
    sum = sum * rest + 8.3334519073e-3f;
    sum = sum * rest + 4.1665795894e-2f;
    sum = sum * rest + 1.6666665459e-1f;
    sum = sum * rest + 5.0000001201e-1f;
    sum = sum * rest * rest + rest + 1.0f;
    const int32_t bits = (static_cast<int32_t>(whole) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, sizeof power);
    return sum * power;
}

// Natural logarithm of a normal number above 0, to 2e-7 (absolute, or of itself where that is more).
ASRBIAS_INLINE float log_fast(float x) {
    int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    const int32_t exponent = (bits - 0x3f3504f3) >> 23;  // so that the rest is from sqrt(1/2) to sqrt(2)
    const int32_t mantissa = bits - exponent * (1 << 23);
    float m;
    std::memcpy(&m, &mantissa, sizeof m);
    const float r = m - 1.0f, square = r * r, e = static_cast<float>(exponent);
    float sum = 7.0376836292e-2f;
    sum = sum * r - 1.1514610310e-1f;
    sum = sum * r + 1.1676998740e-1f;
    sum = sum * r - 1.2420140846e-1f;
    sum = sum * r + 1.4249322787e-1f;
    sum = sum * r - 1.6668057665e-1f;
    sum = sum * r + 2.0000714765e-1f;
    sum = sum * r - 2.4999993993e-1f;
    sum = sum * r + 3.3333331174e-1f;
    return (sum * r * square + (e * -2.12194440e-4f - 0.5f * square)) + r + e * 0.693359375f;
}

}  // namespace asrbias
