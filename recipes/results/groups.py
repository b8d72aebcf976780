"""By corpus, accent, age and gender: what the list does for each group, and which group its gain leaves behind.

    python recipes/results/groups.py SHARED              # docs/results/groups.md

Groups of accent, age and gender are of one corpus: the two differ in so much else that a group of both would show that.
A group is compared with the rest of its corpus (a corpus with the other one).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from main import CORPORA, LISTED, OWN
from page import Maker, Page, parser, rows
from speech import Speech, described, number, signed

from asrbias.score import Score
from asrbias.score_groups import LEAST_ENTITIES, LEAST_WORDS, UNKNOWN
from asrbias.score_results import Totals, UtteranceScore, add_up
from asrbias.significance import METRICS, BootstrapOptions, Comparison, compare, resample_together, total

FIELDS = ("corpus", "accent", "age", "gender")
FEW = 5  # speakers, below which an interval over speakers is too narrow
BY_SPEAKER = BootstrapOptions(unit="speaker")
AGES = ((13, "to 12"), (20, "13 to 19"), (30, "20 to 29"), (200, "30 and more"))
DECADES = {"teens": "13 to 19", "twenties": "20 to 29"}  # others: 30 and more
Pair = tuple[Sequence[UtteranceScore], Sequence[UtteranceScore]]  # with the list, and without


@dataclass(frozen=True, kw_only=True)
class Group:
    """One value of a field within a corpus."""

    field: str
    name: str
    scores: Pair
    rest: Pair  # what it is compared with
    speakers: int

    @property
    def with_list(self) -> Totals:
        return add_up(self.scores[0])

    @property
    def without(self) -> Totals:
        return add_up(self.scores[1])

    @property
    def enough(self) -> bool:
        """Entities enough for an F1."""
        return self.with_list.entities.spoken >= LEAST_ENTITIES


def main() -> None:
    arguments = parser(__doc__).parse_args()
    data = [arguments.shared / "speech" / name for name in ("test/manifest.jsonl", "distractors.txt")]
    maker = Maker(name="groups", script=Path(__file__), arguments=arguments, data=data)
    if maker.done():
        return
    speech = Speech.of(arguments, most=LISTED)
    scores = speech.score(speech.full, OWN), speech.score(speech.full, OWN, listed=False)
    groups = make_groups(scores)
    maker.write(
        Page(
            name="groups",
            title="By group of speakers",
            blocks={"table": table(groups) + "\n" + "\n".join(f"- {one}" for one in remarks(groups)) + "\n"},
            about=(
                f"data: `speech/test`, {described(speech)}; the list is an utterance's own entities and the first "
                f"{LISTED} lines of `distractors.txt`",
                f'groups of fewer than {LEAST_WORDS} words are joined ("other"); no F1 for fewer than '
                f"{LEAST_ENTITIES} entities",
                "intervals: 95 %, paired bootstrap over speakers, 10,000 draws",
            ),
        )
    )


def make_groups(scores: tuple[Score, Score]) -> list[Group]:
    """Corpora, then the groups of each; a field with one group in a corpus says nothing and is left out."""
    pairs = list(zip(*(score.utterances for score in scores), strict=True))
    found = []
    for field in FIELDS:
        parts: dict[tuple[str, str], list[tuple[UtteranceScore, UtteranceScore]]] = defaultdict(list)
        for pair in pairs:
            corpus = str(pair[0].utterance.fields["corpus"])
            of = ("", corpus) if field == "corpus" else (corpus, value(field, pair[0].utterance.fields))
            parts[of].append(pair)
        for corpus in dict.fromkeys(of for of, _ in parts):
            mine = joined({name: some for (of, name), some in parts.items() if of == corpus})
            if len(mine) > 1:
                found += [_group(field, corpus, name, mine) for name in mine]
    return found


def _group(field: str, corpus: str, name: str, all_of_corpus: Mapping[str, list[Any]]) -> Group:
    mine = all_of_corpus[name]
    rest = [pair for other, some in all_of_corpus.items() if other != name for pair in some]
    shown = CORPORA.get(name, name) if field == "corpus" else f"{CORPORA.get(corpus, corpus)}, {name}"
    speakers = {pair[0].utterance.fields["speaker"] for pair in mine}
    return Group(field=field, name=shown, scores=_pair(mine), rest=_pair(rest), speakers=len(speakers))


def _pair(pairs: Sequence[tuple[UtteranceScore, UtteranceScore]]) -> Pair:
    return [a for a, _ in pairs], [b for _, b in pairs]


def value(field: str, fields: Mapping[str, object]) -> str:
    """The group of a speaker: the first accent that is named, an age in bands, a gender; or that it is not known."""
    said = str(fields.get(field) or "")
    if not said:
        return UNKNOWN
    if field == "accent":
        return said.partition("(")[0].partition(",")[0].strip()
    if field == "age":
        if said.isdecimal():
            return next(name for most, name in AGES if int(said) < most)
        return DECADES.get(said, "30 and more")
    return said.partition("_")[0]


def joined(parts: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The largest first; those of too few words together, as "other"."""
    sizes = {name: sum(len(pair[0].reference) for pair in some) for name, some in parts.items()}
    large = sorted(
        (name for name in parts if sizes[name] >= LEAST_WORDS), key=lambda name: (name == UNKNOWN, -sizes[name])
    )
    found = {name: parts[name] for name in large}
    small = [name for name in parts if name not in found]
    if small:
        found["other" if len(small) > 1 else small[0]] = [pair for name in small for pair in parts[name]]
    return found


