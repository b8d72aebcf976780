"""What a model's adapter does alone, by greedy search, against the same search without it:

    python recipes/starter/adapter_figures.py ../shared/speech/test/manifest.jsonl \\
        --distractors ../shared/speech/distractors.txt [--seen text.txt.gz]

Lists are an utterance's own entities and N distractors, distractors alone, and look-alikes: for each entity of the
utterance, the phrases that sound most like it (of the distractors and --names), with it and without it. Differences
have paired 95 % intervals over utterances. --seen: the text that the adapter was trained on; entities that are not in
it are scored apart. Attention is judged in the frames of spoken entities, by alignment of the reference's phones.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from rich.console import Console
from rich.progress import track

from asrbias.ablation_runs import Condition, Corpus
from asrbias.adapting import Adapted, AdapterOptions
from asrbias.alignment import AlignmentError, align
from asrbias.entities import EntityList
from asrbias.joint import JointOptions
from asrbias.loading import find_model, load, own_decode_options
from asrbias.phones import PHONES, pronounce
from asrbias.recognizer import Posteriors, Recognizer
from asrbias.score import Score, score
from asrbias.significance import BootstrapOptions, Comparison, compare
from asrbias.text import normalise

ALIKE = 10  # look-alikes of each entity
NUMBER = {phone: index for index, phone in enumerate(PHONES, 1)}


@dataclass(frozen=True, eq=False)
class Speech:
    """Utterances as the encoder heard them."""

    recognizer: Recognizer
    heard: list[Posteriors]
    texts: list[str]
    own: list[tuple[str, ...]]

    @classmethod
    def of(cls, recognizer: Recognizer, heard: list[Posteriors], corpus: Corpus) -> Speech:
        texts = [str(line.fields["text"]) for line in corpus.lines]
        return cls(recognizer, heard, texts, [corpus.own(line) for line in corpus.lines])

    def greedy(self, matrices: Sequence[np.ndarray]) -> list[str]:
        found = []
        for matrix in matrices:
            best = matrix.argmax(1)
            fresh = np.concatenate([[True], best[1:] != best[:-1]])
            found.append(self.recognizer.model.vocabulary.decode(best[fresh & (best != 0)].tolist()))
        return found

    def adapted(self, lists: Sequence[EntityList]) -> list[Adapted | None]:
        return self.recognizer.adapt(self.heard, lists)

    def score(self, texts: Sequence[str], own: Sequence[tuple[str, ...]], lists: Sequence[EntityList] | None) -> Score:
        phrases = [[entity.phrase for entity in one] for one in lists] if lists is not None else None
        return score(self.texts, texts, entities=own, lists=phrases)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the adapter does with lists of one kind."""

    name: str
    changes: Mapping[str, Comparison]  # by metric: first with it, second without
    false_hits: tuple[int, int]  # without, with
    words: int
    note: str = ""

    def __str__(self) -> str:
        parts = [
            f"{name} {one.second:.2f} -> {one.first:.2f} ({one.interval.low:+.2f} to {one.interval.high:+.2f})"
            for name, one in ((name, self.changes[name]) for name in ("wer", "f1") if name in self.changes)
        ]
        before, after = self.false_hits
        return f"[b]{self.name}[/b] {', '.join(parts)}, false hits {before} -> {after}{self.note}"


def main() -> None:
    arguments = parse()
    console = Console()
    speech, corpus = read(arguments)
    for one in figures(speech, corpus, arguments.sizes, names=arguments.names, seen=arguments.seen):
        console.print(str(one), highlight=False)


def figures(
    speech: Speech, corpus: Corpus, sizes: Sequence[int], *, names: Sequence[Path] = (), seen: Path | None = None
) -> Iterator[Figures]:
    """Lists with an utterance's own entities, distractors alone, look-alikes; with `seen`, entities not in it."""
    base = speech.greedy([one.log_probs for one in speech.heard])
    conditions = [*(Condition(count=n) for n in sizes), Condition(count=max(sizes), own=False)]
    named = {str(one): list(corpus.lists(one)) for one in conditions}
    alike = look_alikes(speech.own, [*corpus.distractors, *read_names(names)])
    named["own entities and look-alikes"] = [
        EntityList([*own, *others]) for own, others in zip(speech.own, alike, strict=True)
    ]
    named["look-alikes alone"] = [EntityList(others) for others in alike]
    for name, lists in named.items():
        told = speech.adapted(lists)
        texts = speech.greedy(
            [one.log_probs if one else heard.log_probs for one, heard in zip(told, speech.heard, strict=True)]
        )
        first, note = name == str(conditions[0]), ""
        if first:
            right, frames = attention(speech, told, lists)
            note = f"; most attended entity is the spoken one in {right:.1f} % of {frames} frames of entities"
        yield measure(name, speech, base, texts, speech.own, lists, note)
        if first and seen is not None:
            unseen = not_in(seen, speech.own)
            name = f"the {sum(map(len, unseen))} of these entities that are in no text it was trained on"
            yield measure(name, speech, base, texts, unseen, None)


