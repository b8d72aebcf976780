// Python's view of the graphs of phones and subwords: scores of texts, exchanged words, and spots. GIL released throughout.
#include "phone_bindings.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <utility>

#include "exchange.hpp"
#include "phonescore.hpp"
#include "placing.hpp"
#include "spotter.hpp"

namespace nb = nanobind;
using namespace asrbias;
using LogProbs = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Ints = std::vector<int32_t>;
using Places = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Swap = std::tuple<int, int, nb::list, int, int>;  // first and last word, the words put in, first and last frame

namespace {
Words as_words(const nb::handle& graphs) {
    Words words;
    for (const nb::handle graph : graphs) words.push_back(nb::cast<const LabelGraph*>(graph));
    return words;
}

std::vector<double> text_scores(const Frames& frames, const std::vector<nb::list>& texts) {
    std::vector<Words> words;
    for (const nb::list& text : texts) words.push_back(as_words(text));
    nb::gil_scoped_release released;
    std::vector<double> scores;
    for (const Words& text : words) scores.push_back(text_score(frames, text));
    return scores;
}

nb::tuple best_way_python(const Frames& frames, const nb::list& graphs) {
    const Words words = as_words(graphs);
    WordTimes times;
    {
        nb::gil_scoped_release released;
        times = best_way(frames, words);
    }
    return nb::make_tuple(times.first, times.last, times.labels, times.score);
}

std::vector<double> exchanged(const Exchange& exchange, const std::vector<Swap>& swaps) {
    std::vector<Words> words;
    for (const Swap& swap : swaps) words.push_back(as_words(std::get<2>(swap)));
    std::vector<std::tuple<int, int, int, int>> ranges;
    for (const auto& [first, last, others, begin, end] : swaps) ranges.emplace_back(first, last, begin, end);
    nb::gil_scoped_release released;
    std::vector<double> scores;
    for (size_t i = 0; i < words.size(); ++i) {
        const auto& [first, last, begin, end] = ranges[i];
        scores.push_back(exchange.exchanged(first, last, words[i], begin, end));
    }
    return scores;
}

template <class T>
nb::object array(std::vector<T> values) {
    auto* kept = new std::vector<T>(std::move(values));
    const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<1>>(kept->data(), {kept->size()}, owner));
}

// An array of one field of each.
template <class One, class T>
nb::object column(const std::vector<One>& rows, T One::*field) {
    std::vector<T> values(rows.size());
    std::transform(rows.begin(), rows.end(), values.begin(), [&](const One& one) { return one.*field; });
    return array(std::move(values));
}

std::vector<Words> as_forms(const nb::handle& texts) {
    std::vector<Words> forms;
    for (const nb::handle text : texts) forms.push_back(text.is_none() ? Words() : as_words(text));
    return forms;
}

struct KeptForms : Forms {
    nb::object graphs;  // which are kept for them
};

nb::tuple find_places_python(const Exchange& text, const std::vector<double>& starts, const std::vector<double>& ends, bool leads,
                             const Places& first, const Places& last, const std::vector<const KeptForms*>& forms, int edges, int margin) {
    if (starts.size() != static_cast<size_t>(text.words()) || ends.size() != starts.size() ||
        first.shape(0) != forms.size() || last.shape(0) != forms.size())
        throw std::invalid_argument("there must be a start and an end for each word, and forms for each place");
    std::vector<Place> places;
    {
        nb::gil_scoped_release released;
        std::vector<Sought> sought;
        for (size_t n = 0; n < forms.size(); ++n) sought.push_back({first.data()[n], last.data()[n], forms[n]});
        places = find_places(text, starts, ends, leads, sought, {edges, margin});
    }
    return nb::make_tuple(column(places, &Place::gain), column(places, &Place::form), column(places, &Place::first),
                          column(places, &Place::last));
}

nb::tuple spot(const LabelTree& tree, const LogProbs& x, int blank, float cost, float slack, int keep) {
    std::vector<Spot> found;
    {
        nb::gil_scoped_release released;
        found = tree.spot(x.data(), static_cast<int>(x.shape(0)), static_cast<int>(x.shape(1)), blank, {cost, slack, keep});
    }
    return nb::make_tuple(column(found, &Spot::row), column(found, &Spot::first), column(found, &Spot::last), column(found, &Spot::score));
}
}  // namespace

void bind_phones(nb::module_& m) {
    nb::class_<LabelGraph>(m, "LabelGraph")
        .def("__init__", [](LabelGraph* self, int nodes, const std::vector<std::tuple<int, int, int>>& arcs) {
            std::vector<Arc> made;
            for (const auto& [from, to, label] : arcs) made.push_back({from, to, label});
            new (self) LabelGraph(nodes, std::move(made));
        }, nb::arg("nodes"), nb::arg("arcs"))
        .def_prop_ro("empty", [](const LabelGraph& graph) { return graph.arcs.empty(); });
    nb::class_<Frames>(m, "Frames")
        .def("__init__", [](Frames* self, const LogProbs& x, int blank) {
            nb::gil_scoped_release released;
            new (self) Frames(x.data(), static_cast<int>(x.shape(0)), static_cast<int>(x.shape(1)), blank);
        }, nb::arg("log_probs"), nb::arg("blank"))
        .def("__len__", &Frames::frames);
    m.def("text_scores", &text_scores, nb::arg("frames"), nb::arg("texts"));
    m.def("best_way", &best_way_python, nb::arg("frames"), nb::arg("words"));
    nb::class_<Exchange>(m, "Exchange")
        .def("__init__", [](Exchange* self, const Frames& frames, const nb::list& graphs) {
            const Words words = as_words(graphs);
            nb::gil_scoped_release released;
            new (self) Exchange(frames, words);
        }, nb::arg("frames"), nb::arg("words"))
        .def_prop_ro("score", &Exchange::score)
        .def("exchanged", &exchanged, nb::arg("swaps"))
        .def("places", &find_places_python, nb::arg("starts"), nb::arg("ends"), nb::arg("leads"), nb::arg("first"), nb::arg("last"),
             nb::arg("forms"), nb::arg("edges"), nb::arg("margin"));
    nb::class_<KeptForms>(m, "Forms")
        .def("__init__", [](KeptForms* self, const nb::sequence& inside, const nb::sequence& leading) {
            new (self) KeptForms{{as_forms(inside), as_forms(leading)}, nb::make_tuple(inside, leading)};
        }, nb::arg("inside"), nb::arg("leading"));
    m.def("near_boundaries", [](const std::vector<double>& starts, const std::vector<double>& ends, double frame, int edges, int margin) {
        return near_boundaries(starts, ends, frame, {edges, margin});
    }, nb::arg("starts"), nb::arg("ends"), nb::arg("frame"), nb::arg("edges"), nb::arg("margin"));
    nb::class_<LabelTree>(m, "LabelTree")
        .def("__init__", [](LabelTree* self, const Ints& labels, const Ints& offsets, Ints owners, std::vector<float> reward) {
            nb::gil_scoped_release released;
            new (self) LabelTree(labels, offsets, std::move(owners), std::move(reward));
        }, nb::arg("labels"), nb::arg("offsets"), nb::arg("owners"), nb::arg("reward"))
        .def_prop_ro("nodes", &LabelTree::nodes)
        .def("spot", &spot, nb::arg("log_probs"), nb::arg("blank"), nb::arg("cost"), nb::arg("slack"), nb::arg("keep"));
}
