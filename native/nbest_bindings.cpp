// Python's view of an n-best: numbers become Python's own only for the hypothesis that is asked for.
#include "nbest_bindings.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "nbest.hpp"
#include "phonescore.hpp"

namespace nb = nanobind;
using namespace asrbias;

namespace {

void check(const NBest& found, size_t number) {
    if (number >= found.scores.size()) throw std::out_of_range("there is no such hypothesis");
}

// The tuple of make(i) for i in [begin, end); make returns a new reference.
template <typename Make>
nb::tuple tuple_of(size_t begin, size_t end, const Make& make) {
    const auto size = static_cast<Py_ssize_t>(end - begin);
    auto made = nb::steal<nb::tuple>(PyTuple_New(size));
    if (!made.is_valid()) nb::raise_python_error();
    for (Py_ssize_t i = 0; i < size; ++i) {
        PyObject* one = make(begin + i);
        if (one == nullptr) nb::raise_python_error();
        PyTuple_SetItem(made.ptr(), i, one);
    }
    return made;
}

nb::tuple tokens(const NBest& found, size_t number) {
    check(found, number);
    return tuple_of(found.token_begin[number], found.token_begin[number + 1],
                    [&](size_t i) { return PyLong_FromLong(found.tokens[i]); });
}

nb::tuple frames(const NBest& found, size_t number) {
    check(found, number);
    return tuple_of(found.token_begin[number], found.token_begin[number + 1],
                    [&](size_t i) { return nb::make_tuple(found.first[i], found.last[i]).release().ptr(); });
}

nb::tuple words(const NBest& found, size_t number) {
    check(found, number);
    return tuple_of(found.word_begin[number], found.word_begin[number + 1], [&](size_t i) {
        const NBest::SpokenWord& w = found.words[i];
        return nb::make_tuple(w.start, w.end, w.confidence, w.phrase, w.phrase_first, w.phrase_last).release().ptr();
    });
}

nb::object text(const NBest& found, size_t number) {
    check(found, number);
    return nb::str(found.texts[number].data(), found.texts[number].size());
}

// Rows of the phrases that words of any of them belong to, each once.
std::vector<int32_t> phrases(const NBest& found) {
    std::vector<int32_t> rows;
    for (const NBest::SpokenWord& word : found.words)
        if (word.phrase >= 0) rows.push_back(word.phrase);
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    return rows;
}

// Acoustic, bias and language model, each of all hypotheses.
nb::tuple scores(const NBest& found) {
    const auto all = [&](double NBest::Scores::*part) {
        return tuple_of(0, found.scores.size(), [&](size_t i) { return PyFloat_FromDouble(found.scores[i].*part); });
    };
    return nb::make_tuple(all(&NBest::Scores::acoustic), all(&NBest::Scores::bias), all(&NBest::Scores::lm));
}

// text_score of each text; graphs: of its distinct words.
std::vector<double> text_scores(const NBest& found, const Frames& frames, const std::vector<const LabelGraph*>& graphs) {
    if (graphs.size() != found.distinct.size()) throw std::invalid_argument("there must be a graph for each distinct word");
    nb::gil_scoped_release released;
    std::vector<double> scores;
    for (size_t n = 0; n < found.texts.size(); ++n) {
        Words words;
        for (size_t w = found.spelled_begin[n]; w < found.spelled_begin[n + 1]; ++w) words.push_back(graphs[found.spelled[w]]);
        scores.push_back(text_score(frames, words));
    }
    return scores;
}

}  // namespace

void bind_nbest(nb::module_& m) {
    nb::class_<NBest>(m, "NBest")
        .def("__len__", [](const NBest& found) { return found.scores.size(); })
        .def_prop_ro("scores", &scores)
        .def("text", &text, nb::arg("number"))
        .def_prop_ro("distinct", [](const NBest& found) { return found.distinct; })
        .def_prop_ro("phrases", &phrases)
        .def("text_scores", &text_scores, nb::arg("frames"), nb::arg("graphs"))
        .def("tokens", &tokens, nb::arg("number"))
        .def("frames", &frames, nb::arg("number"))
        .def("words", &words, nb::arg("number"));
}
