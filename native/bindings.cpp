// Python's view of the native core. Arrays are checked for dtype and layout in decoder.py, for values here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "adapter_bindings.hpp"
#include "alignment.hpp"
#include "automaton.hpp"
#include "decoding.hpp"
#include "lmtrie.hpp"
#include "nbest.hpp"
#include "nbest_bindings.hpp"
#include "ngram_bindings.hpp"
#include "phone_bindings.hpp"
#include "search.hpp"

namespace nb = nanobind;
using namespace asrbias;
using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using LogProbs = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

namespace {

std::u32string from_utf8(const std::string& text) {
    // Python encoded it, so it is well formed.
    std::u32string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        const int more = c < 0x80 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
        char32_t point = more == 0 ? c : c & (0x3F >> more);
        for (int k = 1; k <= more; ++k) point = (point << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3F);
        out.push_back(point);
        i += more + 1;
    }
    return out;
}

std::vector<Automaton::Terms> phrase_terms(const Doubles& bonus, const Doubles& adaptive, const Doubles& share,
                                           const Doubles& length, const Doubles& common) {
    const size_t count = bonus.shape(0);
    for (const Doubles* term : {&adaptive, &share, &length, &common})
        if (term->shape(0) != count) throw std::invalid_argument("there must be as many of each term");
    const auto at = [](const Doubles& term, size_t i) { return static_cast<float>(term.data()[i]); };
    std::vector<Automaton::Terms> terms;
    terms.reserve(count);
    for (size_t i = 0; i < count; ++i)
        terms.push_back({bonus.data()[i], at(adaptive, i), at(share, i), at(length, i), at(common, i)});
    return terms;
}

// The n-best of each item, or the exception that one met.
nb::list decode(const Vocabulary& vocabulary, const SearchOptions& options, const std::vector<LogProbs>& items,
                const std::vector<const Automaton*>& automata, const LmTrie* lm, int threads) {
    std::vector<NBest> results(items.size());
    std::vector<std::string> errors(items.size());
    {
        nb::gil_scoped_release released;
        std::atomic<size_t> next{0};
        const auto work = [&] {
            for (size_t i; (i = next++) < items.size();) {
                try {
                    results[i] = {decode_one(vocabulary, automata[i], lm, options, items[i].data(), static_cast<int>(items[i].shape(0))), vocabulary};
                } catch (const std::exception& error) {
                    errors[i] = error.what();
                }
            }
        };
        std::vector<std::thread> pool;
        const int extra = std::min<int>(threads, static_cast<int>(items.size())) - 1;
        try {
            for (int i = 0; i < extra; ++i) pool.emplace_back(work);
        } catch (const std::system_error&) {  // no more threads to be had: those that started, and this one, do the work
        }
        work();
        for (std::thread& thread : pool) thread.join();
    }
    nb::list out;
    for (size_t i = 0; i < items.size(); ++i) {
        if (!errors[i].empty()) {
            const std::string where = items.size() > 1 ? "item " + std::to_string(i) + ": " : "";
            throw nb::value_error((where + errors[i]).c_str());
        }
        out.append(nb::cast(std::move(results[i])));
    }
    return out;
}

nb::tuple align_python(const LogProbs& log_probs, const std::vector<int32_t>& tokens, int blank) {
    Alignment alignment;
    {
        nb::gil_scoped_release released;
        const int frames = static_cast<int>(log_probs.shape(0)), size = static_cast<int>(log_probs.shape(1));
        check_values(log_probs.data(), frames, size);
        alignment = align(log_probs.data(), frames, size, blank, tokens);
    }
    return nb::make_tuple(alignment.first, alignment.last, alignment.log_prob, alignment.peak, alignment.score);
}

}  // namespace

