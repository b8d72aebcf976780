"""What each technique of decoder biasing does, alone and together: `asrbias ablate` on speech/test.

    python recipes/results/techniques.py SHARED              # docs/results/techniques.md

Where it stands in docs/ablation.md: what the settings are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from page import ROOT, Maker, Page, parser, rows
from speech import Speech, described

from asrbias.ablate_command import read_alone
from asrbias.ablation import FALSE_HITS, Ablation, Row, Table, ablate
from asrbias.ablation_plot import plot
from asrbias.ablation_report import cell, remarks
from asrbias.ablation_runs import Condition
from asrbias.ablation_settings import ALL, NONE, Setting, make_settings, usable

SIZES, SILENT = (100, 1_000), 1_000
STRENGTHS = ROOT / "recipes" / "starter" / "alone.json"  # how strong each is where it stands alone


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="distractors (default: 100 1000)")
    arguments = made.parse_args()
    data = [*(arguments.shared / "speech" / name for name in ("test/manifest.jsonl", "distractors.txt")), STRENGTHS]
    options = {"sizes": arguments.sizes}
    maker = Maker(name="techniques", script=Path(__file__), arguments=arguments, data=data, options=options)
    if maker.done():
        return
    speech = Speech.of(arguments, most=max(*arguments.sizes, SILENT))
    model, full = speech.recognizer.model, speech.full
    techniques = usable(full, lm=full.lm, phones=model.encoder.config.phones > 0, adapter=model.adapter is not None)
    settings = make_settings(full, techniques, read_alone(STRENGTHS, full))
    first, *more = [*(Condition(count=n) for n in arguments.sizes), Condition(count=SILENT, own=False)]
    alone = [one for one in settings if one.kind in ("none", "alone") or one.name == ALL]  # for the other lists
    parts = [
        ablate(speech.runs, some, lists, progress=progress) for some, lists in ((settings, [first]), (alone, more))
    ]
    found = replace(parts[0], tables=(*parts[0].tables, *parts[1].tables))
    details = "\n".join(f"- {one}" for one in remarks(found))
    maker.write(
        Page(
            name="techniques",
            title="By technique",
            blocks={
                "short": short(found.tables),
                "table": "\n".join([*(table(one) for one in found.tables), *(f"- {one}" for one in plain(found))]),
            },
            drawing=plot(parts[0]),
            more=details,
            about=(
                f"data: `speech/test`, {described(speech)}; a list of N is an utterance's own entities and the first N "
                "lines of `distractors.txt`, or these alone",
                "settings: docs/ablation.md; how strong each is alone: recipes/starter/alone.json",
                "intervals: 95 %, paired bootstrap over utterances, 10,000 draws",
            ),
        )
    )


def progress(setting: Setting, condition: Condition) -> None:
    print(f"{setting.name}, {condition}", flush=True)


def table(found: Table) -> str:
    """A row a setting; lists of distractors alone have nothing to find."""
    condition = found.condition
    if condition.own:
        shown = [
            ("WER, %", "wer", None),
            ("F1", "f1", None),
            ("F1 against none", "f1", NONE),
            ("F1 against all", "f1", ALL),
        ]
        shown += [("precision", "precision", None), ("false hits", FALSE_HITS, None)]
    else:
        shown = [("WER, %", "wer", None), ("WER against none", "wer", NONE), ("false hits", FALSE_HITS, None)]
    head = (str(condition), *(name for name, _, _ in shown))
    return rows(
        head, *((row.setting.name, *(cell(row, rate, other) for _, rate, other in shown)) for row in found.rows)
    )


def short(tables: Sequence[Table]) -> str:
    """F1 and WER with each kind of list: nothing, each technique alone, all."""
    shown = [one for one in tables if one.condition.own]
    kept = [row.setting.name for row in shown[-1].rows]
    head = ("setting", *(f"{what}, {one.condition}" for one in shown for what in ("F1", "WER, %")))
    found = [{row.setting.name: row for row in one.rows} for one in shown]
    return rows(
        head, *((name, *(cell(by[name], rate, None) for by in found for rate in ("f1", "wer"))) for name in kept)
    )


def plain(found: Ablation) -> Iterable[str]:
    """What is not as it should be: techniques without a certain gain alone, and those that all is better without."""
    for one in found.tables:
        if not one.condition.own:
            worse = [row.setting.name for row in one.rows if certain(row, "wer", NONE, above=True)]
            yield f"{one.condition}: WER is certainly worse than without a list in {said(worse)}."
            continue
        alone = [row for row in one.rows if row.setting.kind == "alone" and row.setting.base == NONE]
        weak = [row.setting.name for row in alone if not certain(row, "f1", NONE, above=True)]
        gains = f"no certain gain of F1 over none in {said(weak)}" if weak else "every technique alone gains F1"
        yield f"{one.condition}: {gains}."
        kept = [row for row in one.rows if row.setting.kind == "all but"]
        if not kept:
            continue
        better = [row.setting.name for row in kept if certain(row, "f1", ALL, above=True)]
        yield f"{one.condition}: F1 is certainly higher than with all in {said(better)}."
        missed = [row.setting.name.removeprefix("all but ") for row in kept if not certain(row, "f1", ALL, above=False)]
        yield f"{one.condition}: taken away from all, F1 does not certainly fall by {said(missed)}."


def certain(row: Row, rate: str, other: str, *, above: bool) -> bool:
    """Whether the difference to another setting has its whole interval on one side of zero."""
    one = row.against.get(other, {}).get(rate)
    if one is None or one.low is None or one.high is None:  # none itself is not compared with none
        return False
    return one.low > 0 if above else one.high < 0


def said(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names) or "no row"


if __name__ == "__main__":
    main()
