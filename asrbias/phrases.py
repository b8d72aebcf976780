"""Phrases: an entity list compiled for the labels of one decoder.

A phrase's bonus, in units of `DecodeOptions.bonus` (nats per character):

    weight * n * n / (n + SHORT),   n = characters of its matching form, inner spaces counted

so a long phrase earns nearly `bonus` nats for each character, one of SHORT characters half of that, and a phrase of
two letters a third. It is the same for every segmentation into labels. How bonuses of several phrases add up, and what
else a phrase can earn, is written at the top of native/tracker.hpp; all of it that depends on the list is made by
`phrase_terms`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asrbias import _core
from asrbias.commonwords import COMMON_WORDS
from asrbias.entities import EntityList
from asrbias.phrasetable import PhraseTable, spelled
from asrbias.text import fold

if TYPE_CHECKING:
    from asrbias.lm import LanguageModel

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
    def of(cls, labels: Sequence[str], blank: int | None) -> Spelling:
        """Raises LabelsError for no labels, duplicates, or a blank that is none of them (None: which it is unknown)."""
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

    @cached_property
    def charset(self) -> frozenset[str]:
        """The characters that phrases can be written in, without the separator."""
        return frozenset("".join(self.matched)) - {" "}


def check_labels(labels: Sequence[str], blank: int | None) -> None:
    """Raises LabelsError for what no decoder can use."""
    listed = isinstance(labels, Sequence) and not isinstance(labels, str)
    if not listed or not all(isinstance(label, str) for label in labels):
        raise LabelsError(f"labels must be a list of strings, one a column of log_probs, not {labels!r:.80}.")
    if len(labels) < 1:
        raise LabelsError("labels is empty; give one string for each column of log_probs.")
    if len(set(labels)) != len(labels):
        seen: set[str] = set()
        double = next(label for label in labels if label in seen or seen.add(label))  # type: ignore[func-returns-value]
        raise LabelsError(f"The label {double!r} is listed more than once; every label must be unique.")
    if blank is None:
        return
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
    terms = phrase_terms(table)
    texts = "\n".join(table.texts)
    return _core.Automaton(
        vocabulary,
        texts,
        bonus=terms.bonus,
        adaptive=terms.adaptive,
        share=terms.share,
        length=terms.length,
        common=terms.common,
    )


@dataclass(frozen=True, eq=False)
class PhraseTerms:
    """What each of P phrases may earn; the decoder's options multiply it."""

    bonus: npt.NDArray[np.float64]  # [P] in units of `DecodeOptions.bonus`
    adaptive: npt.NDArray[np.float64]  # [P] in units of `DecodeOptions.adaptive`; 0 or more
    share: npt.NDArray[np.float64]  # [P] natural log of its share of the list's weight; -inf: no unigram boosting
    length: npt.NDArray[np.float64]  # [P] characters, inner spaces counted
    common: npt.NDArray[np.float64]  # [P] 1 where every word is a common English one, else 0


def phrase_terms(table: PhraseTable) -> PhraseTerms:
    """All that depends on the phrases, their weights and the size of their list.

    An entity's matching forms share its place in the list; a phrase with a weight of 0 or less is not boosted.
    """
    length = np.fromiter(map(len, table.texts), np.float64, len(table.texts))
    weight = table.weight.astype(np.float64)
    boosted = weight > 0
    _, first = np.unique(table.entity[boosted], return_index=True)
    share = np.full(len(table), -np.inf)
    share[boosted] = np.log(weight[boosted] / (weight[boosted][first].sum() or 1.0))
    bonus = weight * length * length / (length + SHORT)
    common = np.fromiter(map(_is_common, table.texts), np.float64, len(table))
    return PhraseTerms(bonus, boosted.astype(np.float64), share, length, common)


def _is_common(text: str) -> bool:
    return text in COMMON_WORDS or (" " in text and COMMON_WORDS.issuperset(text.split(" ")))


def compile_words(
    vocabulary: _core.Vocabulary, lm: LanguageModel, charset: frozenset[str], boost_word: str
) -> _core.LmTrie:
    """The words of a language model that labels with this charset can write; its control words are not among them."""

    def spelling(word: str) -> str:
        if charset.issuperset(word):
            return word
        return "" if _CONTROL(word) else spelled("".join(map(_folded, word)), charset) or ""

    spellings = map(spelling, lm.words)
    return _core.LmTrie(vocabulary, lm.native, "\n".join(spellings), lm.native.find(boost_word))


def unspelled(spelling: Spelling, table: PhraseTable) -> tuple[str, ...]:
    """The matching forms of a table that no sequence of the labels gives."""
    vocabulary = _core.Vocabulary((*spelling.matched, ""), len(spelling.matched))  # the blank is a label of its own
    return tuple(table.texts[row] for row in compile_automaton(vocabulary, table).unusable)


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
