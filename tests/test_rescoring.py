"""Phonetic rescoring of an n-best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from asrbias.alignment import LogProbsError
from asrbias.decode_options import DecodeOptions
from asrbias.decoder import Decoder
from asrbias.entities import Entity, EntityList
from asrbias.hypothesis import Hypothesis
from asrbias.phones import PHONES
from asrbias.rescoring import RescoreOptions, RescoringError, rescore, rescore_nbest
from asrbias.wordgraphs import PhoneGraphs
from tests.ctc_reference import total
from tests.toy_sounds import LABELS, letters, sounds

TABLE = {"cat": (("K", "AE", "T"),), "cad": (("K", "AE", "D"),), "tomato": (("T", "AH"), ("T", "EY")), "hm": ()}


def pronounce(words: Sequence[str]) -> list[tuple[tuple[str, ...], ...]]:
    return [TABLE[word] for word in words]


def hypothesis(text: str, acoustic: float, bias: float = 0.0) -> Hypothesis:
    tokens = tuple(LABELS.index(c) for c in text)
    decoded = Decoder(LABELS).decode(letters(text))[0]
    assert decoded.tokens == tokens
    return Hypothesis(
        text=text, tokens=tokens, score=acoustic + bias, acoustic=acoustic, bias=bias, lm=0.0,
        words=decoded.words, frames=decoded.frames,
    )  # fmt: skip


SAID = np.log(np.random.default_rng(0).dirichlet(np.full(len(PHONES) + 1, 0.3), size=6) + 1e-5).astype(np.float32)
SAID -= np.log(np.exp(SAID).sum(1, keepdims=True))
PLAIN = RescoreOptions(weight=1.0, temperature=1.0)


def labels(*phones: str) -> list[int]:
    return [PHONES.index(phone) + 1 for phone in phones]


def test_scores_are_those_of_every_pronunciation() -> None:
    found = {
        h.text: h
        for h in rescore([hypothesis("cat", -1.0), hypothesis("tomato", -2.0)], SAID, PLAIN, pronounce=pronounce)
    }
    assert found["cat"].phonetic == pytest.approx(total(SAID, labels("K", "AE", "T")), abs=1e-4)
    both = np.logaddexp(total(SAID, labels("T", "AH")), total(SAID, labels("T", "EY")))
    assert found["tomato"].phonetic == pytest.approx(both, abs=1e-4)
    for one in found.values():
        assert one.score == one.acoustic + one.bias + one.lm + one.phonetic


def test_the_phones_choose() -> None:
    nbest = [hypothesis("cad", -1.0), hypothesis("cat", -1.5)]
    assert [h.text for h in rescore(nbest, sounds("cat"), pronounce=pronounce)] == ["cat", "cad"]
    assert [h.text for h in rescore(nbest, sounds("cad"), pronounce=pronounce)] == ["cad", "cat"]
    weak = RescoreOptions(weight=0.01)
    assert [h.text for h in rescore(nbest, sounds("cat"), weak, pronounce=pronounce)] == ["cad", "cat"]


def test_without_a_weight_the_order_stays() -> None:
    nbest = [hypothesis("cad", -1.0), hypothesis("cat", -1.5)]
    assert rescore(nbest, sounds("cat"), RescoreOptions(weight=0.0), pronounce=pronounce) == nbest
    assert rescore([], sounds("cat"), pronounce=pronounce) == []


def test_two_searches_results_are_put_together() -> None:
    nbest = [hypothesis("cat", -1.0), hypothesis("cat", -1.0, bias=4.0), hypothesis("cad", -1.0)]
    found = rescore(nbest, SAID, RescoreOptions(weight=1.0, list_weight=0.5), pronounce=pronounce)
    assert sorted(h.text for h in found) == ["cad", "cat"]
    assert next(h for h in found if h.text == "cat").bias == 2.0


def test_a_word_without_pronunciation_has_no_phones() -> None:
    (found,) = rescore([hypothesis("hm", -1.0)], SAID, PLAIN, pronounce=pronounce)
    assert found.phonetic == pytest.approx(float(SAID[:, 0].sum()), abs=1e-4)


def test_what_does_not_fit_into_the_frames_is_last_and_finite() -> None:
    found = rescore([hypothesis("cat", -1.0), hypothesis("hm", -90.0)], SAID[:2], PLAIN, pronounce=pronounce)
    assert [h.text for h in found] == ["hm", "cat"] and np.isfinite(found[1].score)


def test_the_users_pronunciation_is_that_of_the_entitys_words() -> None:
    entities = EntityList([Entity("cad", pronunciation=("K AE T",))])
    nbest = Decoder(LABELS, options=DecodeOptions(bonus=1.0)).decode(letters("cad"), entities)[:1]
    assert nbest[0].words[0].entity == 0
    (own,) = rescore(nbest, SAID, PLAIN, pronounce=pronounce, entities=entities)
    assert own.phonetic == pytest.approx(total(SAID, labels("K", "AE", "T")), abs=1e-4)
    (usual,) = rescore(nbest, SAID, PLAIN, pronounce=pronounce)
    assert usual.phonetic == pytest.approx(total(SAID, labels("K", "AE", "D")), abs=1e-4)


@pytest.mark.parametrize(
    "options",
    [PLAIN, RescoreOptions(weight=0.5, temperature=0.7, list_weight=0.3), RescoreOptions(weight=0.0),
     RescoreOptions(weight=0.0, list_weight=0.5), RescoreOptions(per_frame=True)],
)  # fmt: skip
@pytest.mark.parametrize("entities", [None, ["cad", "bad"], [Entity("cad", pronunciation=("K AE T",))]])
def test_an_nbest_is_rescored_as_its_hypotheses_are(options: RescoreOptions, entities: list[str | Entity]) -> None:
    listed = EntityList(entities) if entities is not None else None
    decoder, graphs = Decoder(LABELS, options=DecodeOptions(nbest=30)), PhoneGraphs()
    log_probs, said = letters("call bad cad", 0.4), sounds("call bad cat", 0.8)
    (found,) = decoder.search_batch([log_probs], [listed], 1)
    made = rescore_nbest(found, said, options, graphs=graphs, entities=listed)
    assert made == rescore(decoder.decode(log_probs, listed), said, options, graphs=graphs, entities=listed)
    assert len(made) == 30 == len({one.tokens for one in made})


def test_of_equal_scores_the_text_that_comes_first_is_the_first() -> None:
    nbest = [hypothesis("cat", -1.0), hypothesis("cad", -1.0), hypothesis("hm", -2.0)]
    ranked = rescore(nbest, SAID, RescoreOptions(weight=0.0), pronounce=pronounce)
    assert [one.text for one in ranked] == ["cad", "cat", "hm"]


def test_per_frame_scores_do_not_depend_on_the_silence() -> None:
    nbest = [hypothesis("cat", -1.0)]
    short = rescore(nbest, sounds("cat"), RescoreOptions(per_frame=True), pronounce=pronounce)[0].phonetic
    assert short == pytest.approx(
        rescore(nbest, sounds("cat"), pronounce=pronounce)[0].phonetic * 100 / len(sounds("cat"))
    )


def test_bad_values() -> None:
    with pytest.raises(RescoringError, match="temperature is 0"):
        RescoreOptions(temperature=0)
    with pytest.raises(TypeError, match="either pronounce or graphs"):
        rescore([], SAID, pronounce=pronounce, graphs=PhoneGraphs())
    with pytest.raises(LogProbsError, match="phone_log_probs"):
        rescore([hypothesis("cat", 0.0)], np.full((3, 40), np.nan, np.float32), PLAIN, pronounce=pronounce)
    with pytest.raises(LogProbsError, match="phone_log_probs"):
        rescore([hypothesis("cat", 0.0)], SAID[:, :5], PLAIN, pronounce=pronounce)
