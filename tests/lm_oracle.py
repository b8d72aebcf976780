"""A toy language model and what it says, straight from the definitions: for the tests of the decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from asrbias.decoder import DecodeOptions
from asrbias.entities import Entity
from asrbias.lm import LanguageModel

LN10 = math.log(10.0)
# Words of a and b; "ab" is known, "bb" and all longer ones are not. log10 probabilities and back-off weights.
UNIGRAMS = {
    "<unk>": (-1.2, -0.1),
    "<s>": (-99.0, -0.4),
    "</s>": (-0.9, 0.0),
    "<boost>": (-1.1, 0.0),
    "a": (-0.5, -0.2),
    "ab": (-0.8, -0.3),
    "b": (-1.4, 0.0),
    "ba": (-1.0, 0.0),
}
BIGRAMS = {
    ("<s>", "a"): -0.2,
    ("<s>", "<boost>"): -0.6,
    ("a", "b"): -0.1,
    ("a", "<unk>"): -0.9,
    ("ab", "</s>"): -0.3,
    ("<unk>", "a"): -0.4,
}


def arpa(boost: bool = True) -> str:
    unigrams = {word: values for word, values in UNIGRAMS.items() if boost or word != "<boost>"}
    bigrams = {pair: p for pair, p in BIGRAMS.items() if boost or "<boost>" not in pair}
    rows = [f"\\data\\\nngram 1={len(unigrams)}\nngram 2={len(bigrams)}\n\n\\1-grams:"]
    rows += [f"{p}\t{word}\t{back_off}" for word, (p, back_off) in unigrams.items()]
    rows += ["\n\\2-grams:", *(f"{p}\t{' '.join(pair)}" for pair, p in bigrams.items()), "\n\\end\\\n"]
    return "\n".join(rows)


def model(folder: Path, boost: bool = True) -> LanguageModel:
    path = folder / f"toy{boost:d}.arpa"
    path.write_text(arpa(boost), encoding="utf-8")
    return LanguageModel.read(path)


class Speaker:
    """The model's and the class's part of a text's score."""

    def __init__(self, o: DecodeOptions, entities: Sequence[Entity] = (), boost: bool = True) -> None:
        self.o, self.boost = o, boost
        self.weights: dict[str, float] = {}
        for e in entities:
            self.weights[e.phrase] = max(e.weight, self.weights.get(e.phrase, -math.inf))
        self.total = sum(w for w in self.weights.values() if w > 0)

    def known(self, word: str) -> bool:
        return word in UNIGRAMS and word.isalpha()

    def log_prob(self, before: str, word: str) -> float:
        """Natural logarithm, with back-off."""
        pair = (before, word)
        if pair in BIGRAMS and (self.boost or "<boost>" not in pair):
            return BIGRAMS[pair] * LN10
        return (UNIGRAMS[before][1] + UNIGRAMS[word][0]) * LN10

    def word(self, before: str, word: str) -> float:
        name = word if self.known(word) else "<unk>"
        nats = self.o.lm_weight * self.log_prob(self.name(before), name) + self.o.word_bonus
        return nats if self.known(word) else nats + self.o.unknown_penalty

    def name(self, word: str) -> str:
        return word if word == "<s>" or self.known(word) else "<unk>"

    def words(self, spoken: Sequence[str], start: int = 0) -> float:
        """Of the words from `start` on, after those before them."""
        before = ["<s>", *spoken]
        return sum(self.word(before[i], spoken[i]) for i in range(start, len(spoken)))

    def text(self, spoken: Sequence[str]) -> float:
        return self.words(spoken) + self.o.lm_weight * self.log_prob(self.name(["<s>", *spoken][-1]), "</s>")

    def open(self, part: str) -> float:
        """The estimate of a word that begins with `part`."""
        if not part:
            return 0.0
        likeliest = [UNIGRAMS[w][0] * LN10 for w in UNIGRAMS if self.known(w) and w.startswith(part)]
        unknown = self.o.lm_weight * UNIGRAMS["<unk>"][0] * LN10 + self.o.unknown_penalty
        return max([self.o.lm_weight * p for p in likeliest] + [unknown]) + self.o.word_bonus

    def spelled(self, part: str) -> str | None:
        """What of the open word can still matter: None where no word of the model begins like it."""
        return part if any(self.known(w) and w.startswith(part) for w in UNIGRAMS) else None

    def history(self, spoken: Sequence[str]) -> str:
        """What of the closed words can still matter: the last one, if a bigram begins with it."""
        last = self.name(["<s>", *spoken][-1])
        return last if any(pair[0] == last and (self.boost or "<boost>" not in pair) for pair in BIGRAMS) else ""

    def boosted(self, before: Sequence[str]) -> float:
        """What the model says of its class after these words."""
        return self.log_prob(self.name(["<s>", *before][-1]), "<boost>" if self.boost else "<unk>")

    def gain(self, phrase: str, before: Sequence[str], lm: float) -> float:
        """What unigram boosting pays for `phrase` after `before`, where the model says `lm` of it."""
        weight = self.weights[phrase]
        if weight <= 0:
            return 0.0
        word = self.boosted(before)
        share = self.o.list_prior * math.log(weight / self.total)
        return self.o.unigram * max(0.0, self.o.lm_weight * word + share + self.o.word_bonus - lm)
