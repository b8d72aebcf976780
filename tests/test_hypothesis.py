"""A search's hypotheses are filled when they are looked at; nobody must notice."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, fields, replace
from typing import Any

import numpy as np
import pytest

from asrbias import _core
from asrbias.decoder import DecodeOptions, Decoder
from asrbias.hypothesis import Hypothesis, Word
from asrbias.nbest import NBest
from asrbias.wordgraphs import parallel

LABELS = ["<blank>", " ", "a", "b", "c"]
NAMES = [one.name for one in fields(Hypothesis)]
LOGITS = np.random.default_rng(3).normal(scale=2.0, size=(12, len(LABELS)))
LOG_PROBS = (LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))).astype(np.float32)
DECODER = Decoder(LABELS, options=DecodeOptions(nbest=8))


def nbest(entities: list[str] | None = None) -> list[Hypothesis]:
    return DECODER.decode(LOG_PROBS, entities)


def filled(one: Hypothesis) -> dict[str, Any]:
    return {name: getattr(one, name) for name in NAMES}


FACES: list[Callable[[Hypothesis], Any]] = [
    repr,
    hash,
    asdict,
    copy.copy,
    copy.deepcopy,
    lambda one: pickle.loads(pickle.dumps(one)),
    lambda one: replace(one, lm=one.lm),
    lambda one: Hypothesis(**filled(one)),
]


@pytest.mark.parametrize("face", FACES)
def test_nothing_tells_what_was_looked_at(face: Callable[[Hypothesis], Any]) -> None:
    for fresh, other in zip(nbest(["ab"]), nbest(["ab"]), strict=True):
        made = face(fresh)  # nothing of it was asked before
        whole = Hypothesis(**filled(other))
        assert made == (whole if isinstance(made, Hypothesis) else face(whole))
        assert fresh == other == whole
        assert set(vars(fresh)) == set(NAMES)
        if isinstance(made, Hypothesis):
            assert filled(made) == filled(whole)


@pytest.mark.parametrize("order", [("text", "words"), ("words", "text"), ("frames",), ("tokens", "frames", "text")])
def test_fields_in_any_order(order: tuple[str, ...]) -> None:
    for fresh, other in zip(nbest(["ab"]), nbest(["ab"]), strict=True):
        assert [getattr(fresh, name) for name in order] == [filled(other)[name] for name in order]
        assert fresh == other


def test_what_is_filled() -> None:
    found = nbest(["ab"])
    assert len(found) == 8
    for one in found:
        assert one.text == " ".join(word.text for word in one.words) == " ".join(
            "".join(LABELS[token] for token in one.tokens).split()
        )
        assert len(one.frames) == len(one.tokens) and all(first <= last for first, last in one.frames)
        assert all(type(number) is int for pair in (one.tokens, *one.frames) for number in pair)
        for word in one.words:
            assert isinstance(word, Word) and 0 < word.confidence <= 1
            starts, ends = {float(first) for first, _ in one.frames}, {float(last + 1) for _, last in one.frames}
            assert word.start in starts and word.end in ends
            assert (word.entity, word.entity_span) == (None, None) or word.text == "ab"
    words = [word for one in found for word in one.words]
    assert len({id(word) for word in words}) == len({repr(word) for word in words}) < len(words)  # shared


def test_it_stays_frozen_and_has_no_other_fields() -> None:
    one = nbest()[0]
    with pytest.raises(FrozenInstanceError):
        one.text = "other"  # type: ignore[misc]
    for name in ("txt", "_rest2", "__setstate__"):
        with pytest.raises(AttributeError, match=name):
            getattr(one, name)
    assert one.text is one.text and one.words is one.words
    assert one.tokens and one.frames
    with pytest.raises(AttributeError, match="_rest"):
        one._rest  # noqa: B018
    with pytest.raises(AttributeError, match="text"):
        object.__new__(Hypothesis).text  # noqa: B018


def test_threads_that_look_at_once() -> None:
    expected = [filled(one) for one in nbest(["ab"])]
    for _ in range(20):
        found, seen = nbest(["ab"]), []
        start = threading.Barrier(4)

        def look(found: list[Hypothesis] = found, seen: list[Any] = seen, start: threading.Barrier = start) -> None:
            start.wait()
            seen.append([filled(one) for one in found])

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [expected] * 4


def found(entities: list[str] | None = None) -> NBest:
    return DECODER.search_batch([LOG_PROBS], [entities], 1)[0]


def test_an_nbest_makes_the_hypotheses_that_are_asked_for() -> None:
    one = found(["ab"])
    assert one.hypotheses() == nbest(["ab"]) and len(one) == 8
    assert one.best is one.best and one.best == nbest(["ab"])[0]
    other = one.hypothesis(1, bias=1.5, phonetic=-2.0)
    whole = nbest(["ab"])[1]
    assert (other.bias, other.phonetic, other.score) == (1.5, -2.0, whole.acoustic + 1.5 + whole.lm - 2.0)
    assert replace(other, bias=whole.bias, phonetic=0.0, score=whole.score) == whole == one.hypothesis(1)


def test_the_entities_of_an_nbest() -> None:
    expected = {word.entity for one in nbest(["ab", "b"]) for word in one.words} - {None}
    assert expected and found(["ab", "b"]).entities == expected
    assert found().entities == found(["bb bb bb bb"]).entities == set()


def test_words_of_an_nbest_are_told_apart_once() -> None:
    some = found()
    words = [word for one in some.hypotheses() for word in one.text.split()]
    assert some.native.distinct == list(dict.fromkeys(words)) and len(words) > len(set(words))
    graphs = {word: parallel([[1 + len(word) % 2]]) for word in words}
    frames = _core.Frames(LOG_PROBS, 0)
    texts = [[graphs[word] for word in one.text.split()] for one in some.hypotheses()]
    scores = some.native.text_scores(frames, [graphs[word] for word in some.native.distinct])
    assert scores == _core.text_scores(frames, texts) and len(set(scores)) > 1
    with pytest.raises(ValueError, match="a graph for each"):
        some.native.text_scores(frames, [])


def test_a_native_nbest_has_so_many_hypotheses() -> None:
    native = found().native
    assert len(native) == len(native.scores[0]) == 8
    for ask in (native.text, native.tokens, native.frames, native.words):
        assert len(ask(7)) > 0
        with pytest.raises(IndexError, match="no such hypothesis"):
            ask(8)


def test_as_many_labels_are_shown_as_spelled() -> None:
    with pytest.raises(ValueError, match="as many labels"):
        _core.Vocabulary(["", "a"], 0, ["a"])
