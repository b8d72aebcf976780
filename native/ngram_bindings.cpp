// Python's view of the language model. lm.py reads the files; values are checked here.
#include "ngram_bindings.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "ngram.hpp"

namespace nb = nanobind;
using namespace asrbias;

namespace {
using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Natural log P of each word of a sentence, and of </s>.
std::vector<double> sentence(const NGram& model, const std::vector<std::string>& words) {
    std::vector<double> scores;
    NGram::State state = model.begin();
    for (const std::string& word : words) scores.push_back(model.score(state, model.find(word), &state));
    scores.push_back(model.end(state));
    return scores;
}

int32_t checked(const NGram& model, int32_t id) {
    if (id < 0 || id >= model.size())
        throw nb::index_error(("word " + std::to_string(id) + " is none of 0.." + std::to_string(model.size() - 1)).c_str());
    return id;
}
}  // namespace

void bind_ngram(nb::module_& m) {
    nb::class_<NGram>(m, "NGram")
        .def_static("from_arpa", [](const Bytes& text) {
            nb::gil_scoped_release released;
            return read_arpa({reinterpret_cast<const char*>(text.data()), text.size()});
        }, nb::arg("text"))
        .def_prop_ro("order", &NGram::order)
        .def_prop_ro("unknown", &NGram::unknown)
        .def_prop_ro("has_strings", &NGram::has_strings)
        .def_prop_ro("counts", [](const NGram& self) {
            std::vector<size_t> counts;
            for (int order = 1; order <= self.order(); ++order) counts.push_back(self.count(order));
            return counts;
        })
        .def("__len__", &NGram::size)
        .def("find", &NGram::find, nb::arg("word"))
        .def("word", [](const NGram& self, int32_t id) {
            const std::string_view word = self.word(checked(self, id));
            return nb::bytes(word.data(), word.size());
        }, nb::arg("id"))
        .def("unigram", [](const NGram& self, int32_t id) { return self.unigram(checked(self, id)); }, nb::arg("id"))
        .def("sentence", &sentence, nb::arg("words"), nb::call_guard<nb::gil_scoped_release>());
}
