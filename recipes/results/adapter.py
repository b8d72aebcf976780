"""What the contextual adapter does alone, by greedy search (recipes/starter/adapter_figures.py), and with the decoder's
techniques against these alone, on speech/test.

Without it they have the weights that suit them then (recipes/starter/without_adapter.json, from `asrbias tune --off`).
Text that the adapter was trained on is made again, for the entities that are not in it.

    python recipes/results/adapter.py SHARED              # docs/results/adapter.md
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import speech as decoded
from page import ROOT, Maker, Page, parser, rows
from speech import described, number, signed

from asrbias.ablation_runs import Condition
from asrbias.joint import JointOptions
from asrbias.recognizer import Posteriors
from asrbias.significance import Comparison
from asrbias.tune_options import CAUTIOUS

STARTER = ROOT / "recipes" / "starter"
sys.path.append(str(STARTER))
from adapter_figures import Figures, Speech, adapting, figures  # noqa: E402

SIZES = (100, 1_000)
CONDITIONS = (*(Condition(count=n) for n in (10, *SIZES)), Condition(count=1_000, own=False))
WITHOUT = STARTER / "without_adapter.json"
TEXT = (
    "--count",
    "300000",
    "--names",
    "0.5",
    "--seed",
    "77",
)  # of recipes/starter/run.sh, where the adapter's sentences are made


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--seen", type=Path, help="the adapter's text, .gz (default: made again by spelling_text.py)")
    arguments = made.parse_args()
    data = [arguments.shared / "speech" / name for name in ("test/manifest.jsonl", "distractors.txt")]
    maker = Maker(name="adapter", script=Path(__file__), arguments=arguments,
                  data=[*data, WITHOUT, STARTER / "adapter_figures.py", STARTER / "spelling_text.py"])  # fmt: skip
    if maker.done():
        return
    heard = decoded.Speech.of(arguments, most=max(SIZES))
    posteriors = [Posteriors(one.log_probs, one.phones, one.hidden) for one in heard.listen()]
    # The shipped options are bolder: there the lookup's evidence judges what the adapter offers. Nothing does here.
    speech = Speech.of(adapting(arguments.model, CAUTIOUS), posteriors, heard.corpus)
    found = list(figures(speech, heard.corpus, SIZES, seen=arguments.seen or trained_text(arguments)))
    maker.write(
        Page(
            name="adapter",
            title="The contextual adapter",
            blocks={
                "table": rows(*table(found)) + "\n" + "\n".join(f"- {one}" for one in remarks(found)) + "\n",
                "joint": rows(*joint(heard)),
            },
            about=(
                f"options of the first table: {CAUTIOUS}; those of decode.json are bolder, since evidence judges what "
                "they offer",
                "the second table: the starter's own options, and `recipes/starter/without_adapter.json`, which "
                "`asrbias tune` found on `speech/dev` with `--off 'contextual adapter'`, by the same bounds",
                f"data: `speech/test`, {described(heard)}; greedy search, no language model; look-alikes are the "
                "ten listed distractors that sound most like each entity",
                f"text it was trained on: `recipes/starter/spelling_text.py SHARED {' '.join(TEXT)}`",
                "intervals: 95 %, paired bootstrap over utterances, 10,000 draws",
            ),
        )
    )


def joint(heard: decoded.Speech) -> list[Sequence[str]]:
    """The adapter with the decoder's techniques against these alone."""
    alone = replace(heard.full, options=JointOptions.from_json(json.loads(WITHOUT.read_text("utf-8"))))
    shown: list[Sequence[str]] = [
        ("`speech/test`, all techniques", "F1 without the adapter", "with it", "difference", "WER without, %",
         "with it", "difference", "false hits in 1,000 words: without", "with it")
    ]  # fmt: skip
    for condition in CONDITIONS:
        scores = [heard.score(setup, condition) for setup in (alone, heard.full)]
        changes = decoded.differences(scores[1], scores[0])
        totals = [score.totals for score in scores]
        f1s = [number(one.entities.f1) if condition.own else "–" for one in totals]
        hits = [number(one.false_hits_per_1000_words) for one in totals]
        shown.append((str(condition), *f1s, signed(changes["f1"]) if condition.own else "–",
                      *(number(one.wer.error_rate) for one in totals), signed(changes["wer"], 2), *hits))  # fmt: skip
    return shown


def trained_text(arguments: Namespace) -> Path:
    """The adapter's sentences, made again where they are not in the folder."""
    path: Path = arguments.output / f"spelling{''.join(TEXT)}.txt.gz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(STARTER / "spelling_text.py"), str(arguments.shared), *TEXT, "-o", str(path)]
        subprocess.run(command, check=True)
    return path


def table(found: Sequence[Figures]) -> list[Sequence[str]]:
    head = ("`speech/test`, greedy search", "F1 without", "with it", "difference", "WER without, %", "with it",
            "difference", "false hits in 1,000 words: without", "with it")  # fmt: skip
    shown: list[Sequence[str]] = [head]
    for one in found:
        f1, wer = gained(one), one.changes["wer"]
        listed = "entities that" not in one.name  # a part of the entities is judged without a list
        hits = [number(1000 * n / one.words) if listed else "–" for n in one.false_hits]
        f1s = (number(f1.second), number(f1.first)) if f1 is not None else ("–", "–")
        wers = (number(wer.second), number(wer.first), signed(wer, 2)) if listed else ("–",) * 3
        shown.append((one.name, *f1s, signed(f1), *wers, *hits))
    return shown


def gained(one: Figures) -> Comparison | None:
    """What F1 gains; nothing can be found in lists of which nothing is spoken."""
    return None if one.name.endswith("alone") else one.changes.get("f1")


def remarks(found: Sequence[Figures]) -> list[str]:
    parts = [f"{one.name}{one.note}." for one in found if one.note]
    for one in found:
        f1, wer = gained(one), one.changes["wer"]
        if wer.interval.low > 0:
            parts.append(f"Certainly worse: {one.name}, WER {signed(wer, 2)}.")
        if f1 is not None and f1.interval.low <= 0:
            parts.append(f"No certain gain of F1: {one.name}, {signed(f1)}.")
    return parts


if __name__ == "__main__":
    main()
