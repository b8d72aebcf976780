"""Transcripts as files that other programs read: plain text, JSON, subtitles (SubRip, WebVTT) and NIST's CTM.

    export(transcript, "srt")                       # the file's text
    export(transcript, "ctm", name="call")          # CTM names the recording in every line

Subtitles follow what broadcasters ask for (BBC subtitle guidelines; Netflix' timed text style guide): two lines of 42
characters, seven seconds at most, a new one after a pause, no name torn apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from html import escape

from asrbias.transcript import Transcript, TranscriptWord

FORMATS = ("text", "json", "srt", "vtt", "ctm")
ENDINGS = {"text": ".txt", "json": ".json", "srt": ".srt", "vtt": ".vtt", "ctm": ".ctm"}


class ExportError(ValueError):
    """There is no such format, or an option has a value that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class SubtitleOptions:
    """How words become subtitles. Raises ExportError for a value out of range."""

    characters: int = 42  # of a line; a longer word has one of its own
    lines: int = 2  # of a subtitle
    longest: float = 7.0  # seconds that one stands
    shortest: float = 1.0  # seconds that one stands, if the next does not come earlier
    pause: float = 0.8  # seconds between words after which a new one begins

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            whole = one.name in ("characters", "lines")
            number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
            if not number or not (1 if whole else 0) <= value <= 1000:
                kind = "whole number from 1" if whole else "number of seconds from 0"
                raise ExportError(f"{one.name} is {value!r}; it must be a {kind} to 1000.")


@dataclass(frozen=True)
class Subtitle:
    start: float  # seconds
    end: float  # seconds
    lines: tuple[str, ...]


def export(
    transcript: Transcript, form: str = "text", *, name: str = "audio", options: SubtitleOptions | None = None
) -> str:
    """The text of a file, with the newline at its end.

    Args:
        form: one of FORMATS.
        name: of the recording, for CTM; whitespace in it becomes "_".
        options: of subtitles.
    Raises:
        ExportError: there is no such format.
    """
    if form == "text":
        return transcript.text + "\n"
    if form == "json":
        return json.dumps(transcript.as_dict(), ensure_ascii=False) + "\n"
    if form == "ctm":
        return "".join(f"{line}\n" for line in ctm_lines(transcript, name))
    if form not in FORMATS:
        raise ExportError(f"There is no format {form!r}; use one of {', '.join(FORMATS)}.")
    cues = subtitles(transcript, options)
    if form == "srt":
        return "\n".join(
            f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n" + "".join(f"{x}\n" for x in cue.lines)
            for number, cue in enumerate(cues, 1)
        )
    return "WEBVTT\n" + "".join(
        f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n"
        + "".join(f"{escape(x, quote=False)}\n" for x in cue.lines)
        for cue in cues
    )


def subtitles(transcript: Transcript, options: SubtitleOptions | None = None) -> list[Subtitle]:
    """A transcript's words in subtitles, in order; none overlaps the next."""
    options = options or SubtitleOptions()
    groups = list(_groups(transcript, options))
    found = []
    for number, words in enumerate(groups):
        start, end = words[0].start, max(words[-1].end, words[0].start + options.shortest)
        if number + 1 < len(groups):
            end = max(min(end, groups[number + 1][0].start), words[-1].end)
        found.append(Subtitle(start, end, tuple(_lines([word.text for word in words], options))))
    return found


def ctm_lines(transcript: Transcript, name: str) -> Iterator[str]:
    """`NAME 1 START DURATION WORD CONFIDENCE`; a phrase of several words shares its time by their letters."""
    recording = "_".join(name.split()) or "audio"
    for word in transcript.words:
        parts = word.text.split()
        letters, start = sum(map(len, parts)), word.start
        for part in parts:
            seconds = (word.end - word.start) * len(part) / letters
            yield f"{recording} 1 {start:.3f} {seconds:.3f} {part} {word.confidence:.3f}"
            start += seconds


def _groups(transcript: Transcript, options: SubtitleOptions) -> Iterator[list[TranscriptWord]]:
    """The words of each subtitle. A subtitle ends with a segment, in a pause, or where it is full."""
    ends = {segment.words[-1] for segment in transcript.segments if segment.words}
    group: list[TranscriptWord] = []
    for word in transcript.words:
        full = len(_lines([*(one.text for one in group), word.text], options)) > options.lines
        if group and (
            full or word.start - group[-1].end >= options.pause or word.end - group[0].start > options.longest
        ):
            yield group
            group = []
        group.append(word)
        if word in ends:
            yield group
            group = []
    if group:
        yield group


def _lines(texts: Sequence[str], options: SubtitleOptions) -> list[str]:
    """As few lines as hold them, and those about equally long."""
    least = _filled(texts, options.characters)
    if len(least) < 2:
        return least
    for width in range(max(map(len, texts)), options.characters):
        if len(even := _filled(texts, width)) == len(least):
            return even
    return least


def _filled(texts: Sequence[str], characters: int) -> list[str]:
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + 1 + len(text) <= characters:
            lines[-1] += " " + text
        else:
            lines.append(text)
    return lines


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{thousandths:03d}"
