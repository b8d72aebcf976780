"""A list at work in the adapter: which entities it attends to in an utterance, and what the encoder then offers.

    adapting = Adapting(model.encoder, adapter, vocabulary)
    adapted = adapting(hidden, phone_log_probs, entities)     # Adapted: posteriors [T, V], attention [T, 1+K]

Of a list longer than `AdapterOptions.shortlist` only those entities are attended to that an utterance may hold by its
sounds (shortlist.py). Lists are kept by their content, and what is embedded by its labels, so that neither a list that
comes again nor an entity that is on other lists too costs anything.
"""

from __future__ import annotations

import copy
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asrbias.adapter_input import Row, entity_row, pad_rows
from asrbias.entities import EntityList
from asrbias.phones import PHONES
from asrbias.phrases import Spelling
from asrbias.pronunciations import PronouncedList
from asrbias.shortlist import ShortlistIndex
from asrbias.wordgraphs import PhoneGraphs

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from asrbias.adapter import ContextualAdapter, Embedded
    from asrbias.encoder import Encoder
    from asrbias.tokens import Vocabulary

Matrix = npt.NDArray[np.float32]
KEPT_LISTS = 32  # lists whose index is kept
KEPT_ENTITIES = 50_000  # rows of labels whose embeddings are kept: some 10 KB each
WINDOW = 1500  # frames (60 s) that are attended from at once: memory grows with frames times labels
MARGIN = 250  # frames more on either side, that a window's first and last ones may hear
GROWN = 1000  # entities beyond which a longer list changes little: no more are attended to, the best of them
LEAST = 1e-4  # share of a frame's attention that counts nothing
FORMS = 3  # matching forms of an entity that are attended to


class AdapterOptionError(ValueError):
    """An option of the adapter has a value that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class AdapterOptions:
    """How a model's adapter is used. Raises AdapterOptionError for a value out of range."""

    shortlist: int = 100  # entities that are attended to in an utterance, at most
    strength: float = 1.0  # times what the adapter adds to the last layer
    caution: float = 0.0  # nats more for <no-bias>
    least: float = 0.0  # share of a frame's attention below which an entity adds nothing to it
    growth: float = 0.0  # nats more for <no-bias> for each e-fold of a list beyond 100 entities

    def __post_init__(self) -> None:
        if isinstance(self.shortlist, bool) or not isinstance(self.shortlist, int) or self.shortlist < 1:
            raise AdapterOptionError(
                f"shortlist is {self.shortlist!r}; it must be a whole number of entities, 1 or more."
            )
        ranges = {"strength": (0, 100), "caution": (-100, 100), "growth": (0, 100), "least": (0, 1)}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not low <= value <= high:
                raise AdapterOptionError(f"{name} is {value!r}; it must be a number from {low} to {high}.")

    def no_bias(self, entities: int) -> float:
        """Nats that are added to <no-bias> for a list of so many."""
        return self.caution + self.growth * max(0.0, math.log(min(entities, GROWN) / 100 if entities else 0.01))


@dataclass(frozen=True, eq=False)
class Adapted:
    """What a list made of an utterance."""

    log_probs: Matrix  # [T, V] natural logarithms
    attention: Matrix  # [T, 1+K] of each frame; column 0 is <no-bias>
    entities: tuple[int, ...]  # K positions in the EntityList, of the attention's other columns

    def attended(self, entity: int, first: int, last: int) -> float:
        """How much frames first..last attend to an entity: mean nats above a share of LEAST; 0 if it is not among K."""
        column = self._columns.get(entity)
        if column is None:
            return 0.0
        nats = np.log((self.attention[first : last + 1, column] + LEAST) / LEAST)
        return float(np.add.reduce(nats) / np.float32(len(nats)))  # mean() of a few numbers takes as long as the rest

    @cached_property
    def _columns(self) -> dict[int, int]:
        """Of the attention, by entity."""
        return {entity: column for column, entity in enumerate(self.entities, 1)}


@dataclass(eq=False)
class _List:
    """A list as the adapter reads it: an entity by each of its matching forms."""

    entities: EntityList
    index: ShortlistIndex | None  # None where all of it is attended to
    rows: dict[int, list[Row]]  # of each entity that may be attended to


