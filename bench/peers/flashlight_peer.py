"""flashlight-text 0.0.7: its lexicon decoder, with the list in the lexicon.

It writes only words of the lexicon, here those of the language model and the listed phrases, each phrase one entry. A
listed phrase has a word of its own in the language model ("kyiv|listed", a unigram of `list_score`), so a word can be
listed for one utterance and not for another; the decoder itself stays native. Without a language model a small one in
Python gives listed phrases their score and all other words none.

Two things are done for it: repeats of a word's last piece, which its search cannot take, count as blank
(`fold_repeats`), and a word may have several segmentations.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sentencepiece
from flashlight.lib.text.decoder import (
    LM,
    CriterionType,
    LexiconDecoder,
    LexiconDecoderOptions,
    LMState,
    SmearingMode,
    Trie,
    TrieNode,
)
from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary
from posteriors import Utterance
from system import List, Setting

Entry = tuple[list[list[int]], int, float]  # spellings of a word, its number, its score for the look-ahead
LISTED = "|listed"


@dataclass(frozen=True, kw_only=True)
class Options:
    list_score: float = -3.0  # log10 probability of a listed phrase, at most 0; with no language model: nats it earns
    word_score: float = 0.0  # nats a word
    lm: bool = False  # use the setting's language model
    lm_weight: float = 1.0  # of log10 probabilities
    beam: int = 32  # hypotheses
    beam_tokens: int = 32  # labels of a frame
    beam_threshold: float = 25.0  # nats
    segmentations: int = 1  # of each word, the likeliest by SentencePiece
    fold_repeats: bool = True


class ListModel(LM):
    """No language model, but a score for each listed phrase."""

    def __init__(self, dictionary: Dictionary, score: float) -> None:
        super().__init__()
        self._state = LMState()
        size = dictionary.index_size()
        self._scores = [score if dictionary.get_entry(word).endswith(LISTED) else 0.0 for word in range(size)]

    def start(self, start_with_nothing: bool) -> LMState:
        return self._state

    def score(self, state: LMState, word: int) -> tuple[LMState, float]:
        return self._state, self._scores[word]

    def finish(self, state: LMState) -> tuple[LMState, float]:
        return self._state, 0.0


class Flashlight:
    def __init__(self, setting: Setting, options: Options) -> None:
        if setting.arpa is None:
            raise SystemExit("flashlight needs --lm: its words are the lexicon.")
        self.options = options
        self.vocabulary = setting.vocabulary
        self._pieces = sentencepiece.SentencePieceProcessor(model_proto=self.vocabulary.sentencepiece)
        self._spellings: dict[str, list[list[int]]] = {}
        charset = self.vocabulary.charset
        words = [word for word in arpa_words(setting.arpa) if charset.issuperset(word)]
        self._dictionary = Dictionary([*words, *(_word(p) for p in sorted(setting.phrases)), "<unk>"])
        self._dictionary.set_default_index(self._dictionary.get_index("<unk>"))
        self._lm = self._model(setting) if options.lm else ListModel(self._dictionary, options.list_score)
        self._fast = setting.fast
        self._kept: tuple[tuple[str, ...], Lexicon] | None = None
        self._start = self._lm.start(False)
        self._base = [self._entry(word, word) for word in words]
        self._search = LexiconDecoderOptions(
            beam_size=options.beam,
            beam_size_token=options.beam_tokens,
            beam_threshold=options.beam_threshold,
            lm_weight=options.lm_weight if options.lm else 1.0,
            word_score=options.word_score,
            unk_score=-np.inf,
            sil_score=0.0,
            log_add=True,
            criterion_type=CriterionType.CTC,
        )

    def _model(self, setting: Setting) -> KenLM:
        assert setting.arpa is not None
        with tempfile.TemporaryDirectory() as folder:
            arpa = Path(folder) / "listed.arpa"
            text = with_list(setting.arpa.read_text(encoding="utf-8"), setting.phrases, self.options.list_score)
            arpa.write_text(text, encoding="utf-8")
            return KenLM(str(arpa), self._dictionary)

    def _entry(self, text: str, word: str) -> Entry:
        """Spellings, number and score of a word of the lexicon."""
        number = self._dictionary.get_index(word)
        if text not in self._spellings:
            count = self.options.segmentations
            best = self._pieces.nbest_encode_as_ids(text, count) if count > 1 else [self._pieces.encode(text)]
            self._spellings[text] = list(map(list, best))
        return self._spellings[text], number, self._lm.score(self._start, number)[1]

    @property
    def shares(self) -> tuple[object, ...]:
        return self.options.list_score, self.options.lm, self.options.segmentations

    def prepare(self, listed: List | None) -> Trie:
        """The lexicon. The short cut keeps it while only the own entities change, which it puts in and takes out."""
        own, others = (listed.own, listed.others) if listed is not None else ((), ())
        if self._kept is not None and self._kept[0] is others:
            self._kept[1].restore()
        else:
            entries = [*self._base, *(self._entry(p, _word(p)) for p in others)]
            self._kept = others, Lexicon(len(self.vocabulary), self.vocabulary.blank, entries)
        others_set = set(others)
        self._kept[1].add([self._entry(p, _word(p)) for p in own if p not in others_set])
        trie = self._kept[1].trie
        if not self._fast:
            self._kept = None
        return trie

    def decode(self, utterance: Utterance, prepared: Trie) -> str:
        emissions, blank = utterance.log_probs, self.vocabulary.blank
        if self.options.fold_repeats:
            emissions = fold_repeats(emissions, blank)
        unknown = self._dictionary.get_index("<unk>")
        decoder = LexiconDecoder(self._search, prepared, self._lm, blank, blank, unknown, [], False)
        found = decoder.decode(emissions.ctypes.data, *emissions.shape)
        words = [self._dictionary.get_entry(word) for word in found[0].words if word >= 0] if found else []
        return " ".join(word.removesuffix(LISTED).replace("_", " ") for word in words)


class Lexicon:
    """A trie to which phrases can be added, and taken out again."""

    def __init__(self, size: int, root: int, entries: Iterable[Entry]) -> None:
        self.trie = Trie(size, root)
        for spellings, number, score in entries:
            for spelling in spellings:
                self.trie.insert(spelling, number, score)
        self.trie.smear(SmearingMode.MAX)
        self._changed: list[tuple[TrieNode, dict[int, TrieNode], list[int], list[float], float]] = []

    def add(self, entries: Iterable[Entry]) -> None:
        for spellings, number, score in entries:
            for spelling in spellings:
                node = self.trie.search([])  # the root; get_root() gives Python a pointer that it frees
                for piece in spelling:
                    self._changed.append((node, node.children, node.labels, node.scores, node.max_score))
                    node = node.children.get(piece)
                    if node is None:
                        break
                else:
                    self._changed.append((node, node.children, node.labels, node.scores, node.max_score))
                self.trie.insert(spelling, number, score)
        self.trie.smear(SmearingMode.MAX)

    def restore(self) -> None:
        for node, children, labels, scores, highest in reversed(self._changed):
            node.children, node.labels, node.scores, node.max_score = children, labels, scores, highest
        self._changed.clear()


def fold_repeats(log_probs: npt.NDArray[np.float32], blank: int) -> npt.NDArray[np.float32]:
    """[T, V]: where a frame's best label is the one before it, going on with it counts as blank too."""
    folded = log_probs.copy()
    best = log_probs.argmax(1)
    again = np.flatnonzero((best[1:] == best[:-1]) & (best[1:] != blank)) + 1
    folded[again, blank] = np.logaddexp(folded[again, blank], log_probs[again, best[again]])
    return folded


def arpa_words(path: Path) -> list[str]:
    """The words of a model but <s>, </s> and <unk>."""
    words = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("\\2-grams:"):
                break
            fields = line.split("\t")
            if len(fields) > 1 and not fields[1].strip().startswith("<"):
                words.append(fields[1].strip())
    return words


def with_list(arpa: str, phrases: frozenset[str], score: float) -> str:
    """The model with a unigram for each listed phrase; nothing else changes (the sum of probabilities does)."""
    first = arpa.index("ngram 1=")
    end = arpa.index("\n", first)
    count = int(arpa[first + len("ngram 1=") : end])
    start = arpa.index("\\1-grams:\n") + len("\\1-grams:\n")
    unigrams = "".join(f"{score}\t{_word(phrase)}\t0\n" for phrase in sorted(phrases))
    return f"{arpa[:first]}ngram 1={count + len(phrases)}{arpa[end:start]}{unigrams}{arpa[start:]}"


def _word(phrase: str) -> str:
    """A listed phrase as one word: ARPA files part words at spaces."""
    return phrase.replace(" ", "_") + LISTED


def make_flashlight(setting: Setting, options: Mapping[str, Any]) -> Flashlight:
    return Flashlight(setting, Options(**{**asdict(Options()), **options}))
