"""The decoder's face: known results, labels, batches, words, bad input. What lists pay is in test_decoder_bias.py."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

from asrbias.alignment import LogProbsError, LogProbsTypeError
from asrbias.decoder import DecodeOptions, Decoder, DecoderError, DecoderTypeError, UnusableEntityWarning
from asrbias.entities import EntityList, PhraseTable
from asrbias.phrases import LabelsError

ROOT = Path(__file__).resolve().parents[1]
FACTS = Path(os.environ.get("ASRBIAS_SHARED", ROOT.parent / "shared")) / "checks" / "ctc_decoding.json"
EXACT = DecodeOptions(beam=100_000, nbest=100, top_k=1000, token_threshold=math.inf, beam_threshold=math.inf)
LABELS = ["<blank>", " ", "a", "b", "c", "'"]


def matrix(frames: int, size: int = len(LABELS), seed: int = 0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=2.0, size=(frames, size))
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


def known_cases() -> list[dict]:
    return json.loads(FACTS.read_text())["cases"] if FACTS.is_file() else []


@pytest.mark.skipif(not FACTS.is_file(), reason=f"{FACTS} is not here (set ASRBIAS_SHARED)")
def test_known_results() -> None:
    checked = 0
    for case in known_cases():
        probs = np.clip(np.array(case["probs"]), 1e-15, None)
        labels = case["labels"] or [chr(ord("a") + i) for i in range(probs.shape[1])]
        found = Decoder(labels, blank=case["blank"], options=EXACT).decode(np.log(probs))
        by_tokens = {h.tokens: h for h in found}
        for rank, exact in enumerate(case.get("exact", [])):
            index = {label: i for i, label in enumerate(labels)}
            tokens = tuple(exact["tokens"]) if "tokens" in exact else tuple(index[c] for c in exact["text"])
            assert math.exp(by_tokens[tokens].acoustic) == pytest.approx(exact["p"], rel=1e-5), case["name"]
            assert found[rank].acoustic == pytest.approx(by_tokens[tokens].acoustic, abs=1e-6), case["name"]
            checked += 1
        if case["name"] == "bugs-bunny":
            narrow = Decoder(labels, blank=case["blank"], options=DecodeOptions(beam=100)).decode(np.log(probs))[0]
            assert narrow.text == case["published"]["text"]
            assert [[w.text, w.start, w.end] for w in narrow.words] == case["published"]["word_frames"]
            assert Decoder(labels, blank=case["blank"]).decode(np.log(probs), ["bugs bunny"])[0].text == "bugs bunny"
    assert checked >= 40


# --- labels ---


def test_blank_anywhere_and_control_labels_are_never_emitted() -> None:
    labels = ["▁a", "<unk>", "b", "<pad>", "<s>"]
    probs = np.array([[0.3, 0.6, 0.02, 0.05, 0.03], [0.02, 0.3, 0.5, 0.1, 0.08]])
    best = Decoder(labels, blank=3, options=EXACT).decode(np.log(probs))
    assert best[0].text == "ab" and best[0].tokens == (0, 2)
    assert all(token in (0, 2) for h in best for token in h.tokens)


def test_without_a_separator_text_is_one_word_and_lists_are_refused() -> None:
    decoder = Decoder(["", "x", "y"], blank=0)
    log_probs = np.log([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    assert decoder.decode(log_probs)[0].text == "xy"
    with pytest.raises(DecoderError, match="no word separator"):
        decoder.decode(log_probs, ["xy"])


def test_separators_never_make_empty_words() -> None:
    labels = ["-", " ", "a"]
    log_probs = np.log(np.full((5, 3), 0.02) + 0.94 * np.eye(3)[[1, 2, 1, 0, 1]])
    best = Decoder(labels, blank=0).decode(log_probs)[0]
    assert best.tokens == (1, 2, 1, 1) and best.text == "a"
    assert [(w.text, w.start, w.end) for w in best.words] == [("a", 1.0, 2.0)]


@pytest.mark.parametrize(
    ("labels", "blank", "says"),
    [
        (["-", "a", "a"], 0, "'a' is listed more than once"),
        ([], 0, "empty"),
        ("abc", 0, "list of strings"),
        (["a", 3], 0, "list of strings"),
        (["-", "a"], 2, "0..1"),
        (["-", "a"], -1, "0..1"),
        (["-", "a"], True, "0..1"),
    ],
)
def test_bad_labels(labels: list[str], blank: int, says: str) -> None:
    with pytest.raises(LabelsError, match=says):
        Decoder(labels, blank=blank)


# --- results ---


def test_words_have_times_and_confidence() -> None:
    probs = np.full((6, len(LABELS)), 0.01)
    for t, (label, p) in enumerate([("a", 0.9), ("<blank>", 0.95), ("b", 0.6), (" ", 0.9), ("c", 0.6), ("c", 0.7)]):
        probs[t, LABELS.index(label)] = p
        probs[t, 0] += 1 - probs[t].sum()
    best = Decoder(LABELS, blank=0).decode(np.log(probs))[0]
    assert best.text == "ab c" and [w.text for w in best.words] == ["ab", "c"]
    assert [(w.start, w.end) for w in best.words] == [(0.0, 3.0), (4.0, 6.0)]
    assert best.frames == ((0, 0), (2, 2), (3, 3), (4, 5))
    assert best.words[0].confidence == pytest.approx(math.sqrt(0.9 * 0.6), rel=1e-5)
    assert best.words[1].confidence == pytest.approx(0.7, rel=1e-5)


def test_no_frames_give_an_empty_hypothesis() -> None:
    [only] = Decoder(LABELS, blank=0).decode(np.zeros((0, len(LABELS)), np.float32), ["a"])
    assert (only.text, only.tokens, only.words, only.score) == ("", (), (), 0.0)


def test_torch_and_every_float_type() -> None:
    torch = pytest.importorskip("torch")
    log_probs = matrix(15)
    decoder = Decoder(LABELS, blank=0)
    expected = decoder.decode(log_probs)
    assert decoder.decode(torch.from_numpy(log_probs).requires_grad_()) == expected
    assert decoder.decode(log_probs.astype(np.float64)) == expected
    assert decoder.decode(np.asfortranarray(log_probs)) == expected
    assert decoder.decode(log_probs[::-1][::-1]) == expected
    for kind in (torch.float16, torch.bfloat16):
        assert decoder.decode(torch.from_numpy(log_probs).to(kind))[0].tokens == expected[0].tokens


def test_threads_give_what_one_by_one_gives() -> None:
    decoder = Decoder(LABELS, blank=0)
    matrices = [matrix(10 + 3 * seed, seed=seed) for seed in range(12)]
    lists = [None, ["abc", "cab"], EntityList(["a b"]), []] * 3
    alone = [decoder.decode(m, e) for m, e in zip(matrices, lists, strict=True)]
    for threads in (1, 3, None):
        assert decoder.decode_batch(matrices, lists, threads) == alone
    assert decoder.decode_batch([], None) == []
    results: list[object] = [None] * 4
    workers = [
        threading.Thread(target=lambda i=i: results.__setitem__(i, decoder.decode(matrices[5], lists[5])))
        for i in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [alone[5]] * 4


def test_one_list_for_all_and_a_list_per_item() -> None:
    decoder = Decoder(LABELS, blank=0)
    matrices = [matrix(8, seed=1), matrix(8, seed=2)]
    shared = EntityList(["ab"])
    assert decoder.decode_batch(matrices, shared) == decoder.decode_batch(matrices, [shared, shared])
    with pytest.raises(DecoderTypeError, match="for each item"):
        decoder.decode_batch(matrices, ["ab", "c"])
    with pytest.raises(DecoderError, match="2 items but 1"):
        decoder.decode_batch(matrices, [shared])


# --- lists ---


def test_entities_that_cannot_be_spelled_are_named_once() -> None:
    decoder = Decoder(LABELS, blank=0)
    listed = EntityList(["abc", "xyz", "Київ", "a'b"])
    phrases = decoder.compile(listed)
    assert [(u.entity, u.phrase) for u in phrases.unusable] == [(1, "xyz"), (2, "Київ")]
    assert "'x', 'y', 'z'" in phrases.unusable[0].reason and len(phrases) == 3
    with pytest.warns(UnusableEntityWarning, match="2 of the entities cannot be found.*xyz"):
        decoder.decode(matrix(5), listed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoder.decode(matrix(5), listed)


def test_an_entity_whose_form_another_owns_is_not_called_unusable() -> None:
    listed = EntityList([{"phrase": "abc", "display": "ABC"}, {"phrase": "abc", "display": "A.B.C.", "weight": 2.0}])
    decoder = Decoder(LABELS, blank=0)
    assert decoder.compile(listed).unusable == ()
    labels = ["<blank>", " ", "a", "b"]
    assert [u.entity for u in Decoder(labels, blank=0).compile(listed).unusable] == [0, 1]


def test_characters_that_no_label_begins_a_word_with() -> None:
    decoder = Decoder(["<blank>", "▁", "▁a", "b", "qu"], blank=0)
    phrases = decoder.compile(["ab", "a b", "qub", "q", "au"])
    assert [u.phrase for u in phrases.unusable] == ["q", "au"]
    assert all(u.reason == "no sequence of the labels spells it" for u in phrases.unusable)


def test_compiled_lists_are_kept_whatever_their_order() -> None:
    decoder = Decoder(LABELS, blank=0)
    one, other = EntityList(["ab", "c"]), EntityList(["c", "ab"])
    phrases = decoder.compile(one)
    assert decoder.compile(one) is phrases and decoder.compile(EntityList(["ab", "c"])) is phrases
    turned = decoder.compile(other)
    assert turned.automaton is phrases.automaton
    assert [one[i].phrase for i in phrases.table.entity] == [other[i].phrase for i in turned.table.entity]
    with pytest.raises(DecoderError, match="other labels"):
        Decoder(["-", " ", "a"], blank=0).decode(matrix(3, 3), phrases)


def test_a_phrase_table_compiles_as_it_is() -> None:
    table = PhraseTable(("a b", "c"), np.array([0, 1], np.int32), np.array([1.0, 2.0], np.float32))
    decoder = Decoder(LABELS, blank=0)
    assert decoder.decode(matrix(9), decoder.compile(table)) == decoder.decode(
        matrix(9), EntityList.coerce(["a b"]) and [*EntityList(["a b"]), *EntityList([{"phrase": "c", "weight": 2.0}])]
    )


# --- bad input ---


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda m: m.__setitem__((3, 2), np.nan), "NaN at frame 3"),
        (lambda m: m.__setitem__((2, 1), np.inf), r"\+inf at frame 2"),
        (lambda m: m.__setitem__((4, 1), 0.5), "log_softmax"),
        (lambda m: m.__setitem__(4, -np.inf), "-inf for every label at frame 4"),
    ],
)
def test_values_that_are_no_log_probabilities(spoil: object, says: str) -> None:
    log_probs = matrix(6)
    spoil(log_probs)  # type: ignore[operator]
    with pytest.raises(LogProbsError, match=says):
        Decoder(LABELS, blank=0).decode(log_probs)
    with pytest.raises(LogProbsError, match="item 1: "):
        Decoder(LABELS, blank=0).decode_batch([matrix(6), log_probs])


def test_shapes_and_types() -> None:
    decoder = Decoder(LABELS, blank=0)
    for bad, says in [((4, 5), "the 6 labels"), ((6, 4), "transposed"), ((6,), "shape"), ((2, 4, 6), "decode_batch")]:
        with pytest.raises(LogProbsError, match=says):
            decoder.decode(np.zeros(bad, np.float32))
    for bad in (np.zeros((3, 6), np.int32), "text", None, [["a"] * 6]):
        with pytest.raises(LogProbsTypeError, match="as a numpy array or torch tensor"):
            decoder.decode(bad)


def test_minus_infinity_is_allowed_as_long_as_something_is_possible() -> None:
    log_probs = np.full((3, len(LABELS)), -np.inf)
    log_probs[[0, 1, 2], [2, 0, 2]] = 0.0
    assert Decoder(LABELS, blank=0).decode(log_probs)[0].text == "aa"
    unknown = np.full((2, 3), -np.inf)
    unknown[:, 2] = 0.0
    with pytest.raises(LogProbsError, match="no label sequence is possible up to frame 0"):
        Decoder(["-", "a", "<unk>"], blank=0).decode(unknown)


@pytest.mark.parametrize(
    "options",
    [
        {"beam": 0},
        {"beam": 2.5},
        {"nbest": 0},
        {"top_k": True},
        {"bonus": -1},
        {"bonus": math.inf},
        {"bonus": "1"},
        {"beam_threshold": math.nan},
    ],
)
def test_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(DecoderError, match=next(iter(options))):
        DecodeOptions(**options)  # type: ignore[arg-type]


def test_bad_threads_and_lm() -> None:
    with pytest.raises(DecoderError, match="threads is 0"):
        Decoder(LABELS, blank=0).decode_batch([matrix(3)], threads=0)
    with pytest.raises(DecoderTypeError, match="lm is str"):
        Decoder(LABELS, blank=0, lm="x")  # type: ignore[arg-type]


def test_decoder_does_not_import_torch() -> None:
    code = "import sys, asrbias.decoder; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
