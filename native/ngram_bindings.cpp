// Python's view of the language model. lm.py reads the files; values are checked here.
#include "ngram_bindings.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <tuple>

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

using Ids = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Log10 = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// For each order the n-grams' words [N, n], probabilities [N] and back-off weights [N], log10.
NGram from_arrays(const std::vector<std::string>& words, const std::vector<std::tuple<Ids, Log10, Log10>>& orders) {
    std::vector<uint64_t> counts;
    for (const auto& [ids, probability, back_off] : orders) {
        counts.push_back(ids.shape(0));
        if (ids.shape(1) != counts.size() || probability.shape(0) != counts.back() ||
            back_off.shape(0) != counts.back())
            throw std::invalid_argument("the shapes of order " + std::to_string(counts.size()) + " do not agree");
    }
    if (counts.empty() || counts[0] != words.size())
        throw std::invalid_argument("there must be a 1-gram for each word");
    nb::gil_scoped_release released;
    NGramBuilder builder(counts);
    for (size_t n = 1; n <= orders.size(); ++n) {
        const auto& [ids, probability, back_off] = orders[n - 1];
        for (size_t i = 0; i < counts[n - 1]; ++i) {
            const int32_t* said = ids.data() + i * n;
            try {
                for (size_t k = 0; k < n; ++k)
                    if (said[k] < 0 || static_cast<size_t>(said[k]) >= words.size())
                        throw std::invalid_argument("has a word out of range");
                if (n == 1)
                    builder.add_word(words[i], probability.data()[i], back_off.data()[i]);
                else
                    builder.add(said, static_cast<int>(n), probability.data()[i], back_off.data()[i]);
            } catch (const std::invalid_argument& error) {
                throw std::invalid_argument(std::to_string(n) + "-gram number " + std::to_string(i) + " " +
                                            error.what());
            }
        }
    }
    return builder.finish();
}

int32_t checked(const NGram& model, int32_t id) {
    if (id < 0 || id >= model.size())
        throw nb::index_error(
            ("word " + std::to_string(id) + " is none of 0.." + std::to_string(model.size() - 1)).c_str());
    return id;
}
}  // namespace

void bind_ngram(nb::module_& m) {
    nb::class_<NGram>(m, "NGram")
        .def_static(
            "from_arpa",
            [](const Bytes& text) {
                nb::gil_scoped_release released;
                return read_arpa({reinterpret_cast<const char*>(text.data()), text.size()});
            },
            nb::arg("text").noconvert())
        .def_static("from_arrays", &from_arrays, nb::arg("words"), nb::arg("orders"))
        .def_static(
            "from_kenlm",
            [](const Bytes& content) {
                nb::gil_scoped_release released;
                return read_kenlm(content.data(), content.size());
            },
            nb::arg("content").noconvert(), nb::keep_alive<0, 1>())  // it is used where it lies
        .def_prop_ro("order", &NGram::order)
        .def_prop_ro("unknown", &NGram::unknown)
        .def_prop_ro("has_strings", &NGram::has_strings)
        .def_prop_ro("counts",
                     [](const NGram& self) {
                         std::vector<size_t> counts;
                         for (int order = 1; order <= self.order(); ++order) counts.push_back(self.count(order));
                         return counts;
                     })
        .def("__len__", &NGram::size)
        .def("find", &NGram::find, nb::arg("word"))
        .def(
            "word",
            [](const NGram& self, int32_t id) {
                const std::string_view word = self.word(checked(self, id));
                return nb::bytes(word.data(), word.size());
            },
            nb::arg("id"))
        .def(
            "unigram", [](const NGram& self, int32_t id) { return self.unigram(checked(self, id)); }, nb::arg("id"))
        .def("sentence", &sentence, nb::arg("words"), nb::call_guard<nb::gil_scoped_release>());
}
