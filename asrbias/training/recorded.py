"""Training of a contextual adapter for a torch model of others, from recordings with transcripts.

    trainer = RecordedTrainer(model, Path("train.jsonl"), Path("runs/adapter"), AdapterTrainOptions(steps=2000))
    trainer.run()                                     # asrbias.load("hf:DIR", adapter="runs/adapter")

Such a model hears no text, as one with a bottleneck does: what the adapter reads is made once from each recording, and
kept as long as there is room. Entities are the words of the transcripts that are no common English words, runs of
these, and what the manifest lists; who is said when is the model's own alignment of the transcript.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from asrbias.adapter import ContextualAdapter
from asrbias.adapter_files import checksum
from asrbias.adapter_input import pad_rows
from asrbias.alignment import AlignmentError, align
from asrbias.audio import load_audio
from asrbias.audio_blocks import file_seconds
from asrbias.commonwords import COMMON_WORDS
from asrbias.foreign import ForeignModel
from asrbias.foreign_adapting import new_adapter, opened
from asrbias.foreign_letters import LEAST, Letters
from asrbias.manifestlines import ManifestError, read_manifest
from asrbias.text import normalise
from asrbias.training.adapterrun import AdapterRun, AdapterTrainOptions, Base
from asrbias.training.adaptertext import AdapterBatch
from asrbias.training.lists import ListMaker
from asrbias.training.text import Rounds

LONGEST = 20.0  # seconds; longer recordings are left out
KEPT = 4_000_000_000  # bytes of what was heard that are kept
EDGE = 2  # frames after the last label of a transcript that still belong to it


@dataclass(frozen=True)
class Spoken:
    """A recording with its transcript."""

    audio: Path
    seconds: float
    words: tuple[str, ...]  # matching form
    tokens: tuple[int, ...]
    places: tuple[tuple[int, int], ...]  # of each word: its first token, and the one after its last


@dataclass(frozen=True, eq=False)
class Heard:
    """What the frozen model makes of a recording."""

    levels: tuple[Tensor, ...]  # [T, D] each
    letters: Tensor  # [T, P] natural logarithms
    spans: tuple[tuple[int, int], ...]  # of each word: its first frame, and the one after its last; () if not aligned

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for x in (*self.levels, self.letters))


def read_spoken(manifest: Path, letters: Letters) -> tuple[list[Spoken], frozenset[str], list[str]]:
    """The usable lines of a manifest, the words of what they list, and why others are left out.

    Raises ManifestError where none is usable, OSError and AudioError for audio that is not there or is none.
    """
    found: list[Spoken] = []
    listed: set[str] = set()
    left: list[str] = []
    for line in read_manifest(manifest):
        words = tuple(normalise(str(line.fields.get("text") or "")).split())
        parts = [letters.segment(word) for word in words]
        seconds = file_seconds(line.audio) or 0.0
        why = "no text" if not words else "letters that the model has not" if not all(parts) else ""
        why = why or ("longer than 20 s" if seconds > LONGEST else "")
        if why:
            left.append(why)
            continue
        entities = line.entities if isinstance(line.entities, list) else []
        listed.update(word for phrase in entities for word in normalise(str(phrase)).split())
        tokens, places = _joined([part for part in parts if part], letters)
        found.append(Spoken(line.audio, seconds, words, tokens, places))
    if not found:
        raise ManifestError(f"{manifest} has no line to learn from ({left[0]}); give `audio` and `text` of up to 20 s.")
    return found, frozenset(listed), left


def _joined(words: Sequence[tuple[int, ...]], letters: Letters) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """The tokens of a transcript, a separator between words where it is a label, and the place of each word."""
    tokens: list[int] = []
    places = []
    for part in words:
        if tokens and not letters.pieces and " " in letters.number:
            tokens.append(letters.number[" "])
        places.append((len(tokens), len(tokens) + len(part)))
        tokens += part
    return tuple(tokens), tuple(places)


class Recordings(Dataset[AdapterBatch]):
    """Endless; batch `number` is a pure function of the seed and it. Not for several processes: it keeps the model."""

    def __init__(
        self, model: ForeignModel, spoken: Sequence[Spoken], lists: ListMaker, letters: Letters, longest: int,
        seconds: float, seed: int,
    ) -> None:  # fmt: skip
        self.model, self.spoken, self.lists, self.letters, self.longest = model, spoken, lists, letters, longest
        self.rounds = Rounds([one.seconds for one in spoken], seconds, seed)
        self._kept: dict[int, Heard] = {}
        self._room = KEPT

    def heard(self, index: int) -> Heard:
        """What the model makes of a recording."""
        if (known := self._kept.get(index)) is not None:
            return known
        one = self.spoken[index]
        log_probs, levels = self.model.heard(load_audio(one.audio, sample_rate=self.model.sample_rate))
        try:
            at = align(log_probs, one.tokens, blank=self.model.vocabulary.blank)
            after = [*at.first[1:], min(len(log_probs), at.last[-1] + 1 + EDGE)]
            spans = tuple((at.first[begin], after[end - 1]) for begin, end in one.places)
        except AlignmentError:  # too few frames: CTC leaves it out too
            spans = ()
        letters = torch.from_numpy(self.letters.heard(log_probs))
        made = Heard(tuple(x.cpu() for x in levels), letters, spans)
        if made.nbytes <= self._room:
            self._kept[index], self._room = made, self._room - made.nbytes
        return made

    def __getitem__(self, number: int) -> AdapterBatch:
        chosen, draw = self.rounds.draw(number)
        spoken, heard = [self.spoken[index] for index in chosen], [self.heard(index) for index in chosen]
        lists = self.lists.draw(chosen, draw)
        levels = zip(*(one.levels for one in heard), strict=True)
        lengths = [len(one.letters) for one in heard]
        attended = pad_sequence([torch.zeros(size, dtype=torch.long) for size in lengths], True, -1)
        for mention in lists.mentions:
            if spans := heard[mention.sentence].spans:
                attended[mention.sentence, spans[mention.first][0] : spans[mention.last][1]] = 1 + mention.phrase
        for row, one in enumerate(heard):
            attended[row] = attended[row] if one.spans else -1
        return AdapterBatch(
            pad_sequence([one.letters for one in heard], True, float(np.log(LEAST))),
            torch.tensor(lengths),
            torch.tensor([token for one in spoken for token in one.tokens]),
            torch.tensor([len(one.tokens) for one in spoken]),
            pad_rows([self.letters.row(phrase, self.longest) for phrase in lists.phrases]),
            torch.from_numpy(lists.visible),
            attended,
            tuple(pad_sequence(list(level), True) for level in levels),
        )


class RecordedTrainer(AdapterRun):
    """Trains an adapter for `model`, whose weights stay as they are, or goes on where `output` stopped.

    Raises ForeignModelError for a model that shows nothing but posteriors, ManifestError for one without usable lines.
    """

    half = False  # of frames that are nearly alike bfloat16 leaves no difference

    def __init__(
        self,
        model: ForeignModel,
        manifest: Path,
        output: Path,
        options: AdapterTrainOptions,
        *,
        adapter: ContextualAdapter | None = None,
        quiet: bool = False,
    ) -> None:
        inside, console = opened(model), Console(quiet=quiet)
        self.inside = inside
        inside.module.eval().requires_grad_(False)
        torch.manual_seed(options.seed)
        made = (adapter or new_adapter(model)).to(inside.device).train()
        model.adapter = made  # so that it shows what an adapter reads
        letters = Letters.of(model.vocabulary.labels, model.vocabulary.blank)
        spoken, listed, left = read_spoken(manifest, letters)
        why = "; ".join(f"{left.count(reason)} with {reason}" for reason in dict.fromkeys(left))
        console.print(f"{manifest}: {len(spoken)} recordings, {len(left)} left out{f' ({why})' if why else ''}")
        lists = ListMaker([one.words for one in spoken], options.lists, COMMON_WORDS - listed)
        longest = made.config.longest
        data = Recordings(model, spoken, lists, letters, longest, options.seconds, options.seed)
        base = Base(
            module=inside.module, blank=model.vocabulary.blank, seconds_per_frame=model.seconds_per_frame,
            belongs=checksum(inside.module), name=model.name,
        )  # fmt: skip
        alone = replace(options, workers=0, device=str(inside.device))
        super().__init__(base, data, made, output, alone, run={"manifest": str(manifest)}, console=console)

    def hidden(self, batch: AdapterBatch) -> tuple[Tensor, ...]:
        return batch.hidden

    def spell(self, hidden: Tensor) -> Tensor:
        return self.inside.head(hidden)  # type: ignore[no-any-return]
