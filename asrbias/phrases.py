"""Phrases: an entity list compiled for the labels of one decoder.

A phrase's bonus, in units of `DecodeOptions.bonus` (nats per character):

    weight * n * n / (n + SHORT),   n = characters of its matching form, inner spaces counted

so a long phrase earns nearly `bonus` nats for each character, one of SHORT characters half of that, and a phrase of
two letters a third. It is the same for every segmentation into labels. How bonuses of several phrases add up is
written at the top of native/tracker.hpp.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asrbias import _core
from asrbias.entities import EntityList
from asrbias.phrasetable import PhraseTable, spelled
from asrbias.text import fold

SHORT = 4.0  # characters; see above
WORD_START = "▁"  # SentencePiece's mark
_CONTROL = re.compile(r"<.+>|\[.+\]").fullmatch


class LabelsError(ValueError):
    """A list of labels, or its blank, is not usable."""


@dataclass(frozen=True)
class Spelling:
    """How V labels are written, with " " as the separator; "" for those that are never emitted.

    Never emitted: the blank, and control labels ("<unk>", "<s>", "[PAD]", SentencePiece bytes "<0xE2>"): the search
    takes their probability as 0, so what the model gives them is lost and the next best label stands in their place.
    """

    separator: str | None  # "▁" (pieces), " " or "|" (characters), or None: then all of an utterance is one word
    shown: tuple[str, ...]  # as the text shows them; small letters where the labels have capitals only
    matched: tuple[str, ...]  # as phrases are matched: case, diacritics and curly apostrophes folded

    @classmethod
    def of(cls, labels: Sequence[str], blank: int) -> Spelling:
        """Raises LabelsError for no labels, duplicates, or a blank that is none of them."""
        check_labels(labels, blank)
        emitted = ["" if i == blank or _CONTROL(label) else label for i, label in enumerate(labels)]
        separator = next((mark for mark in (WORD_START, " ", "|") if _separates(mark, emitted)), None)
        if separator == WORD_START:
            emitted = [label.replace(WORD_START, " ") for label in emitted]
        elif separator == "|":
            emitted = [" " if label == "|" else label for label in emitted]
        if "".join(emitted).isupper():
            emitted = [label.lower() for label in emitted]
        return cls(separator, tuple(emitted), tuple("".join(map(_folded, label)) for label in emitted))

    @property
    def charset(self) -> frozenset[str]:
        """The characters that phrases can be written in, without the separator."""
        return frozenset("".join(self.matched)) - {" "}


def check_labels(labels: Sequence[str], blank: int) -> None:
    """Raises LabelsError for what no decoder can use."""
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise LabelsError(f"labels must be a list of strings, one a column of log_probs, not {labels!r:.80}.")
    if len(labels) < 1:
        raise LabelsError("labels is empty; give one string for each column of log_probs.")
    if len(set(labels)) != len(labels):
        seen: set[str] = set()
        double = next(label for label in labels if label in seen or seen.add(label))  # type: ignore[func-returns-value]
        raise LabelsError(f"The label {double!r} is listed more than once; every label must be unique.")
    if isinstance(blank, bool) or not isinstance(blank, (int, np.integer)) or not 0 <= blank < len(labels):
        raise LabelsError(f"blank is {blank!r}; it must be the position of the blank, 0..{len(labels) - 1}.")


def _separates(mark: str, labels: Sequence[str]) -> bool:
    return any(mark in label for label in labels) if mark == WORD_START else mark in labels


def _folded(character: str) -> str:
    if character == " ":
        return character
    plain = fold(character).casefold()
    return plain if plain.strip() == plain != "" else character


@dataclass(frozen=True)
class Unusable:
    """An entity that can never be found, and why."""

    entity: int  # position in the list
    phrase: str
    reason: str


@dataclass(frozen=True, eq=False)
class Phrases:
    """A compiled list. Made by `Decoder.compile`; only for decoders with the same labels and blank."""

    table: PhraseTable
    automaton: _core.Automaton | None  # None where nothing of the list is usable
    unusable: tuple[Unusable, ...]
    entities: EntityList | None
    spelling: Spelling

    def __len__(self) -> int:
        """Matching forms that can fire."""
        return len(self.table) - len(self.automaton.unusable) if self.automaton is not None else 0


def compile_automaton(vocabulary: _core.Vocabulary, table: PhraseTable) -> _core.Automaton:
    """The automaton over the P matching forms of `table`."""
    if not len(table.texts) == len(table.weight) == len(table.entity):
        raise ValueError(
            f"A PhraseTable needs as many texts, entities and weights; it has {len(table.texts)}, {len(table.entity)} "
            f"and {len(table.weight)}."
        )
    return _core.Automaton(vocabulary, "\n".join(table.texts), bonuses(table).tolist())


def bonuses(table: PhraseTable) -> npt.NDArray[np.float64]:
    """[P], in units of `DecodeOptions.bonus`."""
    length = np.fromiter(map(len, table.texts), np.float64, len(table.texts))
    return table.weight.astype(np.float64) * length * length / (length + SHORT)


def find_unusable(
    table: PhraseTable, entities: EntityList | None, automaton: _core.Automaton, charset: frozenset[str]
) -> tuple[Unusable, ...]:
    """The entities none of whose matching forms the labels can spell.

    One whose every form belongs to another entity is not among them: it fires under the other's name (the list's
    report says so).
    """
    usable = np.ones(len(table), bool)
    usable[automaton.unusable] = False
    alive = np.zeros(len(entities) if entities is not None else int(table.entity.max(initial=-1)) + 1, bool)
    alive[table.entity[usable]] = True
    if alive.all():
        return ()
    fires = {table.texts[row] for row in np.flatnonzero(usable)}
    forms: dict[int, list[str]] = {}
    for row in automaton.unusable:
        forms.setdefault(int(table.entity[row]), []).append(table.texts[row])
    found = []
    for index in np.flatnonzero(~alive).tolist():
        if entities is not None:
            forms[index] = [form for kind in entities.spoken[index] for form in kind]
            if any(spelled(form, charset | {" "}) in fires for form in forms[index]):
                continue
        phrase = entities[index].phrase if entities is not None else forms[index][0]
        found.append(Unusable(index, phrase, _reason(forms[index], charset)))
    return tuple(found)


def _reason(forms: Sequence[str], charset: frozenset[str]) -> str:
    if not forms:
        return "it cannot be written in English letters"
    missing = "".join(sorted(set("".join(forms)) - charset - {" "}))
    if missing:
        return f"no label has {', '.join(map(repr, missing))}"
    return "no sequence of the labels spells it"
