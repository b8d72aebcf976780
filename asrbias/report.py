"""The report on an entity list: what can fire, what cannot, what is risky, and why. Made by `EntityList.report()`."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from asrbias.commonwords import COMMON_WORDS
from asrbias.phrasetable import spelled
from asrbias.text import normalise, unspeakable

if TYPE_CHECKING:
    from asrbias.entities import Entity, EntityList
    from asrbias.phrases import Spelling
    from asrbias.phrasetable import PhraseTable

_MOST_SHOWN = 12  # characters of another script that a reason names
SHORT = 3  # letters; a form of so few fires by accident
# What a decoder does about risky entities (native/guard.hpp); the starter's has a guard.
GUARDED = "The starter writes risky ones only where they are heard clearly (docs/transcribe.md); other options may not."
Status = Literal["used", "risky", "merged", "dropped"]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What becomes of one entity."""

    index: int  # position in the EntityList
    entity: Entity
    # "used"; "risky": used, and likely to fire by accident; "merged": found, but shown as another entity that has the
    # same forms; "dropped": can never fire
    status: Status
    forms: tuple[str, ...]  # the matching forms that it owns, the user's own before derived ones
    reasons: tuple[str, ...]  # sentences; () if there is nothing to say

    @property
    def reason(self) -> str:
        """All reasons in one string."""
        return " ".join(self.reasons)


@dataclass(frozen=True, slots=True)
class Report:
    """A row an entity, in the list's order; `str()` is a table for people."""

    rows: tuple[ReportRow, ...]
    notes: tuple[str, ...] = ()  # about the file as a whole

    def count(self, status: Status) -> int:
        """How many entities have this status."""
        return sum(row.status == status for row in self.rows)

    @property
    def counts(self) -> dict[str, int]:
        """Entities by status: {"used": n, "risky": n, "merged": n, "dropped": n}."""
        return {status: self.count(status) for status in get_args(Status)}

    def __str__(self) -> str:
        heading = ("entity", "status", "matched as", "why")
        cells = [(r.entity.shown, r.status, ", ".join(r.forms) or "-", r.reason) for r in self.rows]
        widths = [min(40, max(map(_width, column))) for column in list(zip(heading, *cells, strict=True))[:3]]
        lines = [
            "  ".join([*(_padded(c, w) for c, w in zip(row, widths, strict=False)), row[3]]).rstrip()
            for row in (heading, *cells)
        ]
        total = ", ".join(f"{n} {status}" for status, n in self.counts.items())
        risk = [GUARDED] if self.count("risky") else []
        return "\n".join([*lines, "", f"{len(self.rows)} entities: {total}.", *risk, *self.notes])


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def make_report(entities: EntityList, labels: Sequence[str] | None) -> Report:
    """See `EntityList.report`."""
    if labels is None:
        table, speller = entities.forms(None), None
    else:
        from asrbias.phrases import Spelling

        spelling = Spelling.of(labels, None)
        table = entities.forms(spelling.charset)
        speller = Speller.of(spelling, table)
    owner = dict(zip(table.texts, table.entity.tolist(), strict=True))
    rows = tuple(_row(index, entities, owner, speller) for index in range(len(entities)))
    return Report(rows, entities._notes)


@dataclass(frozen=True)
class Speller:
    """What of a list a model's labels cannot spell; phrases.py decides it, for decoders too."""

    charset: frozenset[str]  # the characters that the labels have, and the space
    separated: bool  # whether the labels have a word separator
    unspelled: frozenset[str]  # forms in these characters that no sequence of the labels gives

    @classmethod
    def of(cls, spelling: Spelling, table: PhraseTable) -> Speller:
        from asrbias.phrases import unspelled

        separated = spelling.separator is not None
        lacking = unspelled(spelling, table) if separated else table.texts
        return cls(spelling.charset | {" "}, separated, frozenset(lacking))


def _row(index: int, entities: EntityList, owner: dict[str, int], speller: Speller | None) -> ReportRow:
    own, derived = entities.spoken[index]
    forms: dict[str, None] = {}
    losses: list[str] = []
    merged = False
    for form in (*own, *derived):
        text = spelled(form, None if speller is None else speller.charset)
        if speller is not None and (text is None or text in speller.unspelled):
            losses.append(_unspelled(form, speller))
        elif text is not None and owner[text] == index:
            forms[text] = None
        elif text is not None:
            merged = True
            rival = entities[owner[text]]
            losses.append(f"'{text}' is matched for {rival.shown!r} (weight {rival.weight:g}).")
    remarks = entities._remarks.get(index, ())
    risks = _risks(entities[index], tuple(forms))
    status: Status = ("merged" if merged else "dropped") if not forms else "risky" if risks else "used"
    return ReportRow(
        index, entities[index], status, tuple(forms), (*remarks, *_unspoken(entities[index], own), *losses, *risks)
    )


def _unspoken(entity: Entity, own: tuple[str, ...]) -> list[str]:
    """What of the phrase and the aliases has no matching form."""
    reasons = []
    foreign = unspeakable(entity.phrase)
    if any(c.isalnum() for c in foreign):
        remedy = "only sounds_like is matched" if own else "give sounds_like, in a-z"
        reasons.append(f"English spelling has no {' '.join(foreign[:_MOST_SHOWN])}: {remedy}.")
    elif foreign:
        reasons.append(f"Left out, as nobody speaks it: {' '.join(foreign[:_MOST_SHOWN])}.")
    elif not normalise(entity.phrase):
        reasons.append("Nothing to match: the phrase has no letters or digits.")
    for alias in entity.sounds_like:
        foreign = unspeakable(alias)
        if foreign or not normalise(alias):
            lacks = f"English spelling has no {' '.join(foreign[:_MOST_SHOWN])}" if foreign else "no letters or digits"
            reasons.append(f"The alias {alias!r:.60} is not matched as written: {lacks}.")
    return reasons


def _unspelled(form: str, speller: Speller) -> str:
    if not speller.separated:
        return "The model's labels have no word separator ('▁', ' ' or '|'), so they can use no list."
    missing = "".join(sorted(set(form) - speller.charset - {"'"}))
    why = f"they have no {' '.join(missing)}" if missing else "no sequence of them gives it"
    return f"The model's labels cannot spell '{form:.60}': {why}."


def _risks(entity: Entity, forms: tuple[str, ...]) -> list[str]:
    if entity.weight <= 0:
        return []
    common = [form for form in forms if form in COMMON_WORDS]
    short = [form for form in forms if form not in COMMON_WORDS and len(form.replace(" ", "")) <= SHORT]
    phrases = [f for f in forms if " " in f and len(f) > 2 * SHORT and all(w in COMMON_WORDS for w in f.split())]
    reasons = []
    if common:
        reasons.append(f"A common English word: {', '.join(common)}.")
    if short:
        reasons.append(f"Very short: {', '.join(short)}.")
    if phrases:
        reasons.append(f"Only common English words: {', '.join(phrases)}.")
    return reasons
