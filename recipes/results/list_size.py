"""The starter by length of list and by the dial (`--bias`): names found, false hits, and distractors alone.

    python recipes/results/list_size.py SHARED              # docs/results/list-size.md

Lists of 10,000 are made for every fourth recording only: one takes most of a second to make ready.
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
LONG, EVERY = 10_000, 4  # such lists for every fourth recording
LEFT = {1_000: 85, LONG: 70}  # percent of the gain at 100 that should be left (issue 4)
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
    some = speech.every(EVERY)
    conditions = [*(Condition(count=n) for n in sizes), *(Condition(count=n, own=False) for n in silent)]
    heard = {c: some if c.count >= LONG else speech for c in conditions}
    none = {c: heard[c].score(speech.full, c, listed=False) for c in conditions}
    scores = {(c, bias): heard[c].score(at_bias(speech.full, bias), c) for c in conditions for bias in BIASES}
    said = remarks(scores, none)
    if arguments.longest >= LONG:
        said += [f"- {LONG:,} distractors: every fourth recording only, {described(some)}.", *kept(some, scores, none)]
    blocks = {"table": table(conditions, scores, none) + "\n" + "\n".join(said) + "\n"}
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
    found = [head, ("no list", *(len(BIASES) * cells(first, own=True)))]
    for c in conditions:
        found.append((str(c), *(cell for bias in BIASES for cell in cells(scores[c, bias], own=c.own))))
    return rows(*found)


def cells(score: Score, *, own: bool) -> tuple[str, str, str]:
    """F1 with its interval, WER, false hits in 1,000 words; in distractors alone there is nothing to find."""
    totals, f1 = score.totals, "–"
    if own and totals.entities.f1 is not None:
        interval = intervals(score.utterances, BootstrapOptions())["f1"]
        f1 = f"{number(totals.entities.f1)} ({interval.low:.1f} to {interval.high:.1f})"
    return f1, number(totals.wer.error_rate), number(totals.false_hits_per_1000_words)


def kept(some: Speech, scores: Scores, none: Mapping[Condition, Score]) -> list[str]:
    """What the longest lists keep of the gain at 100, on the same recordings."""
    long, short, left = Condition(count=LONG), Condition(count=100), []
    for bias in BIASES:
        gains = [
            (score.totals.entities.f1 or 0) - (none[long].totals.entities.f1 or 0)
            for score in (scores[long, bias], some.score(at_bias(some.full, bias), short))
        ]
        left.append(f"{100 * gains[0] / max(gains[1], 1e-9):.0f} % at `--bias {bias:g}`")
    return [f"- Of the gain of F1 at 100, {LONG:,} distractors keep {', '.join(left)} (wanted: {LEFT[LONG]})."]


def remarks(scores: Scores, none: Mapping[Condition, Score]) -> list[str]:
    """What of the gain is left in lists of 1,000, beside what is wanted; and what distractors alone do."""
    found = []
    short, long = Condition(count=100), Condition(count=1_000)
    if {short, long} <= set(none):
        gains = [[(scores[c, bias].totals.entities.f1 or 0) - (none[c].totals.entities.f1 or 0) for c in (short, long)]
                 for bias in BIASES]  # fmt: skip
        left = [
            f"{100 * b / max(a, 1e-9):.0f} % at `--bias {bias:g}`" for bias, (a, b) in zip(BIASES, gains, strict=True)
        ]
        found.append(f"- Of the gain of F1 at 100, 1,000 distractors keep {', '.join(left)} (wanted: {LEFT[1_000]}).")
    for condition in none:
        if not condition.own:
            rises = [differences(scores[condition, bias], none[condition])["wer"] for bias in BIASES]
            found.append(f"- {condition}, WER against no list: {', '.join(map(rise, BIASES, rises))}.")
    already = [
        f"{number(score.totals.false_hits_per_1000_words)} by {condition}"
        for condition, score in none.items()
        if not condition.own
    ]
    if already:
        found.append(
            "- False hits are all that is written of a list and was not said. What is written without a list has some "
            f"already, counted by the same lists in 1,000 words: {', '.join(already)}."
        )
    return found


def rise(bias: float, change: Comparison) -> str:
    return f"{signed(change, 2)} at `--bias {bias:g}`" + (", certainly worse" if change.interval.low > 0 else "")


if __name__ == "__main__":
    main()
