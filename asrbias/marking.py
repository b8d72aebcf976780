"""Listed entities that a hypothesis has already: its words are marked as theirs, so that they are shown as listed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from asrbias.hypothesis import Hypothesis, Word
from asrbias.pronunciations import PronouncedList


def marked(hypothesis: Hypothesis, pronounced: PronouncedList) -> Hypothesis:
    """The hypothesis with every run of words that is a listed phrase, and in no entity yet, marked; longest runs first.

    A search that is told of the list marks them itself; one that is not leaves them to this.
    """
    if pronounced.beginnings.isdisjoint(hypothesis.text.split(" ")):
        return hypothesis
    return hypothesis.reworded(partial(_marked, pronounced))


def _marked(pronounced: PronouncedList, given: tuple[Word, ...]) -> tuple[Word, ...]:
    words, forms = list(given), pronounced.forms
    begins = [first for first, word in enumerate(words) if word.text in pronounced.beginnings]
    for size in range(min(len(words), pronounced.longest), 0, -1):
        for first in begins:
            if first + size > len(words):
                break
            run = words[first : first + size]
            entity = forms.get(" ".join(word.text for word in run))
            if entity is None or any(word.entity is not None for word in run):
                continue
            span = (first, first + size - 1)
            words[first : first + size] = [replace(word, entity=entity, entity_span=span) for word in run]
    return tuple(words)
