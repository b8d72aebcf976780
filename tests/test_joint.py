"""All techniques of decoder biasing in one decoder."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from asrbias.adapting import Adapted
from asrbias.decode_options import DecodeOptions
from asrbias.decoder import Decoder
from asrbias.entities import EntityList
from asrbias.evidence_options import EvidenceError, EvidenceOptions
from asrbias.joint import JointDecoder, JointError, JointOptions, JointTypeError
from asrbias.rescoring import RescoreOptions
from asrbias.variants import VariantOptions
from tests.toy_sounds import LABELS, letters, sounds

OFF = DecodeOptions(bonus=0.0, unigram=0.0)
HEARD = letters("call heely now", sure=0.6)  # what the letters say, and what the phones say
SAID = sounds("call healey now")
LIST = EntityList(["Healey", "Zurich"])
SOFT = EvidenceOptions(threshold=4.0)  # nats


def test_without_other_techniques_it_is_a_decoder() -> None:
    options = DecodeOptions(bonus=1.0, nbest=5)
    joint = JointDecoder(LABELS, options=JointOptions(decode=options))
    plain = Decoder(LABELS, options=options)
    assert joint.decode(HEARD, None, LIST) == plain.decode(HEARD, LIST)
    assert joint.decode(HEARD) == plain.decode(HEARD)


def test_each_technique_changes_what_it_is_for() -> None:
    none = JointDecoder(LABELS, options=JointOptions(decode=OFF)).decode(HEARD, SAID, LIST)
    assert none[0].text == "call heely now" and none[0].phonetic == 0.0
    rescored = JointDecoder(LABELS, options=JointOptions(decode=OFF, rescore=RescoreOptions()))
    assert rescored.decode(HEARD, SAID, LIST)[0].phonetic < 0.0
    for lookup in (SOFT, "exact"):
        found = JointDecoder(LABELS, options=JointOptions(decode=OFF, lookup=lookup)).decode(HEARD, SAID, LIST)
        assert [(word.text, word.entity) for word in found[0].words] == [("call", None), ("healey", 0), ("now", None)]
        assert found[0].score == found[0].acoustic + found[0].bias + found[0].lm + found[0].phonetic
        assert all(one.tokens != found[0].tokens for one in found[1:])


def test_variants_are_searched_for_and_marked_as_their_entity() -> None:
    entities = EntityList(["Zelenskyy"])
    options = JointOptions(decode=DecodeOptions(bonus=1.0), variants=VariantOptions(spellings=4))
    decoder = JointDecoder(LABELS, options=options)
    phrases = decoder.compile(entities)
    assert len(phrases.table) > 1 and set(phrases.table.entity.tolist()) == {0} and phrases.entities == entities
    assert decoder.compile(entities) is phrases
    variant = next(text for text in phrases.table.texts if text != "zelenskyy")
    word = decoder.decode(letters(variant), None, entities)[0].words[0]
    assert (word.text, word.entity) == (variant, 0)


def test_a_list_for_each_item_on_any_number_of_threads() -> None:
    options = JointOptions(decode=OFF, rescore=RescoreOptions(), lookup=SOFT)
    decoder = JointDecoder(LABELS, options=options)
    lists: list[EntityList | list[str] | None] = [LIST, None, [], EntityList(["Zurich"])]
    found = decoder.decode_batch([HEARD] * 4, [SAID] * 4, lists, threads=3)
    assert [one[0].text for one in found] == ["call healey now"] + ["call heely now"] * 3
    assert found == [decoder.decode(HEARD, SAID, one) for one in lists]
    assert found[1] == found[2]
    assert decoder.decode_batch([HEARD], [SAID], LIST) == [found[0]]


def test_the_dial_turns_the_evidence_too() -> None:
    def text(bias: float, threshold: float) -> str:
        soft = EvidenceOptions(threshold=threshold)
        options = JointOptions(decode=DecodeOptions(bonus=0.0, unigram=0.0, bias=bias), lookup=soft)
        return JointDecoder(LABELS, options=options).decode(HEARD, SAID, LIST)[0].text

    assert [text(bias, 2.0) for bias in (0.0, 1.0)] == ["call heely now", "call healey now"]
    assert [text(bias, 6.0) for bias in (1.0, 2.0)] == ["call heely now", "call healey now"]


def test_above_1_the_search_keeps_its_guard_where_evidence_is_weighed() -> None:
    def searched(**parts: EvidenceOptions | str) -> float:
        options = JointOptions(decode=DecodeOptions(bias=1.7), **parts)  # type: ignore[arg-type]
        return JointDecoder(LABELS, options=options).search.options.bias

    assert searched(lookup=SOFT) == searched(verify=EvidenceOptions()) == 1.0
    assert searched() == searched(lookup="exact") == 1.7


def test_what_the_search_proposes_must_pass_the_evidence() -> None:
    search = DecodeOptions(bonus=8.0)
    proposed = JointDecoder(LABELS, options=JointOptions(decode=search)).decode(HEARD, None, LIST)[0]
    assert "healey" in proposed.text.split()
    for threshold, expected in ((4.0, "call healey now"), (30.0, "call heely now")):
        options = JointOptions(decode=search, verify=EvidenceOptions(threshold=threshold))
        assert JointDecoder(LABELS, options=options).decode(HEARD, SAID, LIST)[0].text == expected
    with pytest.raises(JointError, match="lookup and verify differ"):
        JointOptions(lookup=SOFT, verify=EvidenceOptions())


def test_nothing_said() -> None:
    decoder = JointDecoder(LABELS, options=JointOptions(rescore=RescoreOptions(), lookup=SOFT))
    empty = decoder.decode(np.zeros((0, len(LABELS)), np.float32), np.zeros((0, 40), np.float32), LIST)
    assert empty[0].text == "" and empty[0].words == ()
    silence = np.log(np.full((9, len(LABELS)), 0.01, np.float32)), np.log(np.full((9, 40), 0.01, np.float32))
    for matrix in silence:
        matrix[:, 0] = -0.2
    assert decoder.decode(*silence, LIST)[0].text == ""


def test_what_does_not_fit_is_refused() -> None:
    decoder = JointDecoder(LABELS, options=JointOptions(lookup=SOFT))
    with pytest.raises(JointError, match="phone_log_probs is missing"):
        decoder.decode(HEARD, None, LIST)
    with pytest.raises(JointError, match="2 items but 1 phone posteriors"):
        decoder.decode_batch([HEARD, HEARD], [SAID])
    with pytest.raises(ValueError, match="60 frames and phone_log_probs 59"):
        decoder.decode(HEARD, SAID[:59], LIST)
    with pytest.raises(JointTypeError, match="a list of entities for each item"):
        decoder.decode_batch([HEARD], [SAID], ["Healey"])
    with pytest.raises(JointError, match="1 items but 2 entity lists"):
        decoder.decode_batch([HEARD], [SAID], [None, None])
    with pytest.raises(JointTypeError, match="rescore is 1; it must be a RescoreOptions or None"):
        JointOptions(rescore=1)  # type: ignore[arg-type]
    with pytest.raises(JointTypeError, match="decode is None; it must be a DecodeOptions"):
        JointOptions(decode=None)  # type: ignore[arg-type]
    with pytest.raises(JointTypeError, match="lookup is 'best'; it must be a EvidenceOptions, 'exact' or None"):
        JointOptions(lookup="best")  # type: ignore[arg-type]
    with pytest.raises(JointTypeError, match="options is DecodeOptions"):
        JointDecoder(LABELS, options=DecodeOptions())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        JointOptions(),
        JointOptions(decode=DecodeOptions(beam=5, bonus=2.0), rescore=RescoreOptions(weight=0.25)),
        JointOptions(lookup="exact", variants=VariantOptions(spellings=7)),
        JointOptions(lookup=EvidenceOptions(threshold=3.0)),
    ],
)
def test_options_as_json(options: JointOptions) -> None:
    assert JointOptions.from_json(json.loads(json.dumps(options.to_json()))) == options


def test_options_of_the_search_alone_are_read_too() -> None:
    assert JointOptions.from_json({"beam": 7, "bonus": 0.5}) == JointOptions(decode=DecodeOptions(beam=7, bonus=0.5))
    assert JointOptions.from_json({}) == JointOptions()
    with pytest.raises(JointError, match="'beem' is no option of decode"):
        JointOptions.from_json({"beem": 7})
    with pytest.raises(JointError, match="'beam' is no option; there are decode, rescore"):
        JointOptions.from_json({"decode": {}, "beam": 7})
    with pytest.raises(JointTypeError, match="rescore is 3; it must be a JSON object"):
        JointOptions.from_json({"rescore": 3})
    with pytest.raises(EvidenceError, match="threshold is None"):
        JointOptions.from_json({"lookup": {"threshold": None}})


# --- with an adapter ---


def adapted(text: str, attention: float) -> Adapted:
    """As if an adapter had made `text` of what was heard, attending to the first of LIST where the second word is."""
    each = len(HEARD) / len("call heely now")
    shares = np.zeros((len(HEARD), 2), np.float32)
    shares[round(5 * each) : round(10 * each), 1] = attention
    shares[:, 0] = 1 - shares[:, 1]
    return Adapted(letters(text, sure=0.9), shares, (0,))


def test_what_the_adapter_made_is_searched_and_the_rest_stays_as_it_was_heard() -> None:
    told = adapted("bald healey now", 0.9)
    assert len(told.log_probs) == len(HEARD)
    search = JointDecoder(LABELS, options=JointOptions(decode=OFF))
    assert search.decode(HEARD, SAID, LIST, told)[0].text == "bald healey now"
    assert search.decode(HEARD, SAID, None, told)[0].text == "call heely now", "without a list nothing is adapted"
    both = JointDecoder(LABELS, options=JointOptions(decode=OFF, lookup=SOFT))
    found = both.decode(HEARD, SAID, LIST, told)[0]
    assert [(word.text, word.entity) for word in found.words] == [("call", None), ("healey", 0), ("now", None)]


def test_attention_and_what_the_search_wrote_are_evidence() -> None:
    def text(evidence: EvidenceOptions, told: Adapted | None) -> str:
        return (
            JointDecoder(LABELS, options=JointOptions(decode=OFF, lookup=evidence))
            .decode(HEARD, SAID, LIST, told)[0]
            .text
        )

    strict = EvidenceOptions(threshold=25.0)
    assert text(strict, adapted("call healey now", 0.9)) == "call heely now"
    assert text(replace(strict, attended_weight=3.0), adapted("call healey now", 0.9)) == "call healey now"
    assert text(replace(strict, attended_weight=3.0), adapted("call healey now", 0.0)) == "call heely now"
    assert text(replace(strict, written=30.0), adapted("call healey now", 0.0)) == "call healey now"
    assert text(replace(strict, written=30.0), adapted("call heely now", 0.0)) == "call heely now"
    assert text(replace(strict, written=30.0, attended_weight=3.0), None) == "call heely now"


def test_the_guard_is_for_a_search_whose_text_stays() -> None:
    options = JointOptions(
        decode=DecodeOptions(bonus=8.0, guard_character=0.0), lookup=EvidenceOptions(threshold=25.0, written=30.0)
    )
    decoder = JointDecoder(LABELS, options=options)
    told = Adapted(HEARD, np.eye(1, 2).repeat(len(HEARD), 0).astype(np.float32), (0,))
    found = decoder.decode_batch([HEARD] * 3, [SAID] * 3, EntityList.coerce(LIST), adapted=[told, None, told])
    assert [one[0].text for one in found] == ["call healey now", "call heely now", "call healey now"]


def test_what_is_heard_without_the_list_is_marked_all_the_same() -> None:
    strict = JointOptions(decode=OFF, lookup=EvidenceOptions(threshold=900.0))
    listed = EntityList(["call", "now then", "Now", "Zurich"])
    told = Adapted(HEARD, np.ones((len(HEARD), 1), np.float32), ())
    found = JointDecoder(LABELS, options=strict).decode(HEARD, SAID, listed, told)[0]
    assert [(word.text, word.entity, word.entity_span) for word in found.words] == [
        ("call", 0, (0, 0)), ("heely", None, None), ("now", 2, (2, 2))
    ]  # fmt: skip
