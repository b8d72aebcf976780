"""The layout of LibriSpeech: LibriSpeech/PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt, a line "ID TEXT" an utterance,
its audio ID.flac beside it; LibriSpeech/SPEAKERS.TXT, "id | sex | part | minutes | name" after comments with ";".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import soundfile
from corpus.errors import RecipeError
from corpus.lines import Unusable

from asrbias.text import normalise

SEXES = {"F": "female", "M": "male"}


def read_speakers(root: Path) -> dict[str, str]:
    """The gender of each speaker by number; empty without the file."""
    path = root / "SPEAKERS.TXT"
    if not path.is_file():
        return {}
    rows = [line.split("|") for line in path.read_text("utf-8").splitlines() if line.strip() and line[0] != ";"]
    return {row[0].strip(): SEXES.get(row[1].strip(), "unknown") for row in rows if len(row) > 1}


def read_part(root: Path, part: str, speakers: dict[str, str]) -> tuple[list[dict[str, Any]], list[Unusable]]:
    """The utterances of a part as lines of a manifest (audio relative to `root`), and those without text or audio."""
    transcripts = sorted((root / part).glob("*/*/*.trans.txt"))
    if not transcripts:
        raise RecipeError(f"{root / part} has no transcripts; is {part}.tar.gz what was unpacked there?")
    rows: list[dict[str, Any]] = []
    unusable: list[Unusable] = []
    for path in transcripts:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if not line.strip():
                continue
            identity, _, said = line.partition(" ")
            found = _row(root, path, part, identity, said, speakers)
            if isinstance(found, str):
                unusable.append(Unusable(f"{path.name}:{number}", identity, found))
            else:
                rows.append(found)
    return rows, unusable


def _row(root: Path, path: Path, part: str, identity: str, said: str, speakers: dict[str, str]) -> dict[str, Any] | str:
    text = normalise(said.lower())
    audio = path.with_name(f"{identity}.flac")
    if not text:
        return "it has no text"
    if not audio.is_file():
        return f"there is no audio {audio.name}"
    try:
        duration = soundfile.info(audio).duration
    except soundfile.LibsndfileError as error:
        return f"its audio cannot be read: {error.error_string}"
    speaker = identity.split("-")[0]
    return {
        "id": identity,
        "audio": audio.relative_to(root).as_posix(),
        "text": text,
        "original": "",  # all capitals: names cannot be told
        "corpus": "librispeech",
        "part": part,
        "speaker": speaker,
        "gender": speakers.get(speaker, "unknown"),
        "duration": round(duration, 3),
    }
