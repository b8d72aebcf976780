"""Synthetic speech of held-out voices, sentences and names: F1 without a list and with one.

recipes/starter/heldout.py says it (README.md there: what the voices need); --excluded, since the shards that the base
was trained on are not kept: names that every synthetic sentence and every text was made without, as recorded.

    python recipes/results/heldout_speech.py SHARED              # docs/results/heldout.md
"""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from page import ROOT, Maker, Page, parser, rows
from speech import Speech, at_bias, described, differences, number, signed

from asrbias.ablate_command import digest
from asrbias.ablation_runs import Condition
from asrbias.score import Score
from asrbias.significance import BootstrapOptions, intervals

STARTER = ROOT / "recipes" / "starter"
SOURCES = tuple(STARTER / name for name in (
    "heldout.py", "heldout_templates.txt", "held_out_names.txt", "sentences.py", "voices.py"
))  # fmt: skip
SIZES, BIASES, BAR = (100, 1_000), (1.0, 1.7, 2.0), 80.0
Rows = Mapping[tuple[Condition, str], Score]


def main() -> None:
    arguments = parser(__doc__).parse_args()
    maker = Maker(name="heldout", script=Path(__file__), arguments=arguments, data=SOURCES)
    if maker.done():
        return
    folder = spoken(arguments)
    speech = Speech.of(
        arguments, most=max(SIZES), manifest=folder / "manifest.jsonl", distractors=folder / "distractors.txt"
    )
    full, first = speech.full, Condition(count=SIZES[0])
    none = {
        "no list, no language model": speech.score(replace(full, lm=False), first, listed=False),
        "no list": speech.score(full, first, listed=False),
    }
    conditions = [*(Condition(count=n) for n in SIZES), Condition(count=SIZES[0], own=False)]
    found = {(c, f"{c}, `--bias {b:g}`"): speech.score(at_bias(full, b), c) for c in conditions for b in BIASES}
    maker.write(
        Page(
            name="heldout",
            title="Synthetic speech of held-out voices, sentences and names",
            blocks={"table": table(none, found) + "\n" + "\n".join(f"- {one}" for one in remarks(none, found)) + "\n"},
            about=(
                f"data: `recipes/starter/heldout.py SHARED OUT --excluded`, {described(speech)}",
                "voices and names: espeak-ng variants that no training used; words that recipes/starter/sentences.py "
                "keeps out of all sentences (its recorded exclusions: held_out_names.txt, one-word names of dev and "
                "test) and that no text of SHARED has, each said twice",
                "distractors: names of SHARED/text, which training may have heard",
                "intervals: 95 %, bootstrap over utterances (paired for differences), 10,000 draws",
            ),
        )
    )


def spoken(arguments: Namespace) -> Path:
    """The recordings, made where they are not in the folder."""
    folder: Path = arguments.output / f"heldout-{digest(SOURCES)[:12]}"
    if not (folder / "manifest.jsonl").is_file():
        command = [sys.executable, str(STARTER / "heldout.py"), str(arguments.shared), str(folder), "--excluded"]
        subprocess.run(command, check=True)
    return folder


def table(none: Mapping[str, Score], found: Rows) -> str:
    head = ("held-out synthetic speech", "WER, %", "F1", "F1 against no list", "precision", "recall", "false hits")
    shown = [head, *((name, *cells(score, none["no list"], own=True)) for name, score in none.items())]
    return rows(*shown, *((name, *cells(score, none["no list"], own=c.own)) for (c, name), score in found.items()))


def cells(score: Score, none: Score, *, own: bool) -> tuple[str, ...]:
    """A row; of distractors alone nothing can be found."""
    totals = score.totals
    entities, wer = totals.entities, number(totals.wer.error_rate)
    hits = number(totals.false_hits_per_1000_words)
    if not own:
        return wer, "–", "–", "–", "–", hits
    interval = intervals(score.utterances, BootstrapOptions())["f1"]
    f1 = f"{number(entities.f1)} ({interval.low:.1f} to {interval.high:.1f})"
    against = "–" if score is none else signed(differences(score, none)["f1"])
    return wer, f1, against, number(entities.precision), number(entities.recall), hits


def remarks(none: Mapping[str, Score], found: Rows) -> list[str]:
    """Whether the list brings F1 to what is wanted, and what distractors alone do."""
    base = none["no list, no language model"].totals.entities.f1 or 0
    parts = []
    for (condition, name), score in found.items():
        if condition.own:
            f1 = score.totals.entities.f1 or 0
            reached = "reached" if f1 >= BAR else "not reached"
            parts.append(f"{name}: F1 {f1:.1f}; at least {BAR:g} is wanted, {reached}.")
        else:
            rise = differences(score, none["no list"])["wer"]
            harm = "certainly worse" if rise.interval.low > 0 else "no certain harm"
            parts.append(f"{name}: WER against no list {signed(rise, 2)}, {harm}.")
    if base < 45:
        parts.append(
            f"Without a list F1 is {base:.1f}, not the about 50 that the published base starts from: this model spells "
            "hardly any name that it never saw."
        )
    return parts


if __name__ == "__main__":
    main()
