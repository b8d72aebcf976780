#include "words.hpp"

namespace asrbias {

namespace {
struct Parse {  // of the words up to some word's end
    double best = 0.0;
    int32_t phrase = -1;  // that ends here, or none
    int32_t words = 1;    // that it spans
};

Parse best_parse(const Automaton& automaton, int32_t state, const std::vector<Parse>& before) {
    Parse parse{before.back().best, -1, 1};
    // Longest first, so `>=` only for the first keeps the longer of equal phrases.
    for (int32_t s = automaton[state].output; s != Automaton::ROOT; s = automaton[automaton[s].fail].output) {
        const int32_t phrase = automaton[s].phrase, words = automaton[s].words;
        if (automaton.bonus(phrase) < 0) continue;
        const double value = before[before.size() - words].best + automaton.bonus(phrase);
        if (value > parse.best || (parse.phrase < 0 && value >= parse.best)) parse = {value, phrase, words};
    }
    return parse;
}
}  // namespace

std::vector<Word> find_words(const Vocabulary& vocabulary, const Automaton* automaton,
                             const std::vector<int32_t>& tokens) {
    std::vector<Word> words;
    std::vector<Parse> parses(1);
    int32_t state = Automaton::START;
    bool inside = false;
    const auto close = [&] {
        if (inside && automaton != nullptr) parses.push_back(best_parse(*automaton, state, parses));
        inside = false;
    };
    for (int32_t t = 0; t < static_cast<int32_t>(tokens.size()); ++t) {
        for (const Symbol* c = vocabulary.begin(tokens[t]); c != vocabulary.end(tokens[t]); ++c) {
            if (*c == SEPARATOR) {
                if (!inside) continue;
                close();
            } else {
                if (!inside) words.push_back({t, t});
                inside = true;
                words.back().last_token = t;
            }
            if (automaton != nullptr) state = automaton->step(state, *c);
        }
    }
    close();
    for (size_t end = parses.size() - 1; automaton != nullptr && end > 0; end -= parses[end].words) {
        if (parses[end].phrase < 0) continue;
        const auto first = static_cast<int32_t>(end) - parses[end].words, last = static_cast<int32_t>(end) - 1;
        for (int32_t w = first; w <= last; ++w) words[w].phrase = parses[end].phrase, words[w].phrase_first = first, words[w].phrase_last = last;
    }
    return words;
}

}  // namespace asrbias
