"""Whose names are to be found: words that are rare in the training text, and names by their capitals.

Rare words: those outside the N most frequent words of the training text (Le et al. 2021 take 5,000).
Names: runs of capitalised words inside a sentence, of which at least one word is rare; "European Union" is none.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from asrbias.text import normalise

LONGEST = 4  # words of a name
_PARTICLES = frozenset("de da del della der den di do dos du el la le van von zu bin ibn".split())
_TITLES = frozenset(
    "mr mrs ms miss dr sir madam lord lady professor president minister commissioner chancellor king queen".split()
)
_CAPITALISED = re.compile(r"[^\W\d_]*[A-ZÀ-ÖØ-ÞĀ-Ž][^\W_]*(?:['’-][^\W_]+)*")
_EDGES = "\"'“”‘’()[]«»…,;:.!?"
_STOPS = re.compile(r"[.!?:…][\"'”’)»]*$")


def common_words(texts: Iterable[str], count: int) -> frozenset[str]:
    """The `count` most frequent words of texts in the matching form; ties go by the alphabet."""
    counts = Counter(word for text in texts for word in text.split())
    return frozenset(sorted(counts, key=lambda word: (-counts[word], word))[:count])


def rare_words(text: str, common: frozenset[str]) -> list[str]:
    """The words of a text in the matching form that are not common, each once, in their order."""
    return [word for word in dict.fromkeys(text.split()) if word not in common]


def names_in(original: str, text: str, common: frozenset[str]) -> list[str]:
    """Names of a text as it was written; `text` is its matching form, in which each must stand as whole words."""
    found: dict[str, None] = {}
    for run in _runs(original):
        phrase = " ".join(run)
        form = normalise(phrase)
        if form and len(run) <= LONGEST and rare_words(form, common) and f" {form} " in f" {text} ":
            found[phrase] = None
    return list(found)


def _runs(original: str) -> list[list[str]]:
    """Runs of capitalised words, particles inside them kept, titles before them left out; none begins a sentence."""
    runs: list[list[str]] = []
    run: list[str] = []
    begins = True  # a sentence

    def close() -> None:
        while run and run[-1] in _PARTICLES:
            run.pop()
        while run and run[0].lower() in _TITLES:
            run.pop(0)
        if run:
            runs.append(run.copy())
        run.clear()

    for token in original.split():
        word = re.sub(r"['’]s$", "", token.strip(_EDGES))
        capital = _CAPITALISED.fullmatch(word) is not None and word != "I" and not word.startswith(("I'", "I’"))
        if begins or not (capital or (run and word in _PARTICLES)):
            close()
        elif token[:1] in _EDGES and token[:1] not in "'’":
            close()
            run.append(word)
        else:
            run.append(word)
        begins = _STOPS.search(token) is not None and word.lower() not in _TITLES
        if run and token[-1:] in _EDGES and word.lower() not in _TITLES:
            close()
    close()
    return runs


def distractors(phrases: Iterable[str], spoken: Iterable[str], count: int, seed: int) -> list[str]:
    """At most `count` phrases at random, of which none is among those spoken in dev and test."""
    taken = {normalise(phrase) for phrase in spoken}
    forms: dict[str, str] = {}
    for phrase in phrases:
        forms.setdefault(normalise(phrase), phrase)
    left = sorted(phrase for form, phrase in forms.items() if form and form not in taken)
    return random.Random(seed).sample(left, min(count, len(left)))


def pieces(words: Sequence[str], draw: random.Random, least: int = 3, most: int = 18) -> list[list[str]]:
    """Neighbouring words in pieces of `least` to `most`, a short rest left out."""
    found, begin = [], 0
    while len(words) - begin >= least:
        size = draw.randint(least, most)
        found.append(list(words[begin : begin + size]))
        begin += size
    return [piece for piece in found if len(piece) >= least]
