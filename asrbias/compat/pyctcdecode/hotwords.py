"""Hotwords: words that pay a fixed number of nats each, wherever they stand."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from asrbias.compat.pyctcdecode.constants import DEFAULT_HOTWORD_WEIGHT
from asrbias.decode_options import DecoderTypeError

LAST = "\U0010ffff"  # no word goes on with a character beyond it


class SortedWords:
    """Words in an order that finds those with a prefix."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(set(words))

    def __len__(self) -> int:
        return len(self._words)

    def starting(self, prefix: str) -> list[str]:
        return self._words[bisect_left(self._words, prefix) : bisect_left(self._words, prefix + LAST)]

    def has_node(self, prefix: str) -> bool:
        """Whether any word begins with, or is, the prefix."""
        at = bisect_left(self._words, prefix)
        return at < len(self._words) and self._words[at].startswith(prefix)


class HotwordScorer:
    """Scores texts by the hotwords in them. A phrase counts word by word: "new york" is the hotwords new and york."""

    def __init__(self, words: Iterable[str] = (), weight: float = DEFAULT_HOTWORD_WEIGHT) -> None:
        """words: without white space. weight: nats a word."""
        self.words = frozenset(words)
        self.weight = weight
        self._sorted = SortedWords(self.words)
        self._partial: dict[str, float] = {}

    @classmethod
    def build_scorer(
        cls, hotwords: Iterable[str] | None = None, weight: float = DEFAULT_HOTWORD_WEIGHT
    ) -> HotwordScorer:
        """hotwords: words and phrases. Raises DecoderTypeError for what is no list of strings."""
        if isinstance(hotwords, str):
            raise DecoderTypeError(f"hotwords is the string {hotwords!r}; give a list of strings.")
        listed = list(hotwords or ())
        odd = next((phrase for phrase in listed if not isinstance(phrase, str)), None)
        if odd is not None:
            raise DecoderTypeError(f"hotwords holds {odd!r}; every hotword must be a string.")
        return cls((word for phrase in listed for word in phrase.split()), weight)

    def __contains__(self, prefix: object) -> bool:
        return isinstance(prefix, str) and self._sorted.has_node(prefix)

    def score(self, text: str) -> float:
        """Nats of the whole words of a text."""
        return self.weight * self.count(text.split())

    def count(self, words: Iterable[str]) -> int:
        """How many of these words are hotwords."""
        return sum(word in self.words for word in words) if self.words else 0

    def score_partial_token(self, token: str) -> float:
        """Nats of an open word: the weight's share that its characters are of the shortest hotword that begins so."""
        if not self.words or not token:
            return 0.0
        if token not in self._partial:
            shortest = min(map(len, self._sorted.starting(token)), default=0)
            self._partial[token] = self.weight * len(token) / shortest if shortest else 0.0
        return self._partial[token]