def measure(
    name: str,
    speech: Speech,
    base: Sequence[str],
    texts: Sequence[str],
    own: Sequence[tuple[str, ...]],
    lists: Sequence[EntityList] | None,
    note: str = "",
) -> Figures:
    """Texts with the adapter against those without it."""
    with_it, without = (speech.score(one, own, lists) for one in (texts, base))
    found = {one.metric: one for one in compare(with_it.utterances, without.utterances, BootstrapOptions())[2]}
    hits = (without.totals.entities.false_hits, with_it.totals.entities.false_hits)
    return Figures(name=name, changes=found, false_hits=hits, words=with_it.totals.wer.ref_words, note=note)


def attention(speech: Speech, told: Sequence[Adapted | None], lists: Sequence[EntityList]) -> tuple[float, int]:
    """Percent of the frames of spoken entities in which these get the most of all entities; how many frames."""
    right = frames = 0
    for heard, one, listed, text, own in zip(speech.heard, told, lists, speech.texts, speech.own, strict=True):
        if one is None:
            continue
        column = {listed[entity].phrase: 1 + n for n, entity in enumerate(one.entities)}
        for phrase, first, last in spans(heard, text, own):
            best = one.attention[first : last + 1, 1:].argmax(1) + 1
            right += int((best == column.get(phrase, -1)).sum())
            frames += last + 1 - first
    return 100 * right / max(1, frames), frames


def spans(heard: Posteriors, text: str, own: Sequence[str]) -> list[tuple[str, int, int]]:
    """Where entities are said: phrase, first and last frame; none where the phones cannot be aligned."""
    words = normalise(text).split()
    said = [tuple(NUMBER[p] for p in some[0]) if some else () for some in pronounce(words, missing="empty")]
    try:
        aligned = align(heard.phones, [label for labels in said for label in labels])
    except AlignmentError:
        return []
    begins = np.cumsum([0, *map(len, said)])
    found = []
    for phrase in own:
        form = normalise(phrase).split()
        for n in range(len(words) - len(form) + 1):
            if form and words[n : n + len(form)] == form and begins[n] < begins[n + len(form)]:
                found.append((phrase, aligned.first[begins[n]], aligned.last[begins[n + len(form)] - 1]))
    return found


def look_alikes(own: Sequence[tuple[str, ...]], among: Sequence[str]) -> list[list[str]]:
    """For each utterance ALIKE phrases for each of its entities, that are none of them."""
    forms = {form: phrase for phrase in among if (form := normalise(phrase))}
    sounds = {form: letters(form) for form in forms}
    known = [form for form, spelled in sounds.items() if spelled]
    spelled = [sounds[form] for form in known]
    found = []
    for phrases in own:
        mine = {normalise(phrase) for phrase in phrases}
        some: dict[str, None] = {}
        for form in sorted(mine):
            if not (heard := letters(form)):
                continue
            distance = cdist([heard], spelled, scorer=Levenshtein.normalized_distance)[0]
            near = [known[n] for n in np.argsort(distance, kind="stable")[: ALIKE + len(mine)]]
            some |= dict.fromkeys([form for form in near if form not in mine][:ALIKE])
        found.append([forms[form] for form in some])
    return found


def letters(form: str) -> str:
    """The first pronunciation, a letter a phone; "" if there is none."""
    said = pronounce(form.split(), missing="empty")
    return "".join(chr(64 + NUMBER[p]) for some in said if some for p in some[0])


def read_names(paths: Sequence[Path]) -> list[str]:
    return [line.strip() for path in paths for line in gzip.open(path, "rt", encoding="utf-8") if line.strip()]


def not_in(text: Path, own: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The entities of which no word is in a text."""
    with gzip.open(text, "rt", encoding="utf-8") as lines:
        known = {word for line in lines for word in line.split()}
    return [tuple(p for p in phrases if not set(normalise(p).split()) & known) for phrases in own]


def adapting(model: str | Path, options: AdapterOptions | None = None) -> Recognizer:
    """The model with its adapter, with these options or as it is used, without a language model."""
    tuned = own_decode_options(find_model(model)) or JointOptions()
    joint = JointOptions(decode=tuned.decode, adapter=options or tuned.adapter or AdapterOptions())
    return load(model, lm=None, decode=joint)


def read(arguments: argparse.Namespace) -> tuple[Speech, Corpus]:
    corpus = Corpus.read(arguments.manifest, arguments.distractors, max(arguments.sizes))
    recognizer = adapting(arguments.model)
    heard = []
    for line in track(corpus.lines, "encoding", console=Console(stderr=True)):
        heard += recognizer.posteriors([recognizer.samples(line.audio)])
    return Speech.of(recognizer, heard, corpus), corpus


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--distractors", type=Path, required=True)
    parser.add_argument("--names", type=Path, nargs="*", default=[], help="further phrases for look-alikes, .txt.gz")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000], help="distractors (default: 100 1000)")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--seen", type=Path, help="text that the adapter was trained on, .gz")
    return parser.parse_args()


if __name__ == "__main__":
    main()
