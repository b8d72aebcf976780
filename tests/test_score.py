"""Error rates and entity counts, each by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asrbias.score
from asrbias.score import Score, ScoreInputError, score
from asrbias.score_results import EntityCounts, WordErrors

texts = st.lists(st.sampled_from(["the", "a", "york", "new", "it"]), min_size=1, max_size=12).map(" ".join)


def one(reference: str, hypothesis: str, entities: list[str], listed: list[str] | None = None) -> Score:
    return score([reference], [hypothesis], entities=[entities], lists=None if listed is None else [listed])


@settings(max_examples=1000, deadline=None)
@given(texts, st.one_of(st.just(""), texts))
def test_wer_and_cer_equal_jiwer(reference: str, hypothesis: str) -> None:
    jiwer = pytest.importorskip("jiwer")
    totals = score(reference, hypothesis).totals
    assert totals.wer.error_rate == pytest.approx(100 * jiwer.wer(reference, hypothesis), abs=1e-9)
    assert totals.cer.error_rate == pytest.approx(100 * jiwer.cer(reference, hypothesis), abs=1e-9)


def test_biased_and_unbiased_words() -> None:
    totals = one("i saw siobhan near york today", "i saw shivaun siobhan near today now", ["Siobhan", "York"]).totals
    # inserted: shivaun, now; deleted: york
    assert totals.b_wer == WordErrors(ref_words=2, subs=0, ins=0, dels=1)
    assert totals.u_wer == WordErrors(ref_words=4, subs=0, ins=2, dels=0)
    assert totals.wer == WordErrors(ref_words=6, subs=0, ins=2, dels=1)


def test_inserted_biasing_word_counts_as_biased() -> None:
    assert one("call york", "call york york", ["York"]).totals.b_wer == WordErrors(1, 0, 1, 0)


def test_wer_takes_the_fewest_errors_and_says_where_is21_has_more() -> None:
    reference, hypothesis = "p q r s t", "s t x y z"
    result = score(reference, hypothesis)
    assert result.totals.wer.errors == 5
    assert result.totals.u_wer.errors == 6
    assert "1 errors more than WER" in result.notes[0]
    assert score(reference, hypothesis, wer_alignment="is21").totals.wer.errors == 6


def test_phrase_is_one_unit() -> None:
    assert one("in new york", "in new work", ["New York"]).totals.entities == EntityCounts(0, 1, 0)
    assert one("in new york", "in new york", ["New York"]).totals.entities == EntityCounts(1, 0, 0)


def test_entity_that_appears_twice() -> None:
    result = one("kyiv is kyiv", "keef is kyiv", ["Kyiv"])
    assert result.totals.entities == EntityCounts(hits=1, misses=1, false_hits=0)
    assert result.utterances[0].missed[0].start == 0


def test_overlapping_entities_are_judged_each_on_its_own() -> None:
    entities = ["New York", "York Times", "York"]
    assert one("the new york times", "the new york times", entities).totals.entities == EntityCounts(3, 0, 0)
    assert one("the new york times", "the new york time", entities).totals.entities == EntityCounts(2, 1, 0)


def test_entity_with_words_inserted_inside_is_missed() -> None:
    counts = one("in new york city", "in new uh i mean york city", ["New York"]).totals.entities
    assert counts == EntityCounts(0, 1, 0)


def test_entity_beside_a_line_of_insertions_is_found() -> None:
    counts = one("in new york", "in the the the very very new york", ["New York"]).totals.entities
    assert counts == EntityCounts(1, 0, 0)


def test_entity_is_no_part_of_a_word() -> None:
    result = one("more memos for mo", "more memos for mo", ["Mo", "memo"])
    assert result.totals.entities == EntityCounts(hits=1, misses=0, false_hits=0)
    assert result.utterances[0].unspoken == ("memo",)


def test_listed_phrase_that_was_not_spoken_is_a_false_hit() -> None:
    counts = one("call him now", "call jim now", [], ["Jim", "Kim"]).totals.entities
    assert counts == EntityCounts(0, 0, 1)
    assert counts.f1 is None and counts.precision == 0.0


def test_false_hit_of_a_phrase_and_of_its_part_both_count() -> None:
    counts = one("a newer cork", "a new york", [], ["New York", "York"]).totals.entities
    assert counts == EntityCounts(0, 0, 2)


def test_entity_in_the_wrong_place_is_missed_and_a_false_hit() -> None:
    counts = one("kyiv calls us today", "keef calls us kyiv today", ["Kyiv"]).totals.entities
    assert counts == EntityCounts(0, 1, 1)
    assert counts.precision == counts.recall == counts.f1 == 0.0


def test_listed_phrase_that_was_spoken_is_no_false_hit() -> None:
    assert one("call jim", "call jim", [], ["Jim"]).totals.entities == EntityCounts(0, 0, 0)


def test_without_entities_those_of_the_list_that_are_spoken_count() -> None:
    result = score(["call jim"], ["call kim"], lists=["Jim", "Kim"])
    assert result.totals.entities == EntityCounts(hits=0, misses=1, false_hits=1)


def test_written_forms_are_matched_in_normalised_words() -> None:
    counts = one("He saw Łódź, the post-season and 3M.", "he saw lodz the post season and three m",
                 ["Łódź", "post-season", "3M"]).totals.entities  # fmt: skip
    assert counts == EntityCounts(3, 0, 0)


def test_entities_that_are_not_spoken_are_said_to_be_distractors() -> None:
    notes = one("call jim", "call jim", ["Jim", "Kim"], ["Jim", "Kim", "Tim"]).notes
    assert "'Kim' in '1'" in notes[0]


def test_false_hits_by_time_and_words() -> None:
    result = score(["a b", "c d"], ["a jim", "c d"], lists=["Jim"], durations=[1800.0, 1800.0])
    assert result.totals.false_hits_per_hour == 1.0
    assert result.totals.false_hits_per_1000_words == 250.0


def test_normalisation_is_a_choice() -> None:
    assert score("A b.", "a b", normalisation="none").totals.wer.errors == 2
    assert score("A b.", "a b", normalisation="basic").totals.wer.errors == 0
    with pytest.raises(ValueError, match="choose one of none, basic, english"):
        score("a", "a", normalisation="some")


def test_english_normalisation() -> None:
    pytest.importorskip("whisper_normalizer")
    assert score("Uh, the colour isn't 20!", "the color is not twenty", normalisation="english").totals.wer.errors == 0


@pytest.mark.parametrize(
    ("references", "hypotheses", "sentence"),
    [
        (["a", "b"], ["a"], "'2' has no hypothesis"),
        ({"x": "a"}, {"y": "a"}, "'x' has no hypothesis"),
        (["a", "..."], ["a", "b"], "The reference of '2' is empty"),
        ([], [], "no utterance to score"),
    ],
)
def test_bad_input_gives_a_sentence(references: object, hypotheses: object, sentence: str) -> None:
    with pytest.raises(ScoreInputError, match=sentence):
        score(references, hypotheses)  # type: ignore[arg-type]


def test_partial_scores_what_both_have() -> None:
    result = score({"x": "a", "y": "b", "z": ""}, {"x": "a", "z": "c"}, partial=True)
    assert result.totals.utterances == 1
    assert "1 utterances with an empty reference were left out, the first 'z'" in result.notes[0]


def test_wrong_shapes_of_entities() -> None:
    with pytest.raises(ScoreInputError, match="2 lists of entities for 1 utterances"):
        score(["a"], ["a"], entities=[["x"], ["y"]])
    with pytest.raises(ScoreInputError, match="entities is a string"):
        score(["a"], ["a"], entities="x")


def test_the_module_can_be_called() -> None:
    assert asrbias.score(["a b"], ["a c"]).totals.wer.errors == 1  # type: ignore[operator,unused-ignore]


def test_scoring_needs_no_torch() -> None:
    code = "import sys, asrbias.score_command; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
