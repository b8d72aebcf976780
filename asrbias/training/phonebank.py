"""Phone posteriors of sentences that nobody said: pieces of real ones, put together.

    bank = PhoneBank.load("bank.npz")
    bank.simulate([phones], draw)        # [array [T, P]]: what a phone head might say of them

A bank holds the posteriors that a model's phone head gave for transcribed speech, cut into one piece a phone at the
frames of its best alignment. Errors, doubts, pauses and the timing of CTC are thus real; only their order is new. A
sentence is made of runs of pieces that are as long as possible, from utterances as hard as one another. Made of single
pieces it is far too easy: each joint tells where a phone begins, also one that was not heard (docs/log.md).

The layers above a bottleneck (asrbias/encoder.py) learn to spell from such posteriors: Sato et al. 2022, "Text-only
domain adaptation based on intermediate CTC", where posteriors are made of text by rules.
"""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from asrbias.alignment import AlignmentError, align
from asrbias.files import write_whole

Posteriors = npt.NDArray[np.float16]
LONGEST = 25  # frames (1 s): a longer piece is a pause
HARDEST = 0.75  # phone error rate; what is worse is not aligned well
EDGE = 2  # frames kept before the first and after the last phone of an utterance
REACH = 4  # phones that a run is looked up by, at the most
SHORTER = 0.15  # probability that it is looked up by one phone less, so that long runs are not always the same
BREAK = 0.1  # probability that a run ends after any piece, from the third on
LOOK = 4  # runs drawn, of which the one from the utterance of the wanted difficulty is taken
SHIFT = 64  # more than there are phones: keys of following phones are numbers in this base
REPEATED, SKIPPED = 0.08, 0.04  # probabilities, of a frame
SHARPNESS = 0.15  # deviation of the logarithm of the exponent of a sentence's posteriors
NOISE = 0.4  # nats, deviation, of every log probability
DIFFICULTY = (0.33, 0.18)  # mean and deviation of the phone error rates of utterances


class PhoneBankError(ValueError):
    """A bank cannot be made, read or used; the message says why."""


