"""The report on an entity list: what can fire, what cannot, what is risky, and why. Made by `EntityList.report()`."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asrbias.commonwords import COMMON_WORDS
from asrbias.phrasetable import spelled
from asrbias.text import normalise, unspeakable

if TYPE_CHECKING:
    from asrbias.entities import Entity, EntityList

SHORT = 3  # letters; a form of so few fires by accident
Status = Literal["used", "risky", "dropped"]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What becomes of one entity."""

    index: int  # position in the EntityList
    entity: Entity
    status: Status  # "used"; "risky": used, and likely to fire by accident; "dropped": can never fire
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
        """Entities by status: {"used": n, "risky": n, "dropped": n}."""
        return {status: self.count(status) for status in ("used", "risky", "dropped")}

    def __str__(self) -> str:
        heading = ("entity", "status", "matched as", "why")
        cells = [(r.entity.shown, r.status, ", ".join(r.forms) or "-", r.reason) for r in self.rows]
        widths = [min(40, max(map(_width, column))) for column in list(zip(heading, *cells, strict=True))[:3]]
        lines = [
            "  ".join([*(_padded(c, w) for c, w in zip(row, widths, strict=False)), row[3]]).rstrip()
            for row in (heading, *cells)
        ]
        total = ", ".join(f"{n} {status}" for status, n in self.counts.items())
        return "\n".join([*lines, "", f"{len(self.rows)} entities: {total}.", *self.notes])


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def make_report(entities: EntityList, labels: Sequence[str] | None) -> Report:
    """See `EntityList.report`."""
    speller = None if labels is None else Speller(labels)
    table = entities.forms(None if speller is None else speller.charset)
    owner = dict(zip(table.texts, table.entity.tolist(), strict=True))
    rows = tuple(_row(index, entities, owner, speller) for index in range(len(entities)))
    return Report(rows, entities._notes)


class Speller:
    """Whether a model's labels can spell a word: as a sequence of pieces, for SentencePiece as for characters."""

    def __init__(self, labels: Sequence[str]) -> None:
        if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
            raise TypeError("labels is a list of the model's V label strings, such as ['<blank>', ' ', 'a', 'b'].")
        pieces = (x.casefold() for x in labels if not (len(x) > 1 and x[0] + x[-1] in ("<>", "[]")))
        plain = {piece.replace("▁", "").replace("Ġ", "").replace("|", "").strip() for piece in pieces}
        self.pieces = frozenset(plain - {""})
        self.charset = frozenset("".join(self.pieces))
        self._longest = max(map(len, self.pieces), default=0)
        self._known: dict[str, bool] = {}

    def spells(self, text: str) -> bool:
        """Whether every word of `text` is a sequence of pieces."""
        return all(self._spells_word(word) for word in text.split())

    def _spells_word(self, word: str) -> bool:
        if word not in self._known:
            reached = {0}
            for start in range(len(word)):
                if start in reached:
                    ends = range(start + 1, min(len(word), start + self._longest) + 1)
                    reached.update(end for end in ends if word[start:end] in self.pieces)
            self._known[word] = len(word) in reached
        return self._known[word]


def _row(index: int, entities: EntityList, owner: dict[str, int], speller: Speller | None) -> ReportRow:
    entity = entities[index]
    own, derived = entities.spoken[index]
    reasons = list(entities._remarks.get(index, ()))
    forms: list[str] = []
    lost: dict[str, str] = {}
    for form in (*own, *derived):
        text = spelled(form, None if speller is None else speller.charset)
        if text is None or (speller is not None and not speller.spells(text)):
            lost[form] = "labels"
        elif owner[text] == index:
            forms.append(text)
        else:
            rival = entities[owner[text]]
            lost[form] = f"'{text}' is matched for {rival.shown!r} (weight {rival.weight:g})"
    reasons += _losses(entity, own, lost, speller)
    risks = _risks(entity, forms) if forms else []
    status: Status = "dropped" if not forms else "risky" if risks else "used"
    return ReportRow(index, entity, status, tuple(forms), tuple(reasons + risks))


def _losses(entity: Entity, own: tuple[str, ...], lost: dict[str, str], speller: Speller | None) -> list[str]:
    reasons = []
    foreign = unspeakable(entity.phrase)
    if not own and not foreign:
        reasons.append("Nothing is left to match: the phrase has no letters or digits.")
    elif foreign:
        letters = any(c.isalnum() for c in foreign)
        remedy = "give sounds_like in a-z" if letters else "matched without them"
        names = " ".join(foreign[:12])
        reasons.append(f"Characters that English spelling lacks: {names} ({remedy}).")
    for form, why in lost.items():
        if why == "labels" and speller is not None:
            missing = "".join(sorted(set(form) - speller.charset - {" "}))
            what = f"have no {' '.join(missing)}" if missing else "cannot join up to it"
            reasons.append(f"The model's labels cannot spell '{form}': they {what}.")
        else:
            reasons.append(why + ".")
    return reasons


def _risks(entity: Entity, forms: list[str]) -> list[str]:
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
