"""Subword and character vocabularies, and every segmentation of a phrase.

A vocabulary is V labels: SentencePiece pieces, where "▁" marks a word's start, or characters, where " " parts words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from asrbias.errors import reason

BLANK = "<blank>"
WORD_START = "▁"
SENTENCEPIECE_FILE = "tokens.model"
CHARACTERS_FILE = "tokens.json"


class VocabularyError(ValueError):
    """A vocabulary cannot be made, read or used; the message says why."""


def train_sentencepiece(texts: Iterable[str], size: int, *, threads: int = 2) -> bytes:
    """A unigram SentencePiece model (Kudo 2018) of `size` pieces over matching-form texts, as bytes of a .model file.

    Every character of a-z and the apostrophe is kept as a piece of its own, so that every name can be written. Piece 0
    is SentencePiece's <unk>: never used, its place becomes the blank.
    """
    import io

    import sentencepiece

    out = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=out,
            vocab_size=size,
            model_type="unigram",
            character_coverage=1.0,
            required_chars="abcdefghijklmnopqrstuvwxyz'",
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=threads,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise VocabularyError(f"SentencePiece cannot make {size} pieces ({error}); use more text or fewer.") from error
    return out.getvalue()


@dataclass(frozen=True)
class Vocabulary:
    """V labels with a blank; `sentencepiece` holds the .model file's bytes, or None for characters."""

    labels: tuple[str, ...]
    blank: int = 0
    sentencepiece: bytes | None = None

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels):
            double = next(label for label in self.labels if self.labels.count(label) > 1)
            raise VocabularyError(f"The label {double!r} stands twice in the vocabulary; every label must be unique.")
        if not 0 <= self.blank < len(self.labels):
            raise VocabularyError(f"The blank {self.blank} is not one of the labels 0..{len(self.labels) - 1}.")

    @classmethod
    def from_sentencepiece(cls, model: bytes) -> Vocabulary:
        """Labels are the model's pieces, the blank in the place of <unk>."""
        import sentencepiece

        try:
            processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise VocabularyError("This is no SentencePiece model; give the bytes of a .model file.") from error
        if processor.unk_id() != 0:
            raise VocabularyError(
                f"<unk> is piece {processor.unk_id()} of this SentencePiece model; it must be 0, where the blank goes."
            )
        pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
        return cls((BLANK, *pieces[1:]), 0, model)

    @classmethod
    def from_characters(cls, characters: Iterable[str]) -> Vocabulary:
        """A blank, then the given characters in order; " " must be one of them."""
        labels = (BLANK, *characters)
        if " " not in labels:
            raise VocabularyError('A character vocabulary needs " " as the word separator; add it.')
        return cls(labels, 0, None)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def _processor(self) -> Any:
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_proto=self.sentencepiece)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.labels)}

    @cached_property
    def _marks_words(self) -> bool:
        return any(label.startswith(WORD_START) for label in self.labels)

    @cached_property
    def charset(self) -> frozenset[str]:
        """The characters that the labels can write, without the word-start mark."""
        return frozenset("".join(label for label in self.labels if not label.startswith("<"))) - {WORD_START, " "}

    def encode(self, text: str) -> list[int]:
        """Matching-form text -> label numbers, the most probable segmentation."""
        stranger = sorted(set(text) - self.charset - {" "})
        if stranger:
            raise VocabularyError(
                f"{stranger} in {text!r} cannot be written by this vocabulary; normalise the text first."
            )
        if not self._marks_words:
            return [self._index[character] for character in text]
        if self.sentencepiece is None:
            raise VocabularyError(
                "These pieces came without their SentencePiece model, which alone knows the best segmentation."
            )
        return list(self._processor.encode(text))

    def decode(self, numbers: Sequence[int]) -> str:
        """Label numbers without blanks -> text."""
        text = "".join(self.labels[number] for number in numbers if number != self.blank)
        return " ".join(text.replace(WORD_START, " ").split())

    def segmentations(self, phrase: str) -> Iterator[tuple[int, ...]]:
        """Every way to write a phrase in labels, longest labels first; exponentially many if it is long."""
        if not self._marks_words:
            yield tuple(self.encode(phrase))
            return
        text = WORD_START + phrase.replace(" ", WORD_START)
        longest = max(len(label) for label in self.labels)

        def extend(start: int, taken: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if start == len(text):
                yield taken
            for end in range(min(len(text), start + longest), start, -1):
                number = self._index.get(text[start:end])
                if number is not None and number != self.blank:
                    yield from extend(end, (*taken, number))

        yield from extend(0, ())

    def save(self, folder: Path) -> None:
        """Write the vocabulary's file into `folder`."""
        from asrbias.files import write_whole

        if self.sentencepiece is not None:
            write_whole(folder / SENTENCEPIECE_FILE, self.sentencepiece)
        else:
            body = json.dumps({"labels": self.labels, "blank": self.blank}, ensure_ascii=False)
            write_whole(folder / CHARACTERS_FILE, body.encode())
            (folder / SENTENCEPIECE_FILE).unlink(missing_ok=True)  # an earlier one, which `load` would prefer

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Read what `save` wrote."""
        if (folder / SENTENCEPIECE_FILE).is_file():
            try:
                return cls.from_sentencepiece((folder / SENTENCEPIECE_FILE).read_bytes())
            except VocabularyError as error:
                raise VocabularyError(f"{folder / SENTENCEPIECE_FILE}: {error}") from error
        if (folder / CHARACTERS_FILE).is_file():
            try:
                body = json.loads((folder / CHARACTERS_FILE).read_text(encoding="utf-8"))
                labels, blank = tuple(map(str, body["labels"])), int(body["blank"])
            except (ValueError, TypeError, KeyError) as error:
                raise VocabularyError(
                    f"{folder / CHARACTERS_FILE} cannot be read ({reason(error)}); take it anew from where it came."
                ) from error
            return cls(labels, blank, None)
        raise VocabularyError(f"{folder} has no vocabulary; it needs {SENTENCEPIECE_FILE} or {CHARACTERS_FILE}.")