NB_MODULE(_core, m) {
    nb::set_leak_warnings(false);  // a model that somebody keeps until the interpreter ends is no leak to tell users of
    bind_nbest(m);
    bind_ngram(m);
    bind_phones(m);
    bind_adapter(m);
    nb::class_<Vocabulary>(m, "Vocabulary")
        .def("__init__", [](Vocabulary* self, const std::vector<std::string>& spelled, int blank, std::vector<std::string> shown) {
            std::vector<std::u32string> labels;
            for (const auto& label : spelled) labels.push_back(from_utf8(label));
            new (self) Vocabulary(labels, blank, std::move(shown));
        }, nb::arg("spelled"), nb::arg("blank"), nb::arg("shown") = std::vector<std::string>());
    nb::class_<Automaton>(m, "Automaton")
        .def("__init__", [](Automaton* self, const Vocabulary& vocabulary, const std::string& phrases, const Doubles& bonus,
                            const Doubles& adaptive, const Doubles& share, const Doubles& length, const Doubles& common) {
            nb::gil_scoped_release released;
            new (self) Automaton(vocabulary, from_utf8(phrases), phrase_terms(bonus, adaptive, share, length, common));
        }, nb::arg("vocabulary"), nb::arg("phrases"), nb::kw_only(), nb::arg("bonus"), nb::arg("adaptive"), nb::arg("share"),
           nb::arg("length"), nb::arg("common"))
        .def_prop_ro("unusable", &Automaton::unusable)
        .def_prop_ro("empty", &Automaton::empty)
        .def_prop_ro("bytes", &Automaton::bytes)
        .def("__len__", &Automaton::size);
    nb::class_<LmTrie>(m, "LmTrie")
        .def("__init__", [](LmTrie* self, const Vocabulary& vocabulary, const NGram& model, const std::string& words, int boost) {
            nb::gil_scoped_release released;
            new (self) LmTrie(vocabulary, model, from_utf8(words), boost);
        }, nb::arg("vocabulary"), nb::arg("model"), nb::arg("words"), nb::arg("boost"), nb::keep_alive<1, 3>())
        .def("__len__", &LmTrie::size);
    nb::class_<SearchOptions>(m, "SearchOptions")
        .def("__init__", [](SearchOptions* self, int beam, int nbest, int top_k, double token_threshold,
                            double phrase_threshold, double beam_threshold, double bonus, double adaptive, double unigram,
                            double gap_cap, int gap_top_k, bool gap_prefix, double lm_weight, double word_bonus,
                            double unknown_penalty, double list_prior, int settled_beam, double guard_character,
                            double guard_list, double guard_common) {
            new (self) SearchOptions{beam, nbest, top_k, token_threshold, phrase_threshold, beam_threshold, settled_beam,
                                     {bonus, adaptive, unigram, list_prior}, gap_cap, gap_top_k, gap_prefix,
                                     {lm_weight, word_bonus, unknown_penalty},
                                     {guard_character, guard_list, guard_common}};
        }, nb::kw_only(), nb::arg("beam"), nb::arg("nbest"), nb::arg("top_k"), nb::arg("token_threshold"),
           nb::arg("phrase_threshold"), nb::arg("beam_threshold"), nb::arg("bonus"), nb::arg("adaptive"),
           nb::arg("unigram"), nb::arg("gap_cap"), nb::arg("gap_top_k"), nb::arg("gap_prefix"), nb::arg("lm_weight"),
           nb::arg("word_bonus"), nb::arg("unknown_penalty"), nb::arg("list_prior"),
           nb::arg("settled_beam"), nb::arg("guard_character"), nb::arg("guard_list"), nb::arg("guard_common"));
    m.def("decode", [](const Vocabulary& vocabulary, const SearchOptions& options, const std::vector<LogProbs>& items,
                       const nb::list& automata, const LmTrie* lm, int threads) {
        std::vector<const Automaton*> pointers;
        for (nb::handle h : automata) pointers.push_back(h.is_none() ? nullptr : nb::cast<const Automaton*>(h));
        return decode(vocabulary, options, items, pointers, lm, threads);
    }, nb::arg("vocabulary"), nb::arg("options"), nb::arg("items"), nb::arg("automata"), nb::arg("lm").none(), nb::arg("threads"));
    nb::class_<Stream>(m, "Stream")
        .def("__init__", [](Stream* self, const Vocabulary& vocabulary, const SearchOptions& options, const Automaton* automaton,
                            const LmTrie* lm) { new (self) Stream(vocabulary, automaton, lm, options); },
             nb::arg("vocabulary"), nb::arg("options"), nb::arg("automaton").none(), nb::arg("lm").none(),
             nb::keep_alive<1, 2>(), nb::keep_alive<1, 4>(), nb::keep_alive<1, 5>())
        .def("push", [](Stream& self, const LogProbs& log_probs) {
            self.push(log_probs.data(), static_cast<int>(log_probs.shape(0)));
        }, nb::arg("log_probs"), nb::call_guard<nb::gil_scoped_release>())
        .def("best", &Stream::best, nb::call_guard<nb::gil_scoped_release>())
        .def("finish", [](const Stream& self) { return NBest(self.finish(), self.vocabulary()); }, nb::call_guard<nb::gil_scoped_release>());
    m.def("align", &align_python, nb::arg("log_probs"), nb::arg("tokens"), nb::arg("blank"));
}