def change(group: Group) -> dict[str, Comparison]:
    """What the list changes, by metric."""
    return {one.metric: one for one in compare(*group.scores, BY_SPEAKER)[2]}


def behind(group: Group, metric: str) -> tuple[float, float, float]:
    """How much more the list changes a metric in the group than in the rest: points, and the interval."""
    drawn, whole = [], []
    for seed, pair in enumerate((group.scores, group.rest)):
        sums = resample_together(pair, BootstrapOptions(unit="speaker", seed=seed))
        rate = METRICS[metric][0]
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn.append(100 * (rate(sums[0]) - rate(sums[1])))
            whole.append(float(100 * (rate(total(pair[0])) - rate(total(pair[1])))[0]))
    low, high = np.nanquantile(drawn[0] - drawn[1], [0.025, 0.975])
    return whole[0] - whole[1], float(low), float(high)


def table(groups: Sequence[Group]) -> str:
    head = ("group", "speakers", "words", "entities", "WER without, %", "with list", "difference",
            "F1 without", "with list", "difference")  # fmt: skip
    found: list[Sequence[str]] = [head]
    for field in FIELDS:
        some = [group for group in groups if group.field == field]
        found += [(f"**{field}**", *[""] * (len(head) - 1))] if some else []
        for group in some:
            a, b, moved = group.without, group.with_list, change(group)
            f1 = [number(a.entities.f1), number(b.entities.f1), signed(moved.get("f1"))]
            speakers = f"{group.speakers}{'†' if group.speakers < FEW else ''}"
            sizes = (speakers, f"{b.wer.ref_words:,}", str(b.entities.spoken))
            wers = (number(a.wer.error_rate), number(b.wer.error_rate), signed(moved["wer"]))
            found.append((group.name, *sizes, *wers, *(f1 if group.enough else ["–"] * 3)))
    note = f"\n† fewer than {FEW} speakers: the interval is too narrow to rely on.\n"
    return rows(*found) + (note if any(group.speakers < FEW for group in groups) else "")


def remarks(groups: Sequence[Group]) -> list[str]:
    """The groups that the gain leaves behind, those that it does nothing certain for, and the worst off."""
    found = []
    for group in groups:
        less, low, high = behind(group, "f1") if group.enough else (0.0, 0.0, 0.0)
        if high < 0:
            found.append(
                f"**Left behind**: {group.name}. The list gains {-less:.1f} points of F1 less than for the rest of its "
                f"kind ({-high:.1f} to {-low:.1f} less)."
            )
    if not found:
        found.append("No group's gain of F1 is certainly below that of the rest of its kind.")
    for group in groups:
        moved = change(group)
        if moved["wer"].interval.low > 0:
            found.append(f"**Harmed**: {group.name}. WER is worse with the list, {signed(moved['wer'])}.")
        elif moved["wer"].interval.high >= 0:
            found.append(f"No certain gain of WER: {group.name}, {signed(moved['wer'])}.")
        if group.enough and moved["f1"].interval.low <= 0:
            found.append(f"No certain gain of F1: {group.name}, {signed(moved['f1'])}.")
    for field in FIELDS:
        for corpus in CORPORA.values():
            some = [
                group for group in groups if group.field == field and group.enough and group.name.startswith(corpus)
            ]
            if len(some) > 1:
                low, *_, high = sorted(some, key=lambda group: group.with_list.entities.f1 or 0)
                a, b = (number(group.with_list.entities.f1) for group in (low, high))
                found.append(f"With the list F1 is lowest for {low.name} ({a}), highest for {high.name} ({b}).")
    return found


if __name__ == "__main__":
    main()
