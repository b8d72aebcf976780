"""Formats, and one sentence with id and line for what is wrong in them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from asrbias.score import score_utterances
from asrbias.score_files import read_run, same_utterances
from asrbias.score_results import ScoreInputError, WordErrors


def write(path: Path, *rows: str) -> Path:
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    return path


def jsonl(path: Path, *rows: dict[str, object]) -> Path:
    return write(path, *(json.dumps(row) for row in rows))


def errors(file: Path, refs: Path | None = None, format: str = "auto") -> WordErrors:
    return score_utterances(read_run(file, refs, format=format).utterances).totals.wer


ONE_SUBSTITUTED = WordErrors(ref_words=3, subs=1, ins=0, dels=0)


def test_json_lines(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "out.jsonl",
        {"id": "x", "text": "Call Kyiv!", "hypothesis": "call keef", "entities": ["Kyiv"], "duration": 2.5, "age": 7},
        {"id": "y", "text": "now", "hypothesis": "now", "entities": [{"phrase": "Jim"}], "list": ["Jim", "Kim"]},
    )
    assert errors(file) == ONE_SUBSTITUTED
    first, second = read_run(file).utterances
    assert (first.entities, first.list, first.duration, first.fields["age"]) == (("Kyiv",), None, 2.5, 7)
    assert (second.entities, second.list) == (("Jim",), ("Jim", "Kim"))


def test_references_and_hypotheses_in_two_json_files(tmp_path: Path) -> None:
    refs = jsonl(tmp_path / "refs.jsonl", {"id": "x", "text": "call kyiv now", "entities": ["Kyiv"], "list": ["a"]})
    hyps = jsonl(tmp_path / "hyps.jsonl", {"id": "x", "hypothesis": "call keef now", "list": ["Kyiv", "Jim"]})
    assert errors(hyps, refs) == ONE_SUBSTITUTED
    assert read_run(hyps, refs).utterances[0].list == ("Kyiv", "Jim")  # the one the run used
    assert errors(jsonl(tmp_path / "texts.jsonl", {"id": "x", "text": "call keef now"}), refs) == ONE_SUBSTITUTED


def test_is21(tmp_path: Path) -> None:
    refs = write(tmp_path / "refs.tsv", 'x\tcall kyiv now\t["kyiv"]\t["jim", "kyiv"]')
    hyps = write(tmp_path / "hyps.tsv", "x\tcall keef now")
    run = read_run(hyps, refs)
    assert run.format == "is21"
    assert run.utterances[0].biasing_words == {"kyiv"}
    assert run.utterances[0].list == ("jim", "kyiv")
    assert errors(hyps, refs) == ONE_SUBSTITUTED
    assert errors(write(tmp_path / "empty.tsv", "x\t"), refs) == WordErrors(3, 0, 0, 3)


def test_gzip_is_seen_by_its_first_bytes(tmp_path: Path) -> None:
    refs = tmp_path / "refs"
    refs.write_bytes(gzip.compress(b'x\ta b c\t["a"]\t["a"]\n'))
    assert errors(write(tmp_path / "hyps.tsv", "x\ta b d"), refs) == ONE_SUBSTITUTED


def test_kaldi(tmp_path: Path) -> None:
    refs = write(tmp_path / "text", "x call kyiv", "y now")
    hyps = write(tmp_path / "hyp", "y now", "x  call keef")
    assert errors(hyps, refs, "kaldi") == ONE_SUBSTITUTED
    assert errors(write(tmp_path / "none", "y now", "x"), refs, "kaldi") == WordErrors(3, 0, 0, 2)


def test_kaldi_hypotheses_of_a_manifest(tmp_path: Path) -> None:
    refs = jsonl(tmp_path / "manifest.jsonl", {"id": "x", "text": "call kyiv now", "entities": ["Kyiv"]})
    assert errors(write(tmp_path / "hyp", "x call keef now"), refs, "kaldi") == ONE_SUBSTITUTED


def test_nemo(tmp_path: Path) -> None:
    row = {"audio_filepath": "a.wav", "duration": 1.5, "text": "call kyiv now", "pred_text": "call keef now"}
    file = jsonl(tmp_path / "out.json", row)
    assert errors(file) == ONE_SUBSTITUTED
    assert read_run(file).utterances[0].id == "a.wav"


def test_plain_text(tmp_path: Path) -> None:
    refs = write(tmp_path / "refs.txt", "call kyiv", "now")
    assert errors(write(tmp_path / "hyps.txt", "call keef", "now"), refs, "text") == ONE_SUBSTITUTED
    assert errors(write(tmp_path / "none.txt", "call kyiv", ""), refs, "text") == WordErrors(3, 0, 0, 1)


def test_list_in_a_file_beside_the_lines(tmp_path: Path) -> None:
    write(tmp_path / "names.txt", "Jim", "Kim")
    row = {"text": "a", "hypothesis": "a", "list": "names.txt"}
    one, two = read_run(jsonl(tmp_path / "out.jsonl", {"id": "x", **row}, {"id": "y", **row})).utterances
    assert sorted(one.list or ()) == ["Jim", "Kim"]
    assert one.list is two.list


def test_common_list(tmp_path: Path) -> None:
    names = write(tmp_path / "names.txt", "Jim", "Kim")
    file = jsonl(tmp_path / "out.jsonl", {"id": "x", "text": "a", "hypothesis": "a", "list": ["b"]})
    assert sorted(read_run(file, common_list=names).utterances[0].list or ()) == ["Jim", "Kim", "b"]


GOOD = '{"id": "x", "text": "a", "hypothesis": "a"}'


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([GOOD, GOOD], r"The id 'x' is twice in one file, at line 1 of .* and line 2 of"),
        ([GOOD, "{"], r"line 2 of .* is not JSON"),
        ([GOOD, '{"text": "a"}'], r"line 2 of .* has no `id`"),
        (['{"id": "x", "text": "  ", "hypothesis": "a"}'], r"line 1 of .* \('x'\) has an empty reference"),
        (['{"id": "x", "hypothesis": "a"}'], r"line 1 of .* \('x'\) has no reference"),
        (['{"id": "x", "text": "a"}'], r"line 1 of .* \('x'\) has no hypothesis"),
        (['{"id": "x", "text": "a", "hypothesis": "a", "entities": "Kyiv"}'], r"`entities` is 'Kyiv' at line 1"),
        (['{"id": "x", "text": "a", "hypothesis": "a", "list": [1]}'], r"`list` is \[1\] at line 1"),
        (['{"id": "x", "text": "a", "hypothesis": "a", "list": "none.txt"}'], r"none.txt"),
        (['{"id": "x", "text": "a", "hypothesis": "a", "duration": -1}'], r"`duration` is -1 at line 1"),
        (['{"id": "x", "text": ["a"], "hypothesis": "a"}'], r"`text` is \['a'\] at line 1"),
        (["a line"], r"cannot be told from its first line, 'a line'; name it with --format"),
        (["x\ta b"], r"give it as --hyps and the references as --refs"),
        ([], r"cannot be told|holds no utterance"),
    ],
)
def test_bad_file_gives_a_sentence(tmp_path: Path, rows: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_run(write(tmp_path / "out.jsonl", *rows))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ('x\ta b\t["q"]\t["a"]', r"column 3\) hold 'q', which the reference does not have, at line 1 of .* \('x'\)"),
        ("x\ta b\ta, b\t[]", r"rare words \(column 3\) are 'a, b' at line 1"),
        ('x\ta b\t["a"]\t"a"', r"biasing list \(column 4\) are '\"a\"' at line 1"),
        ('x a b\t["a"]\t["a"]', r"has a space; is21 columns are separated by tabs"),
    ],
)
def test_word_list_in_the_wrong_place(tmp_path: Path, row: str, sentence: str) -> None:
    with pytest.raises(ScoreInputError, match=sentence):
        read_run(write(tmp_path / "hyps.tsv", "x\ta b"), write(tmp_path / "refs.tsv", row))


def test_utterance_in_one_file_only(tmp_path: Path) -> None:
    refs, hyps = write(tmp_path / "refs", "x a", "y b"), write(tmp_path / "hyps", "x a")
    with pytest.raises(ScoreInputError, match=r"line 2 of .*refs \('y'\) has a reference, but .*hyps has no such"):
        read_run(hyps, refs, format="kaldi")
    with pytest.raises(ScoreInputError, match=r"line 2 of .*refs \('y'\) has a hypothesis, but .*hyps has no such"):
        read_run(refs, hyps, format="kaldi")
    run = read_run(hyps, refs, format="kaldi", partial=True)
    assert [u.id for u in run.utterances] == ["x"]
    assert "1 utterances were left out" in run.notes[0]


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"RIFF\xff\xfe\x00")
    with pytest.raises(ScoreInputError, match="is not UTF-8 text"):
        read_run(tmp_path / "x")
    with pytest.raises(ScoreInputError, match="does not exist; check the path"):
        read_run(tmp_path / "absent")


def test_second_system_is_judged_on_the_list_of_the_first(tmp_path: Path) -> None:
    a = jsonl(tmp_path / "a.jsonl", {"id": "x", "text": "a b", "hypothesis": "a b", "list": ["Jim"]})
    b = jsonl(tmp_path / "b.jsonl", {"id": "x", "text": "a b", "hypothesis": "a jim", "list": []})
    _, second = same_utterances(read_run(a).utterances, read_run(b), partial=False)
    assert second[0].list == ("Jim",)
    assert score_utterances(second).totals.entities.false_hits == 1


def test_second_system_of_other_references_is_refused(tmp_path: Path) -> None:
    a = jsonl(tmp_path / "a.jsonl", {"id": "x", "text": "a b", "hypothesis": "a b"})
    b = jsonl(tmp_path / "b.jsonl", {"id": "x", "text": "a c", "hypothesis": "a b"})
    c = jsonl(tmp_path / "c.jsonl", {"id": "z", "text": "a b", "hypothesis": "a b"})
    with pytest.raises(ScoreInputError, match="references of 'x' differ"):
        same_utterances(read_run(a).utterances, read_run(b), partial=False)
    with pytest.raises(ScoreInputError, match="'x' is in the first system's file only"):
        same_utterances(read_run(a).utterances, read_run(c), partial=False)
