"""Entities by phrase: which spoken ones were found, and which listed ones were written but not spoken.

An entity of several words is one unit. Every occurrence counts, also one that overlaps another; every phrase is judged
on its own. All by the word alignment: an entity is found if the hypothesis words aligned to it are exactly its words,
with nothing between; a listed phrase in the hypothesis is a false hit unless the reference has exactly it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asrbias.align_words import Alignment
from asrbias.score_results import Occurrence


@dataclass(frozen=True)
class PhraseSet:
    """Normalised phrases, for looking up runs of words."""

    forms: frozenset[str]
    lengths: tuple[int, ...]  # in words, the ones that occur

    @classmethod
    def of(cls, forms: Iterable[str]) -> PhraseSet:
        kept = frozenset(form for form in forms if form)
        return cls(kept, tuple(sorted({form.count(" ") + 1 for form in kept})))

    def find(self, words: Sequence[str]) -> list[Occurrence]:
        """Every occurrence, also overlapping ones, in order of length, then place."""
        found = []
        for length in self.lengths:
            for start in range(len(words) - length + 1):
                form = words[start] if length == 1 else " ".join(words[start : start + length])
                if form in self.forms:
                    found.append(Occurrence(form, start, start + length))
        return found


@dataclass(frozen=True)
class EntityMatches:
    """Occurrences in the reference (found, missed) and in the hypothesis (false hits)."""

    found: tuple[Occurrence, ...]
    missed: tuple[Occurrence, ...]
    false_hits: tuple[Occurrence, ...]


def match_entities(
    reference: Sequence[str],
    hypothesis: Sequence[str],
    alignment: Alignment,
    entities: PhraseSet,
    listed: Sequence[PhraseSet],
) -> EntityMatches:
    """Judge the entities spoken in the reference and the phrases of all lists written in the hypothesis."""
    to_hypothesis, to_reference = [-1] * len(reference), [-1] * len(hypothesis)
    for i, j in alignment:
        if i >= 0 and j >= 0 and reference[i] == hypothesis[j]:
            to_hypothesis[i], to_reference[j] = j, i
    found: list[Occurrence] = []
    missed: list[Occurrence] = []
    for occurrence in entities.find(reference):
        (found if _whole(to_hypothesis, occurrence) else missed).append(occurrence)
    written = {occurrence for phrases in (entities, *listed) for occurrence in phrases.find(hypothesis)}
    false_hits = [occurrence for occurrence in written if not _whole(to_reference, occurrence)]
    false_hits.sort(key=lambda o: (o.start, o.end))
    return EntityMatches(tuple(found), tuple(missed), tuple(false_hits))


def _whole(partners: Sequence[int], occurrence: Occurrence) -> bool:
    """Whether the words of the occurrence are right, and their partners stand side by side."""
    first = partners[occurrence.start]
    return first >= 0 and all(
        partners[occurrence.start + k] == first + k for k in range(1, occurrence.end - occurrence.start)
    )