class Adapting:
    """Safe to use from several threads.

    Args:
        encoder, adapter, vocabulary: of one model; the encoder is only asked for its head.
        phones: the phone head's labels after its blank, which is 0.
    """

    kept_lists = KEPT_LISTS

    def __init__(
        self,
        encoder: Encoder,
        adapter: ContextualAdapter,
        vocabulary: Vocabulary,
        options: AdapterOptions | None = None,
        phones: Sequence[str] = PHONES,
    ) -> None:
        self.encoder, self.adapter, self.vocabulary = encoder, adapter, vocabulary
        self.options = options or AdapterOptions()
        self._graphs = PhoneGraphs(phones)
        self._spelling = Spelling.of(vocabulary.labels, vocabulary.blank)
        self._kept: OrderedDict[str, _List] = OrderedDict()
        self._embedded_rows: dict[Row, tuple[Tensor, ...]] = {}
        self._lock = threading.Lock()
        self._stream = _stream_on(adapter.no_bias.device)

    def __call__(self, hidden: Sequence[Tensor], phone_log_probs: Matrix, entities: EntityList) -> Adapted:
        """What the list makes of one utterance.

        Args:
            hidden: `asrbias.adapter.levels` of the utterance, [T, D] each; on a GPU they must be computed already.
            phone_log_probs: [T, P] natural logarithms, the same frames.
        """
        listed = self._list(entities)
        if len(phone_log_probs) <= WINDOW + 2 * MARGIN:
            return self._window(hidden, phone_log_probs, listed)
        parts: list[tuple[Adapted, int, int]] = []  # with its frames that are kept
        for begin in range(0, len(phone_log_probs), WINDOW):
            first, last = max(0, begin - MARGIN), min(len(phone_log_probs), begin + WINDOW + MARGIN)
            some = [level[first:last] for level in hidden]
            one = self._window(some, phone_log_probs[first:last], listed)
            parts.append((one, begin - first, min(begin + WINDOW, len(phone_log_probs)) - first))
        return _joined(parts)

    def _window(self, hidden: Sequence[Tensor], phone_log_probs: Matrix, listed: _List) -> Adapted:
        """Of frames that are looked at at once, with a shortlist of their own."""
        import torch

        chosen = self._choose(listed, phone_log_probs)
        with torch.inference_mode(), self._stream():
            frames = torch.tensor([len(phone_log_probs)], device=hidden[-1].device)
            told = self.adapter(
                [level[None].float() for level in hidden], frames, self._embed(listed, chosen),
                phones=self._sounds(phone_log_probs).to(frames.device)[None], strength=self.options.strength,
                caution=self.options.no_bias(len(listed.rows)), least=self.options.least,
            )  # fmt: skip
            log_probs = self.encoder.head(told.hidden)[0].float().log_softmax(-1).cpu().numpy()
            attention = told.attention[0].cpu().numpy()
        counts = [len(listed.rows[entity]) for entity in chosen]
        return Adapted(log_probs, _by_entity(attention, counts), tuple(chosen))

    def with_options(self, options: AdapterOptions) -> Adapting:
        """The same with other options but `shortlist`; what is kept of lists serves both."""
        if options.shortlist != self.options.shortlist:
            raise AdapterOptionError(f"shortlist is {options.shortlist}; lists are kept for {self.options.shortlist}.")
        other = copy.copy(self)
        other.options = options
        return other

    def compile(self, entities: EntityList) -> None:
        """Get a list ready, and keep it: its sounds, and where it is long its index."""
        self._list(entities)

    def _sounds(self, phone_log_probs: Matrix) -> Tensor:
        """What the adapter compares with an entity's sounds, [T, P] natural logarithms."""
        import torch

        return torch.from_numpy(phone_log_probs)

    def _choose(self, listed: _List, phone_log_probs: Matrix) -> list[int]:
        if listed.index is None:
            return sorted(listed.rows)
        return [
            entity
            for entity in listed.index.choose(phone_log_probs, most=self.options.shortlist)
            if entity in listed.rows
        ]

    def _list(self, entities: EntityList) -> _List:
        with self._lock:
            kept = self._kept.get(entities.digest)
            if kept is not None and kept.entities == entities:
                self._kept.move_to_end(entities.digest)
                return kept
        made = self._read(entities)
        with self._lock:
            self._kept[entities.digest] = made
            while len(self._kept) > self.kept_lists:
                self._kept.popitem(last=False)
        return made

    def _read(self, entities: EntityList) -> _List:
        pronounced = PronouncedList.of(entities, entities.forms(self._spelling.charset), self._graphs)
        long = len(pronounced.texts) > self.options.shortlist
        return _List(entities, ShortlistIndex.of(pronounced) if long else None, self._rows(pronounced))

    def _rows(self, pronounced: PronouncedList) -> dict[int, list[Row]]:
        """A form's phones are those of its first pronunciation; a user's own ones hold for the entity's first form."""
        first = {
            entity: labels
            for entity, labels in reversed(list(zip(pronounced.entity, pronounced.sequences, strict=True)))
        }
        rows = {}
        for entity, forms in pronounced.texts.items():
            said = [first.get(entity, ()), *((self._graphs.phrase(form, 1) or [()])[0] for form in forms[1:FORMS])]
            rows[entity] = [
                entity_row(self.vocabulary.encode(form), labels, self.adapter.config)
                for form, labels in zip(forms[:FORMS], said, strict=True)
            ]
        return rows

    def _embed(self, listed: _List, chosen: Sequence[int]) -> Embedded:
        """Of these entities, one after the other; what was embedded before is not embedded again."""
        import torch

        from asrbias.adapter import Embedded

        rows = [row for entity in chosen for row in listed.rows[entity]]
        if not rows:
            return self.adapter.embed(pad_rows([]))
        with self._lock:
            found = [self._embedded_rows.get(row) for row in rows]  # one look-up each: a row's hash is made every time
        if missing := list(dict.fromkeys(row for row, one in zip(rows, found, strict=True) if one is None)):
            new = self.adapter.embed(pad_rows(missing).to(self.adapter.no_bias.device))
            sizes = new.sizes.tolist()
            parts = (torch.split(some, sizes) for some in (new.keys, new.values, new.sounds))
            made = dict(zip(missing, zip(*parts, strict=True), strict=True))
            with self._lock:
                if len(self._embedded_rows) + len(missing) > KEPT_ENTITIES:
                    self._embedded_rows = {}
                self._embedded_rows.update(made)
            found = [one or made[row] for row, one in zip(rows, found, strict=True)]
        keys, values, sounds = (torch.cat(some) for some in zip(*filter(None, found), strict=True))
        labels = [1] * len(rows) if self.adapter.config.pooled else [len(row) for row in rows]
        return Embedded(keys, values, sounds, torch.tensor(labels, device=keys.device))


