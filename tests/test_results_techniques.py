"""recipes/results/techniques.py and list_size.py: what they say of the numbers, on a toy ablation."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "recipes" / "results"))

import list_size
import techniques

from asrbias.ablation import Ablation, Table, make_rows
from asrbias.ablation_runs import Condition
from asrbias.ablation_settings import Setting
from asrbias.joint import JointOptions
from asrbias.score import Score, Utterance, score_utterances
from asrbias.significance import BootstrapOptions
from asrbias.techniques import Setup

OWN, MORE, ALONE = Condition(count=100), Condition(count=1_000), Condition(count=1_000, own=False)
DRAWS = BootstrapOptions(resamples=200)


def _score(found: int, false_hits: int = 0) -> Score:
    """Forty utterances, each with a name; `found` of them have it right, `false_hits` of them have another one."""
    said = []
    for n in range(40):
        name = "siobhan" if n < found else "chevron"
        other = "kyiv" if n >= 40 - false_hits else "now"
        text = f"call {name} {other}"
        said.append(
            Utterance(id=str(n), reference="call siobhan now", hypothesis=text, entities=("Siobhan",), list=("Kyiv",))
        )
    return score_utterances(said)


def _setting(name: str, kind: str, base: str | None) -> Setting:
    return Setting(name=name, kind=kind, setup=Setup(options=JointOptions(), lm=True), technique=name, base=base)


SETTINGS = [
    _setting("none", "none", None),
    _setting("good alone", "alone", "none"),
    _setting("idle alone", "alone", "none"),
    _setting("all", "all", "none"),
    _setting("all but good", "all but", "all"),
    _setting("all but idle", "all but", "all"),
]


def _ablation(alone: Sequence[Score]) -> Ablation:
    scores = [_score(n) for n in (4, 20, 4, 24, 8, 34)]
    kept = SETTINGS[:4]
    tables = (
        Table(condition=OWN, rows=make_rows(SETTINGS, scores, DRAWS)),
        Table(condition=MORE, rows=make_rows(kept, scores[:4], DRAWS)),
        Table(condition=ALONE, rows=make_rows(kept, alone, DRAWS)),
    )
    return Ablation(utterances=40, words=120, entities=40, tables=tables, bootstrap=DRAWS)


def test_what_is_not_as_it_should_be_is_said() -> None:
    worse = _ablation([_score(0), _score(0), _score(0), _score(0, false_hits=20)])
    assert list(techniques.plain(worse)) == [
        'own entities and 100 distractors: no certain gain of F1 over none in "idle alone".',
        'own entities and 100 distractors: F1 is certainly higher than with all in "all but idle".',
        'own entities and 100 distractors: taken away from all, F1 does not certainly fall by "idle".',
        'own entities and 1,000 distractors: no certain gain of F1 over none in "idle alone".',
        '1,000 distractors alone: WER is certainly worse than without a list in "all".',
    ]
    assert list(techniques.plain(_ablation([_score(0)] * 4)))[-1].endswith("without a list in no row.")


def test_tables_have_a_row_a_setting() -> None:
    found = _ablation([_score(0)] * 4)
    whole = techniques.table(found.tables[0]).splitlines()
    assert len(whole) == 2 + len(SETTINGS) and whole[2].startswith("| none | 30.00 | 18.2 (")
    short = techniques.short(found.tables).splitlines()
    assert [line.split(" | ")[0] for line in short[2:]] == ["| none", "| good alone", "| idle alone", "| all"]
    assert short[0].count("own entities") == 4  # F1 and WER of both lists; nothing can be found in distractors alone


def test_what_longer_lists_keep_of_the_gain() -> None:
    none = {OWN: _score(4), MORE: _score(4), ALONE: _score(0)}
    kept = {OWN: _score(24), MORE: _score(14), ALONE: _score(0, false_hits=20)}
    scores = {(c, bias): score for c, score in kept.items() for bias in list_size.BIASES}
    first, second, already = list_size.remarks(scores, none)
    gains = [2 * n / (40 + n) - 2 * 4 / 44 for n in (24, 14)]
    assert f"1,000 distractors keep {100 * gains[1] / gains[0]:.0f} % at `--bias 1`" in first
    assert (
        second.startswith("- 1,000 distractors alone, WER against no list: +16.67 (")
        and second.count("certainly worse") == 3
    )
    assert already.endswith("counted by the same lists in 1,000 words: 0.0 by 1,000 distractors alone.")
    table = list_size.table(list(none), scores, none)
    assert table.splitlines()[-1].startswith("| 1,000 distractors alone | – | 50.0 | 166.7 |")


def test_nothing_is_found_where_there_is_nothing() -> None:
    assert list_size.cells(_score(40), own=False)[0] == "–"
    assert list_size.cells(_score(40), own=True)[0] == "100.0 (100.0 to 100.0)"
