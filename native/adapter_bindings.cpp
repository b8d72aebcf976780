// Python's view of the shortlist and of the adapter's attention. Callers pass what fits (heardphones.py, adapter.py). GIL released.
#include "adapter_bindings.hpp"

#include <nanobind/ndarray.h>

#include "attend.hpp"
#include "finalists.hpp"
#include "phonegrams.hpp"
#include "soundfit.hpp"

namespace nb = nanobind;
using namespace asrbias;
template <int D>
using Floats = nb::ndarray<const float, nb::ndim<D>, nb::c_contig, nb::device::cpu>;
template <int D>
using Out = nb::ndarray<float, nb::ndim<D>, nb::c_contig, nb::device::cpu>;
using Ints = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Labels = nb::ndarray<const uint16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutInts = nb::ndarray<int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Sizes = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

namespace {
int size(size_t n) { return static_cast<int>(n); }

Runs runs_of(const Floats<2>& odds, const Floats<1>& presence, float insertion) {
    return {odds.data(), presence.data(), size(odds.shape(0)), size(odds.shape(1)), insertion};
}

void fit(const Floats<2>& stay, const Floats<2>& move, float floor, float passing, float first, const Labels& labels, const Ints& offsets,
         const Ints& rows, const Out<1>& scores) {
    nb::gil_scoped_release released;
    const Steps steps{stay.data(), move.data(), size(move.shape(0)), size(move.shape(1)), floor, passing};
    fit_sequences(steps, {labels.data(), offsets.data()}, rows.data(), size(rows.shape(0)), first, scores.data());
}

void fit_to_runs(const Floats<2>& odds, const Floats<1>& presence, float insertion, float deletion, const Labels& labels, const Ints& offsets,
                 const Ints& rows, const Out<1>& scores) {
    nb::gil_scoped_release released;
    fit_runs(runs_of(odds, presence, insertion), {labels.data(), offsets.data()}, rows.data(), size(rows.shape(0)), deletion, scores.data());
}

void attend_python(const Floats<2>& keys, const Floats<2>& query, const Floats<2>& nothing, const Floats<2>& written, const Floats<2>& heard, const Floats<2>& values,
                   const Sizes& sizes, const Floats<1>& nats, const Floats<1>& covered, const Floats<2>& votes, float caution, float least,
                   float highest, float early, float usual, int around, const Out<2>& bias, const Out<2>& attention) {
    nb::gil_scoped_release released;
    const AttentionSizes all{size(nothing.shape(0)), size(query.shape(1)), size(keys.shape(0)), size(sizes.shape(0)),
                             size(values.shape(1)), size(written.shape(1))};
    const AttentionInput input{keys.data(), query.data(), nothing.data(), written.data(), heard.data(), values.data(), sizes.data(), nats.data(),
                               covered.data(), votes.data(), size(votes.shape(1)), caution, least};
    attend(all, input, {highest, early, usual, around}, bias.data(), attention.data());
}
}  // namespace

void bind_adapter(nb::module_& m) {
    m.def("fit_sequences", &fit, nb::arg("stay"), nb::arg("move"), nb::arg("floor"), nb::arg("passing"), nb::arg("first"),
          nb::arg("labels"), nb::arg("offsets"), nb::arg("rows"), nb::arg("scores"));
    m.def("fit_runs", &fit_to_runs, nb::arg("odds"), nb::arg("presence"), nb::arg("insertion"), nb::arg("deletion"), nb::arg("labels"),
          nb::arg("offsets"), nb::arg("rows"), nb::arg("scores"));
    m.def("keep_best", [](const Ints& owners, const Ints& rows, const Floats<1>& scores, int most, const OutInts& kept) {
        nb::gil_scoped_release released;
        return keep_best(owners.data(), rows.data(), scores.data(), size(rows.shape(0)), most, kept.data());
    }, nb::arg("owners"), nb::arg("rows"), nb::arg("scores"), nb::arg("most"), nb::arg("kept"));
    nb::class_<PhoneGrams>(m, "PhoneGrams")
        .def("__init__", [](PhoneGrams* self, const Labels& labels, const Ints& offsets, int phones) {
            nb::gil_scoped_release released;
            new (self) PhoneGrams({labels.data(), offsets.data()}, static_cast<int>(offsets.shape(0)) - 1, phones);
        }, nb::arg("labels"), nb::arg("offsets"), nb::arg("phones"))
        .def_prop_ro("nbytes", &PhoneGrams::bytes)
        .def("scores", [](const PhoneGrams& self, const Floats<2>& odds, const Floats<1>& presence, float insertion, const Out<1>& scores) {
            nb::gil_scoped_release released;
            self.scores(runs_of(odds, presence, insertion), scores.data());
        }, nb::arg("odds"), nb::arg("presence"), nb::arg("insertion"), nb::arg("scores"))
        .def("best", [](const PhoneGrams& self, const Floats<2>& odds, const Floats<1>& presence, float insertion, const OutInts& rows) {
            nb::gil_scoped_release released;
            return self.best(runs_of(odds, presence, insertion), size(rows.shape(0)), rows.data());
        }, nb::arg("odds"), nb::arg("presence"), nb::arg("insertion"), nb::arg("rows"));
    m.def("attend", &attend_python, nb::arg("keys"), nb::arg("query"), nb::arg("nothing"), nb::arg("written"), nb::arg("heard"), nb::arg("values"),
          nb::arg("sizes"), nb::arg("nats"), nb::arg("covered"), nb::arg("votes"), nb::arg("caution"), nb::arg("least"), nb::arg("highest"),
          nb::arg("early"), nb::arg("usual"), nb::arg("around"), nb::arg("bias"), nb::arg("attention"));
}