def _stream_on(device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """On a GPU one of its own, for all threads: they do not wait for the batches that the encoder has put in the queue,
    and what one of them embedded and kept is there when another's work comes to it."""
    if device.type != "cuda":
        return nullcontext
    import torch

    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return lambda: torch.cuda.stream(stream)


def _joined(parts: Sequence[tuple[Adapted, int, int]]) -> Adapted:
    """Windows one after the other, each with the first and the end of the frames that are its own."""
    entities = tuple(dict.fromkeys(entity for one, _, _ in parts for entity in one.entities))
    column = {entity: 1 + number for number, entity in enumerate(entities)}
    log_probs, attention = [], []
    for one, first, end in parts:
        log_probs.append(one.log_probs[first:end])
        shares = np.zeros((end - first, 1 + len(entities)), np.float32)
        shares[:, [0, *(column[entity] for entity in one.entities)]] = one.attention[first:end]
        attention.append(shares)
    return Adapted(np.concatenate(log_probs), np.concatenate(attention), entities)


def _by_entity(attention: Matrix, counts: Sequence[int]) -> Matrix:
    """attention [T, 1+forms] -> [T, 1+K]: an entity's is the sum over its forms."""
    if len(counts) == attention.shape[1] - 1:
        return attention
    begins = np.concatenate([[0], 1 + np.cumsum([0, *counts[:-1]])]) if counts else np.zeros(1)
    return np.add.reduceat(attention, begins.astype(np.int64), axis=1).astype(np.float32)
