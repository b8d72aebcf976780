// Python's view of an n-best: numbers become Python's own only for the hypothesis that is asked for.
#include "nbest_bindings.hpp"

#include <stdexcept>

#include "nbest.hpp"

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

nb::tuple scores(const NBest& found) {
    return tuple_of(0, found.scores.size(), [&](size_t i) {
        const auto& [acoustic, bias, lm] = found.scores[i];
        return nb::make_tuple(acoustic, bias, lm).release().ptr();
    });
}

}  // namespace

void bind_nbest(nb::module_& m) {
    nb::class_<NBest>(m, "NBest")
        .def("__len__", [](const NBest& found) { return found.scores.size(); })
        .def_prop_ro("scores", &scores)
        .def("tokens", &tokens, nb::arg("number"))
        .def("frames", &frames, nb::arg("number"))
        .def("words", &words, nb::arg("number"));
}
