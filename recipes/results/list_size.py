"""The starter by length of list and by the dial (`--bias`): names found, false hits, and distractors alone.

    python recipes/results/list_size.py SHARED              # docs/results/list-size.md

10,000 distractors take most of the time; --longest 1000 leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from page import Maker, Page, parser, rows
from speech import Speech, at_bias, described, differences, number, signed

from asrbias.ablation_runs import Condition
from asrbias.score import Score
from asrbias.score_analysis import Setting
from asrbias.score_plot import plots
from asrbias.significance import BootstrapOptions, Comparison, intervals

SIZES, SILENT, BIASES = (10, 100, 1_000, 10_000), (100, 1_000, 10_000), (1.0, 1.7, 2.0)
LEFT = {1_000: 85, 10_000: 70}  # percent of the gain at 100 that should be left (issue 4)
Scores = Mapping[tuple[Condition, float], Score]


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--longest", type=int, default=max(SIZES), help="leave longer lists out (default: %(default)s)")
    arguments = made.parse_args()
    data = [arguments.shared / "speech" / name for name in ("test/manifest.jsonl", "distractors.txt")]
    options = {"longest": arguments.longest}
    maker = Maker(name="list-size", script=Path(__file__), arguments=arguments, data=data, options=options)
    if maker.done():
        return
    sizes, silent = ([n for n in some if n <= arguments.longest] for some in (SIZES, SILENT))
    speech = Speech.of(arguments, most=max(sizes))
    conditions = [*(Condition(count=n) for n in sizes), *(Condition(count=n, own=False) for n in silent)]
    none = {c: speech.score(speech.full, c, listed=False) for c in conditions}
    scores = {(c, bias): speech.score(at_bias(speech.full, bias), c) for c in conditions for bias in BIASES}
    blocks = {"table": table(conditions, scores, none) + "\n" + "\n".join(remarks(scores, none)) + "\n"}
    drawn = [
        Setting(name=str(c), list_size=c.count, bonus=None, totals=scores[c, 1.0].totals) for c in conditions if c.own
    ]
    more = "The drawing is of `--bias 1`: WER, the WER of listed words (B-WER) and F1.\n"
    maker.write(
        Page(
            name="list-size",
            title="By length of list",
            blocks=blocks,
            drawing=plots(drawn),
            more=more,
            about=(
                f"data: `speech/test`, {described(speech)}; a list of N is an utterance's own entities and the first N "
                "lines of `distractors.txt`, or these alone",
                "intervals: 95 %, bootstrap over utterances (paired for differences), 10,000 draws",
            ),
        )
    )


def table(conditions: list[Condition], scores: Scores, none: Mapping[Condition, Score]) -> str:
    """A row a kind of list; for each bias F1 and WER, false hits in 1,000 words."""
    first = none[conditions[0]]
    head = (
        "`speech/test`",
        *(f"`--bias {bias:g}`: {what}" for bias in BIASES for what in ("F1", "WER, %", "false hits")),
    )
    found = [head, ("no list", *(3 * cells(first)))]
    for condition in conditions:
        found.append((str(condition), *(cell for bias in BIASES for cell in cells(scores[condition, bias]))))
    return rows(*found)


def cells(score: Score) -> tuple[str, str, str]:
    """F1 with its interval, WER, false hits in 1,000 words."""
    totals = score.totals
    f1 = number(totals.entities.f1) if score.utterances[0].utterance.list is not None else "–"
    interval = intervals(score.utterances, BootstrapOptions()).get("f1") if totals.entities.f1 is not None else None
    if interval is not None:
        f1 += f" ({interval.low:.1f} to {interval.high:.1f})"
    return f1, number(totals.wer.error_rate), number(totals.false_hits_per_1000_words)


def remarks(scores: Scores, none: Mapping[Condition, Score]) -> list[str]:
    """What of the gain is left in longer lists, beside what is asked for; and what distractors alone do."""
    found = []
    for bias in BIASES:
        gains = {c.count: (scores[c, bias].totals.entities.f1 or 0) - (none[c].totals.entities.f1 or 0)
                 for c in none if c.own}  # fmt: skip
        left = [
            f"{100 * gains[n] / gains[100]:.0f} % at {n:,} (wanted: {bar})" for n, bar in LEFT.items() if n in gains
        ]
        if left and gains[100] > 0:
            found.append(f"- Of the gain of F1 at 100, `--bias {bias:g}` keeps {', '.join(left)}.")
    for condition in none:
        if not condition.own:
            rises = [differences(scores[condition, bias], none[condition])["wer"] for bias in BIASES]
            found.append(f"- {condition}, WER against no list: {', '.join(map(rise, BIASES, rises))}.")
    return found


def rise(bias: float, change: Comparison) -> str:
    return f"{signed(change, 2)} at `--bias {bias:g}`" + (", certainly worse" if change.interval.low > 0 else "")


if __name__ == "__main__":
    main()
