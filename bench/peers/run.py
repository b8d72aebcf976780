"""The table: every system on the same posteriors and lists, with its weights as tune.py chose them on dev.

    python bench/peers/run.py build/peers/test --distractors FILE --lm FILE [--tuned build/peers/tuned]
    python bench/peers/run.py build/peers/dev --distractors FILE --lm FILE --speed     # two minutes, times only

peers.md and peers.json are written into --output. A system stands twice: at its best, with weights chosen for each
length of list; and "safe", with one set of weights that leaves speech without listed words alone (tune.py). The first
row is ours, as the starter is shipped; --ours FILE gives others: {"name": {JointOptions or DecodeOptions}}.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ours import shipped
from posteriors import Posteriors
from results import Contestant, Results
from speed import measure
from system import Condition, Lists, Setting, as_arpa, figures, judge

from asrbias.files import write_whole
from asrbias.score import Score
from asrbias.significance import BootstrapOptions, compare, intervals

NONE = Condition(None)


TUNED = Path(__file__).with_name("tuned")


def contestants(tuned: Path, ours: Path | None, lm: bool) -> list[Contestant]:
    """Ours first, then each system that was tuned, at its best and safe."""
    if ours is not None:
        chosen_ours = json.loads(ours.read_text(encoding="utf-8"))
    else:
        chosen_ours = {"asrbias": {**shipped(), "lm": lm}}
    found = [Contestant(name, "ours", options, {}) for name, options in chosen_ours.items()]
    for path in sorted(tuned.glob("*.json")):
        chosen = json.loads(path.read_text(encoding="utf-8"))
        best = {int(count): options for count, options in chosen["best"].items()}
        found.append(Contestant(path.stem, chosen["system"], {}, best))
        if chosen["safe"] is not None:
            found.append(Contestant(f"{path.stem}, safe", chosen["system"], chosen["safe"], {}))
    return found


def row(name: str, score: Score, ours: Mapping[str, Score], options: BootstrapOptions) -> dict[str, Any]:
    """The figures of a system, their intervals, and the differences of each of ours minus it."""
    own = intervals(score.utterances, options)
    minus = {}
    for other, theirs in ours.items():
        _, _, pairs = compare(theirs.utterances, score.utterances, options)
        minus[other] = {p.metric: [p.difference, p.interval.low, p.interval.high] for p in pairs}
    return {
        "name": name,
        **figures(score),
        "intervals": {metric: [i.low, i.high] for metric, i in own.items()},
        "first_minus": next(iter(minus.values())),
        "ours_minus": minus,
    }


def against_none(score: Score, none: Score, options: BootstrapOptions) -> list[float]:
    """How much WER rises by the list: points, and their interval."""
    wer = next(p for p in compare(score.utterances, none.utterances, options)[2] if p.metric == "wer")
    return [wer.difference, wer.interval.low, wer.interval.high]


def table(results: Results, everyone: Sequence[Contestant], counts: Sequence[int], arguments: Any) -> dict[str, Any]:
    """Condition -> rows."""
    options = BootstrapOptions(unit=arguments.unit)
    conditions = [NONE, *map(Condition, counts), *(Condition(count, own=False) for count in arguments.alone)]
    found: dict[str, Any] = {}
    for condition in conditions:
        scores = {one.name: results.score(one, condition) for one in everyone}
        ours = {one.name: scores[one.name] for one in everyone if one.system == "ours"}
        rows = [row(name, score, ours, options) for name, score in scores.items()]
        for one, entry in zip(everyone, rows, strict=True):
            entry["options"] = dict(one.options_for(condition))
            if not condition.own:
                none = results.texts(Contestant(one.name, one.system, entry["options"], {}), NONE)
                here = {utterance.id for utterance in results.heard(condition).utterances}
                pairs = zip(results.posteriors.utterances, none, strict=True)
                none = [text for utterance, text in pairs if utterance.id in here]
                silent = judge(none, results.heard(condition), results.lists, NONE)
                entry["wer_rise"] = against_none(scores[one.name], silent, options)
            if condition.own and arguments.timed:
                entry["list_seconds"], entry["seconds"] = results.time(one, condition, arguments.timed)
        found[str(condition)] = rows
    return found


def markdown(found: dict[str, Any], title: str, first: str) -> str:
    parts = [f"# {title}\n"]
    for condition, rows in found.items():
        alone, none = condition.startswith("alone"), condition == "none"
        shown = {"own": "own entities and {:,} distractors", "alone": "{:,} distractors alone"}
        kind, _, count = condition.partition("-")
        parts.append(f"\n## {'no list' if none else shown[kind].format(int(count))}\n")
        head = ["system", "WER"]
        head += (
            ["WER against no list", "false hits / 1,000 words"] if alone else [f"{first} minus it: WER"] if none else []
        )
        if not alone and not none:
            head += [
                "F1",
                f"{first} minus it: F1",
                "precision",
                "recall",
                f"{first} minus it: WER",
                "false hits / 1,000 words",
            ]
        if "seconds" in rows[0]:
            head += ["list, s / h", "decoding, s / h"]
        parts += ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
        for entry in rows:
            cells = [entry["name"], _number(entry["wer"])]
            if alone:
                cells += [_difference(entry["wer_rise"]), _number(entry["false_hits"])]
            elif none:
                cells += [_difference(entry["first_minus"].get("wer"))]
            else:
                low, high = entry["intervals"].get("f1", (0, 0))
                cells += [
                    f"{_number(entry['f1'])} ({low:.1f} to {high:.1f})",
                    _difference(entry["first_minus"].get("f1")),
                ]
                cells += [_number(entry["precision"]), _number(entry["recall"])]
                cells += [_difference(entry["first_minus"].get("wer")), _number(entry["false_hits"])]
            if "seconds" in entry:
                cells += [f"{entry['list_seconds']:.1f}", f"{entry['seconds']:.1f}"]
            parts.append("| " + " | ".join(cells) + " |")
    return "\n".join(parts) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _difference(values: Sequence[float] | None) -> str:
    return "-" if values is None else f"{values[0]:+.2f} ({values[1]:+.2f} to {values[2]:+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posteriors", type=Path, help="a folder that posteriors.py made")
    parser.add_argument("--distractors", type=Path, required=True)
    parser.add_argument("--lm", type=Path, help="language model (ARPA, or our .npz), and flashlight's words")
    parser.add_argument("--tuned", type=Path, default=TUNED, help="a folder that tune.py wrote (default: beside this)")
    parser.add_argument("--ours", type=Path, help='JSON: {"name": {options}}, the first to compare others with')
    parser.add_argument(
        "--counts", type=int, nargs="*", default=[10, 100, 1000, 10000], help="distractors in each list"
    )
    parser.add_argument("--alone", type=int, nargs="*", default=[1000], help="the same, of lists of distractors alone")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="utterances of lists of 10,000 and more")
    parser.add_argument("--unit", default="utterance", help="what the bootstrap draws: utterance or speaker")
    parser.add_argument("--timed", type=float, default=20.0, help="seconds spent on the time of each cell; 0: no times")
    parser.add_argument("--output", type=Path, default=Path("build/peers/out"))
    parser.add_argument("--speed", action="store_true", help="only times, in about two minutes")
    arguments = parser.parse_args()
    posteriors = Posteriors.read(arguments.posteriors)
    distractors = arguments.distractors.read_text(encoding="utf-8").splitlines()
    lists = Lists(distractors, posteriors.vocabulary.charset)
    arpa = as_arpa(arguments.lm, arguments.output)
    setting = Setting(posteriors.vocabulary, arpa, lists.all_phrases(posteriors.utterances), fast=True)
    if arguments.speed:
        print(measure(posteriors, setting, lists))
        return
    everyone = contestants(arguments.tuned, arguments.ours, arguments.lm is not None)
    results = Results(arguments.output / "texts", posteriors, setting, lists, arguments.every)
    found = table(results, everyone, arguments.counts, arguments)
    title = f"{arguments.posteriors.name}: {len(posteriors.utterances)} utterances"
    write_whole(arguments.output / "peers.json", json.dumps(found, indent=1).encode())
    write_whole(arguments.output / "peers.md", markdown(found, title, everyone[0].name).encode())
    print(arguments.output / "peers.md")


if __name__ == "__main__":
    main()
