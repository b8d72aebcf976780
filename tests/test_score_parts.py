"""Groups, single entities, intervals, and the command line with its outputs."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import numpy as np
import pytest

from asrbias.normalisation import Normaliser
from asrbias.score import Score, Utterance, score_utterances
from asrbias.score_command import add_arguments, run, short_names
from asrbias.score_groups import gaps, group_by, nominal_size, per_entity, read_seen, split_by_seen
from asrbias.score_results import EntityCounts, ScoreInputError
from asrbias.significance import BootstrapOptions, compare, intervals


def score_of(*rows: tuple[str, str], entities: tuple[str, ...] = (), **fields: list[object]) -> Score:
    return score_utterances(
        [
            Utterance(
                id=str(k),
                reference=reference,
                hypothesis=hypothesis,
                entities=entities,
                fields={name: values[k] for name, values in fields.items()},
            )
            for k, (reference, hypothesis) in enumerate(rows)
        ]
    )


def test_groups_and_their_largest_gap() -> None:
    good, bad = ("a " * 200, "a " * 200), ("a " * 200, "b " * 50 + "a " * 150)
    result = score_of(good, bad, bad, ("a", "b"), accent=["welsh", "scots", "", "manx"])
    groups = group_by(result.utterances, "accent")
    assert [(g.value, g.totals.wer.errors) for g in groups] == [
        ("(unknown)", 50), ("scots", 50), ("welsh", 0), ("manx", 1)]  # fmt: skip
    (gap,) = gaps(groups)  # neither the unknown nor the single word
    assert (gap.metric, gap.worst, gap.best, gap.points) == ("wer", "scots", "welsh", 25.0)


def test_group_by_a_field_that_is_not_there() -> None:
    with pytest.raises(ScoreInputError, match="the field 'acent' to group by; the fields are accent"):
        group_by(score_of(("a", "a"), accent=["x"]).utterances, "acent")


def test_per_entity_and_seen(tmp_path: Path) -> None:
    (tmp_path / "seen.txt").write_text("New\t12\nyork\t3\n")
    seen = read_seen(tmp_path / "seen.txt", Normaliser("basic"))
    result = score_of(("new york kyiv", "new york keef"), ("kyiv", "kyiv new york"), entities=("New York", "Kyiv"))
    rows = per_entity(result.utterances, seen)
    assert [(r.phrase, r.counts, r.seen) for r in rows] == [
        ("kyiv", EntityCounts(1, 1, 0), False),
        ("new york", EntityCounts(1, 0, 1), True),
    ]
    assert split_by_seen(result.utterances, seen) == (EntityCounts(1, 0, 1), EntityCounts(1, 1, 0))


def test_phrases_are_no_list_of_seen_words(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("york\nnew york\n")
    with pytest.raises(ScoreInputError, match=r"Line 2 of .* is 'new york'; a list of seen words"):
        read_seen(tmp_path / "names.txt", Normaliser("basic"))


@pytest.mark.parametrize(("size", "nominal"), [(0, 0), (1, 1), (3, 2), (104, 100), (1003, 1000), (8000, 10_000)])
def test_list_sizes_are_rounded(size: int, nominal: int) -> None:
    assert nominal_size(size) == nominal


def test_interval_of_a_share_is_the_binomial_one() -> None:
    rng = np.random.default_rng(1)
    result = score_of(*(("a", "b" if wrong else "a") for wrong in rng.random(400) < 0.25))
    found = intervals(result.utterances, BootstrapOptions(resamples=4000))["wer"]
    p = (result.totals.wer.error_rate or 0) / 100
    half = 196 * (p * (1 - p) / 400) ** 0.5
    assert found.low == pytest.approx(100 * p - half, abs=0.7)
    assert found.high == pytest.approx(100 * p + half, abs=0.7)
    assert found == intervals(result.utterances, BootstrapOptions(resamples=4000))["wer"]  # seeded


def test_paired_comparison() -> None:
    same = [("a b", "a b"), ("c d", "c x")] * 10
    better = score_of(*same, ("e f", "e f"), ("g h", "g h"))
    worse = score_of(*same, ("e f", "e x"), ("g h", "x h"))
    ours, _, (wer, *_) = compare(better.utterances, worse.utterances, BootstrapOptions(resamples=2000))
    assert wer.difference == pytest.approx(100 * (10 - 12) / 44)
    assert wer.interval.high <= 0  # never worse, as the rest is the same in every resample
    assert 0.85 < wer.first_better < 1
    assert "b_wer" not in ours  # no entity, no rate
    _, _, (tie, *_) = compare(better.utterances, better.utterances, BootstrapOptions(resamples=100))
    assert tie.first_better == 0.5


def test_resampling_whole_speakers_widens_the_interval() -> None:
    rows = [("a", "b")] * 50 + [("a", "a")] * 50
    result = score_of(*rows, speaker=["x"] * 50 + ["y"] * 50)
    by_speaker = intervals(result.utterances, BootstrapOptions(resamples=500, unit="speaker"))["wer"]
    assert (by_speaker.low, by_speaker.high) == (0.0, 100.0)
    with pytest.raises(ScoreInputError, match="'0' has no `room`"):
        intervals(result.utterances, BootstrapOptions(unit="room"))


def command(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(a) for a in arguments]))


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three runs with lists of 1, 10 and 100 phrases; the second finds the entity."""
    files = []
    for size, said in ((1, "call keef now"), (10, "call kyiv now"), (100, "call keef now now</script>")):
        row = {"text": "call Kyiv now", "entities": ["Kyiv"], "list": ["Kyiv", *(f"name {k}" for k in range(1, size))]}
        files.append(tmp_path / f"run.{size}.jsonl")
        files[-1].write_text("".join(
            json.dumps({"id": f"u{k}", **row, "hypothesis": said, "accent": "welsh"}) + "\n" for k in range(3)
        ))  # fmt: skip
    return files


