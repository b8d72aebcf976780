"""The starter as it is shipped: without list and language model, without a list, with one, with distractors alone.

    python recipes/results/main.py SHARED              # docs/results/main.md

Made from recordings that are encoded once for all tables (speech.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from page import Maker, Page, parser, rows
from speech import Speech, described, differences, number, signed

from asrbias.ablation_runs import Condition
from asrbias.score import Score
from asrbias.score_groups import group_by
from asrbias.score_results import Totals

LISTED = 100
OWN, ALONE = Condition(count=LISTED), Condition(count=LISTED, own=False)
HEAD = ("`speech/test`", "no list, no language model", "no list", f"own entities + {LISTED} distractors",
        f"{LISTED} distractors alone")  # fmt: skip
CORPORA = {"commonvoice-en": "Common Voice", "speechocean762": "speechocean762"}


def main() -> None:
    arguments = parser(__doc__).parse_args()
    data = [arguments.shared / "speech" / name for name in ("test/manifest.jsonl", "distractors.txt")]
    maker = Maker(name="main", script=Path(__file__), arguments=arguments, data=data)
    if maker.done():
        return
    speech = Speech.of(arguments, most=LISTED)
    full = speech.full
    scores = [
        speech.score(replace(full, lm=False), OWN, listed=False),
        speech.score(full, OWN, listed=False),
        speech.score(full, OWN),
        speech.score(full, ALONE),
    ]
    maker.write(
        Page(
            name="main",
            title="With a list and without",
            blocks={"table": table(scores) + "\n" + differing(scores)},
            about=(
                f"data: `speech/test`, {described(speech)}; a list is an utterance's own entities and the first "
                f"{LISTED} lines of `distractors.txt`, or these alone; the first two columns are judged by that list",
                "intervals: 95 %, paired bootstrap over utterances, 10,000 draws",
            ),
        )
    )


def table(scores: Sequence[Score]) -> str:
    """WER, F1 and false hits, of all and by corpus; distractors alone have nothing to find."""
    corpora = [{group.value: group.totals for group in group_by(score.utterances, "corpus")} for score in scores]
    known = [name for name in CORPORA if name in corpora[0]]
    found = [HEAD, row("WER, %", [score.totals for score in scores], wer)]
    found += [row(f"WER, {CORPORA[name]}", [one[name] for one in corpora], wer) for name in known]
    heard = [score.totals for score in scores[:3]]
    found.append((*row("entity F1", heard, f1), "–"))
    found += [(*row(f"F1, {CORPORA[name]}", [one[name] for one in corpora[:3]], f1), "–") for name in known]
    found.append(
        (
            *row(
                "precision / recall", heard, lambda t: f"{number(t.entities.precision)} / {number(t.entities.recall)}"
            ),
            "–",
        )
    )
    found.append(
        row("false hits in 1,000 words", [s.totals for s in scores], lambda t: number(t.false_hits_per_1000_words))
    )
    return rows(*found)


def row(name: str, totals: Sequence[Totals], shown) -> tuple[str, ...]:  # type: ignore[no-untyped-def]
    return (name, *(shown(one) for one in totals))


def wer(totals: Totals) -> str:
    return number(totals.wer.error_rate)


def f1(totals: Totals) -> str:
    return number(totals.entities.f1)


def differing(scores: Sequence[Score]) -> str:
    """What the list and the language model change, in points; and that distractors alone do harm, where they do."""
    _, none, own, alone = scores
    listed, lm, silent = (differences(a, b) for a, b in ((own, none), (none, scores[0]), (alone, none)))
    gain = (own.totals.entities.f1 or 0) / max(none.totals.entities.f1 or 0, 1e-9) - 1
    text = (
        f"The list against none: WER {signed(listed['wer'])}, F1 {signed(listed['f1'])} points ({100 * gain:+.0f} %). "
        f"The language model: WER {signed(lm['wer'])}. "
        f"Distractors alone against no list: WER {signed(silent['wer'], 2)}"
    )
    harmed = silent["wer"].interval.low > 0
    return text + (", which is certainly worse.\n" if harmed else ", no certain harm.\n")


if __name__ == "__main__":
    main()
