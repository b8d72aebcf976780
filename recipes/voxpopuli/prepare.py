"""Downloaded archives and annotations -> manifests with entities: manifests/{train,dev,test,accented}.jsonl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.disk import disk_full_named, require_space
from corpus.entities import EntityRules, add_entities
from corpus.errors import RecipeError
from corpus.lines import Unusable, write_split, write_unusable
from rich.console import Console
from rich.progress import track
from voxpopuli.annotations import Segment, read_annotations
from voxpopuli.segments import RATE, Cut, audio_path, cut_all

FLAC_SHARE = 0.6  # of 16-bit samples that FLAC needs for speech, about and rather too much


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    shortest: float = 0.2  # seconds
    longest: float = 30.0  # seconds


def split_name(language: str, split: str) -> str:
    """The accented release has a test set only, which is kept apart from the other's."""
    if not language.endswith("_accented"):
        return split
    return "accented" if split == "test" else f"accented-{split}"


def prepare(work: Path, languages: Sequence[str], options: PrepareOptions, rules: EntityRules, workers: int) -> None:
    """Cut the segments of all annotation files, write the manifests, and name what could not be used."""
    unusable: list[Unusable] = []
    splits: dict[str, list[dict[str, Any]]] = {"train": [], "dev": [], "test": []}
    for language in languages:
        segments, wrong = read_annotations(work / "annotations" / f"asr_{language}.tsv.gz")
        unusable += wrong
        kept = []
        for segment in segments:
            if options.shortest <= segment.seconds <= options.longest:
                kept.append(segment)
            else:
                limits = f"{options.shortest:g} to {options.longest:g} s"
                unusable.append(Unusable(f"asr_{language}", segment.id, f"{segment.seconds:.2f} s are not {limits}"))
        for segment, cut in _cut(work, kept, workers):
            if cut.wrong:
                unusable.append(Unusable(f"asr_{language}", cut.id, cut.wrong))
            else:
                splits.setdefault(split_name(language, segment.split), []).append(_row(segment, cut))
    folder = work / "manifests"
    write_unusable(folder / "unusable.jsonl", unusable)
    for name in ("train", "dev", "test"):
        if not splits[name]:
            raise RecipeError(f"There is no usable segment of {name}; {folder / 'unusable.jsonl'} says why.")
    add_entities(splits, rules, folder)
    for name, rows in splits.items():
        write_split(folder / f"{name}.jsonl", rows)


def _cut(work: Path, segments: list[Segment], workers: int) -> list[tuple[Segment, Cut]]:
    """Each segment with what became of it, in their order."""
    folder = work / "segments"
    folder.mkdir(parents=True, exist_ok=True)
    waiting = sum(segment.seconds for segment in segments if not (folder / audio_path(segment)).is_file())
    require_space(folder, int(waiting * RATE * 2 * FLAC_SHARE), f"{waiting / 3600:.2f} h of segments")
    with disk_full_named(folder, "the cutting of segments"):
        cuts = cut_all(segments, work / "raw_audios", folder, workers)
        shown = track(cuts, "cutting segments", total=len(segments), console=Console(stderr=True))
        found = {cut.id: cut for cut in shown}
    return [(segment, found[segment.id]) for segment in segments]


def _row(segment: Segment, cut: Cut) -> dict[str, Any]:
    return {
        "id": segment.id,
        "audio": f"../segments/{audio_path(segment).as_posix()}",
        "text": segment.text,
        "original": segment.original,
        "corpus": "voxpopuli",
        "speaker": segment.speaker,
        "gender": segment.gender,
        "accent": segment.accent,
        "gold": segment.gold,
        "duration": round(cut.seconds, 3),
    }