def test_json_output(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(runs[1], "--baseline", runs[0], "--by", "accent", "--resamples", 200, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["normalisation"] == "basic"
    assert data["entities"]["f1"] == 100.0
    assert data["baseline"]["entities"]["recall"] == 0.0
    assert data["comparison"]["f1"]["probability_main_better"] == 1.0
    assert data["groups"][0]["value"] == "welsh"
    assert data["per_entity"] == [{"phrase": "kyiv", "hits": 3, "misses": 0, "false_hits": 0}]


def test_table_output(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(runs[0]) == 0
    printed = capsys.readouterr().out
    assert "normalisation basic" in printed
    assert re.search(r"Entities always missed \(1\)", printed)


def test_is21_lines_are_printed_as_they_are_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "refs.tsv").write_text('x\ta b c\t["c"]\t["c"]\n')
    (tmp_path / "hyps.tsv").write_text("x\ta b d\n")
    assert command("--format", "is21", "--refs", tmp_path / "refs.tsv", "--hyps", tmp_path / "hyps.tsv") == 0
    assert capsys.readouterr().out.startswith(
        "WER: error_rate=33.333333333333336, ref_words=3, subs=1, ins=0, dels=0\n"
        "U-WER: error_rate=0.0, ref_words=2, subs=0, ins=0, dels=0\n"
        "B-WER: error_rate=100.0, ref_words=1, subs=1, ins=0, dels=0\n"
    )


def test_report_and_plot(runs: list[Path], tmp_path: Path) -> None:
    report, plot, rows = tmp_path / "r.html", tmp_path / "p.svg", tmp_path / "u.jsonl"
    assert command(*runs, "--bonus", "0,1,2", "--html", report, "--plot", plot, "--utterances", rows) == 0
    page = report.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:)|@import|url\(""", page)  # self-contained
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert data["utterances"][0]["systems"][0]["pairs"][1] == ["kyiv", "keef", "m", ""]
    assert [row[1:3] for t in data["tables"] if t["title"] == "Runs" for row in t["rows"]] == [
        [1, 0],
        [10, 1],
        [100, 2],
    ]
    assert plot.read_text().count("<polyline") == 6
    assert json.loads(rows.read_text().splitlines()[0])["missed"] == [["kyiv", 1, 2]]


def test_text_from_files_cannot_end_the_script(runs: list[Path], tmp_path: Path) -> None:
    assert command(runs[2], "--normalisation", "none", "--html", tmp_path / "r.html") == 0
    assert "now</script>" not in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "nothing to score"),
        (["absent.jsonl"], "absent.jsonl does not exist"),
        (["{0}", "--bonus", "1,2"], "2 numbers for 1 runs"),
        (["{0}", "--bonus", "x"], "give numbers separated by commas"),
        (["{0}", "--resamples", "5"], "take at least 100"),
        (["{0}", "--by", "acent"], "the fields are accent"),
        (["{0}", "{0}", "--plot", "p.svg"], "nothing to plot over"),
    ],
)
def test_command_gives_one_sentence(
    runs: list[Path], capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert command(*(a.format(*runs) for a in arguments)) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


def test_names_of_files() -> None:
    assert short_names([Path("a/out.jsonl")]) == ["out"]
    assert short_names([Path("a/out.jsonl"), Path("b/out.jsonl")]) == ["a/out.jsonl", "b/out.jsonl"]
    long = [Path(f"test-clean.{name}.biasing_100.tsv.gz") for name in ("s2.b1+wfst", "s5.s3+db-nnlm")]
    assert short_names(long) == ["s2.b1+wfst", "s5.s3+db-nnlm"]