@dataclass(frozen=True)
class PhoneBank:
    """N frames cut into M pieces."""

    frames: Posteriors  # [N, P] natural log
    start: npt.NDArray[np.int32]  # [M] first frame
    length: npt.NDArray[np.int8]  # [M] frames
    phone: npt.NDArray[np.int8]  # [M] label, 1..P-1
    utterance: npt.NDArray[np.int32]  # [M] number
    error: npt.NDArray[np.float16]  # [M] phone error rate of the utterance

    @classmethod
    def build(cls, utterances: Iterable[tuple[npt.NDArray[np.floating], Sequence[int]]]) -> PhoneBank:
        """Of (posteriors [T, P] natural log, reference phones) pairs; what cannot be aligned is left out."""
        frames: list[Posteriors] = []
        pieces: list[tuple[int, int, int, int, float]] = []
        offset = 0
        for posteriors, phones in utterances:
            error = Levenshtein.distance(tuple(phones), best_path(posteriors)) / max(1, len(phones))
            if len(phones) < 2 or error > HARDEST:
                continue
            try:
                bounds = _bounds(posteriors, phones)
            except AlignmentError:
                continue
            for phone, (begin, end) in zip(phones, itertools.pairwise(bounds), strict=True):
                size = min(max(1, end - begin), LONGEST)
                pieces.append((offset + begin, size, phone, len(frames), error))
            frames.append(posteriors.astype(np.float16))
            offset += len(posteriors)
        if not pieces:
            raise PhoneBankError("No utterance could be aligned to its phones; a bank needs a model that hears some.")
        columns = list(zip(*pieces, strict=True))
        types = [np.int32, np.int8, np.int8, np.int32, np.float16]
        arrays = [np.array(column, dtype=kind) for column, kind in zip(columns, types, strict=True)]
        return cls(np.concatenate(frames), *arrays)

    @classmethod
    def join(cls, banks: Sequence[PhoneBank]) -> PhoneBank:
        """All pieces of several banks, as of one."""
        frames = np.cumsum([0, *(len(bank.frames) for bank in banks)])
        spoken = np.cumsum([0, *(int(bank.utterance.max()) + 1 for bank in banks)])
        moved = [
            replace(bank, start=bank.start + np.int32(frame), utterance=bank.utterance + np.int32(number))
            for bank, frame, number in zip(banks, frames, spoken, strict=False)
        ]
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(bank, name) for bank in moved]) for name in names})

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{field.name: getattr(self, field.name) for field in fields(self)})
        write_whole(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> PhoneBank:
        """Read what `save` wrote. Raises PhoneBankError."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise PhoneBankError(
                f"{path} cannot be read as a bank of phone posteriors; make one with recipes/starter/phone_bank.py."
            ) from error

    @cached_property
    def _runs(self) -> list[dict[int, npt.NDArray[np.int64]]]:
        """By the key of the next REACH phones, of one less and so on down to one: the pieces where they begin."""
        keys = self.phone.astype(np.int64)
        levels = [keys]
        for further in range(1, REACH):
            following = np.zeros_like(keys)
            same = self.utterance[:-further] == self.utterance[further:]
            following[:-further] = np.where(same, self.phone[further:], 0)
            keys = keys * SHIFT + following
            levels.append(keys)
        return [_grouped(keys) for keys in reversed(levels)]

    @cached_property
    def _next(self) -> list[int]:
        """[M] the label of the piece after each in its utterance, 0 at the end."""
        same = np.append(self.utterance[:-1] == self.utterance[1:], False)
        following: list[int] = np.where(same, np.append(self.phone[1:], 0), 0).tolist()
        return following

    def simulate(self, sentences: Sequence[Sequence[int]], draw: np.random.Generator) -> list[Posteriors]:
        """Posteriors [T, P], natural log, of each sequence of phones (labels 1..P-1).

        Raises PhoneBankError for a phone of which the bank has no piece.
        """
        return [rows for rows, _ in self.simulate_aligned(sentences, draw)]

    def simulate_aligned(
        self, sentences: Sequence[Sequence[int]], draw: np.random.Generator
    ) -> list[tuple[Posteriors, npt.NDArray[np.int64]]]:
        """The same, and the frame at which each phone ends (the next one begins): [phones]."""
        return [self._sentence(list(sentence), draw) for sentence in sentences]

    def _sentence(self, phones: list[int], draw: np.random.Generator) -> tuple[Posteriors, npt.NDArray[np.int64]]:
        wanted = abs(draw.normal(*DIFFICULTY))
        parts = [self.frames[:0]]
        sizes = [np.zeros(0, np.int64)]
        place = 0
        while place < len(phones):
            first = self._choose(phones[place : place + REACH], wanted, draw)
            last, place = first, place + 1
            while place < len(phones) and self._next[last] == phones[place]:
                if last - first >= 2 and draw.random() < BREAK:
                    break
                last, place = last + 1, place + 1
            parts.append(self.frames[self.start[first] : self.start[last] + self.length[last]])
            sizes.append(_spans(self.start[first : last + 1], self.length[last]))
        rows, times = _disturbed(np.concatenate(parts), draw)
        ends = np.cumsum(np.concatenate(sizes), dtype=np.int64)
        return rows, np.concatenate([[0], np.cumsum(times)])[ends]

    def _choose(self, phones: list[int], wanted: float, draw: np.random.Generator) -> int:
        """A piece that begins a run of as many of these phones as there are runs of."""
        longest = len(phones) - int(len(phones) > 1 and draw.random() < SHORTER)
        for size in range(longest, 0, -1):
            key = 0
            for phone in phones[:size]:
                key = key * SHIFT + phone
            pieces = self._runs[REACH - size].get(key)
            if pieces is not None:
                drawn = pieces[draw.integers(len(pieces), size=LOOK)]
                return int(drawn[np.abs(self.error[drawn] - wanted).argmin()])
        raise PhoneBankError(f"The bank has no piece of phone {phones[0]}; make it from more speech.")


def _grouped(keys: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.int64]]:
    """keys [M] -> the indices of each key."""
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.concatenate([[True], keys[order][1:] != keys[order][:-1]]))
    return dict(zip(keys[order][begins].tolist(), np.split(order, begins[1:]), strict=True))


def disturbed(posteriors: Posteriors, draw: np.random.Generator) -> Posteriors:
    """Posteriors [T, P], natural log -> others [T', P] of the same sounds.

    A bank is heard many times over. Without this, its frames are learnt by heart, and with them which phone was said
    where another one was heard.
    """
    return _disturbed(posteriors, draw)[0]


def _disturbed(posteriors: Posteriors, draw: np.random.Generator) -> tuple[Posteriors, npt.NDArray[np.int64]]:
    """The disturbed posteriors, and how often each frame of the given ones is in them: [T]."""
    if not len(posteriors):
        return posteriors, np.zeros(0, np.int64)
    times = np.ones(len(posteriors), np.int64)
    chance = draw.random(len(posteriors))
    times[chance < REPEATED] = 2
    times[chance > 1 - SKIPPED] = 0
    if not times.any():
        times[:] = 1
    rows = np.repeat(posteriors.astype(np.float32), times, axis=0)
    rows *= np.exp(draw.normal(0.0, SHARPNESS))
    rows += draw.normal(0.0, NOISE, rows.shape).astype(np.float32)
    rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
    return rows.astype(np.float16), times


def _spans(starts: npt.NDArray[np.int32], last: np.int8) -> npt.NDArray[np.int64]:
    """Frames from each piece of a run to the next, `last` frames for the last: a pause belongs to what is before."""
    return np.append(np.diff(starts), last).astype(np.int64)


def best_path(posteriors: npt.NDArray[np.floating]) -> tuple[int, ...]:
    """[T, P] -> the best label of each frame, repetitions merged, blank (0) dropped."""
    best = posteriors.argmax(1)
    fresh = np.concatenate([[True], best[1:] != best[:-1]]) if len(best) else np.zeros(0, bool)
    return tuple(best[fresh & (best != 0)].tolist())


def _bounds(posteriors: npt.NDArray[np.floating], phones: Sequence[int]) -> list[int]:
    """Frames at which the phones begin, and the end of the last: halfway between the frames they are aligned to."""
    aligned = align(posteriors.astype(np.float32), list(phones))
    between = [(last + first + 1) // 2 for last, first in zip(aligned.last, aligned.first[1:], strict=False)]
    return [max(0, aligned.first[0] - EDGE), *between, min(len(posteriors), aligned.last[-1] + 1 + EDGE)]
