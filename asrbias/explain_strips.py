"""An explanation as drawings: strips of up to ten seconds, in each of which everything stands on one axis of time.

words with the list        times to scale, confidence; those from the list marked
words without the list     where they differ
attention                  a row for <no-bias>, then one for each entity that is attended to most in this strip
change                     how far the adapter moved each frame's posteriors
spectrogram                as the model hears it
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from asrbias.explanation import SPECTRUM_STEP, Explanation, Floats
from asrbias.png import Colour, data_uri, quantised, ramp
from asrbias.transcript import TranscriptWord

LEFT, RIGHT = 170, 20  # pixels beside the axis of time: names, and room for its last label
SCALE = 100  # pixels a second
LONGEST = 10.0  # seconds of a strip
SHORTEST = 7.0  # seconds, from which a strip may end in a pause
QUIET = 20  # frames of 10 ms that a pause is looked for in
ROW, BAND, LANE, GAP = 16, 120, 30, 8  # pixels: a row of the heat map, the spectrogram, a line of words, between
NAME = 22  # characters of a name in the margin; WORD: of a word above the picture
WORD = 40
ENTITY_COLOUR, REST_COLOUR, CHANGE_COLOUR = ramp(13, 148, 136), ramp(120, 113, 108), ramp(217, 119, 6)
INK = ramp(0, 0, 0, 32)  # inverted by the page's style where the page is dark


@dataclass
class Strip:
    """A drawing in the making: what there is, and how far down it goes."""

    first: int  # frames of 40 ms: first..last-1
    last: int
    start: float  # seconds
    end: float
    parts: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)  # of the heat map, for the page's script
    y: int = 0  # pixels

    @property
    def width(self) -> float:
        """Pixels of the axis of time."""
        return (self.end - self.start) * SCALE

    def x(self, seconds: float) -> float:
        """Where a moment is drawn; moments outside the strip at its ends."""
        return round(LEFT + (min(max(seconds, self.start), self.end) - self.start) * SCALE, 1)


def cut(explanation: Explanation, first: int, last: int) -> list[tuple[int, int]]:
    """Frames first..last-1 -> those of each strip: cut where it is quietest from SHORTEST to LONGEST seconds on."""
    step = explanation.seconds_per_frame
    loudness = np.convolve(explanation.spectrogram.mean(1), np.ones(QUIET) / QUIET, "same")
    strips: list[tuple[int, int]] = []
    while (last - first) * step > LONGEST + step / 2:
        low, high = (round((first * step + after) / SPECTRUM_STEP) for after in (SHORTEST, LONGEST))
        moment = (low + int(loudness[low:high].argmin())) * SPECTRUM_STEP
        strips.append((first, max(first + 1, int(moment / step + 1e-6))))
        first = strips[-1][1]
    return [*strips, (first, last)]


def draw(explanation: Explanation, first: int, last: int, differing: tuple[Collection[int], Collection[int]]) -> Strip:
    """The strip of frames first..last-1; `differing`: positions of the words that differ, with and without the list."""
    step = explanation.seconds_per_frame
    strip = Strip(first, last, first * step, last * step)
    _words(strip, "with list", _inside(strip, explanation.transcript.words, differing[0]))
    if plain := [one for one in _inside(strip, explanation.plain.words, differing[1]) if one[1]]:
        _words(strip, "without list", plain)
    if explanation.attention is not None:
        _attention(strip, explanation, explanation.attention)
    if explanation.adapted:
        _changed(strip, explanation)
    _spectrogram(strip, explanation.spectrogram)
    _marks(strip, explanation.transcript.words)
    _axis(strip)
    return strip


def svg(strip: Strip, number: int) -> str:
    """The strip as markup; its script finds it by its number."""
    width = LEFT + RIGHT + max(strip.width, 4 * SCALE)
    label = f"Words, attention and spectrogram from {strip.start:.2f} to {strip.end:.2f} seconds"
    return (
        f'<div class="scroll"><svg class="strip" data-strip="{number}" viewBox="0 0 {width:.0f} {strip.y}" '
        f'width="{width:.0f}" height="{strip.y}" role="img" aria-label="{label}">{"".join(strip.parts)}'
        f'<line class="cursor" y1="0" y2="{strip.y}" visibility="hidden"/></svg></div>'
    )


def _inside(
    strip: Strip, words: Sequence[TranscriptWord], differing: Collection[int]
) -> list[tuple[TranscriptWord, bool]]:
    """The words that the strip has a part of, each with whether it differs."""
    return [
        (word, number in differing)
        for number, word in enumerate(words)
        if word.start < strip.end and max(word.end, word.start + 0.001) > strip.start
    ]


def _words(strip: Strip, name: str, words: Sequence[tuple[TranscriptWord, bool]]) -> None:
    """Bars to scale, each with its word above it where the word begins; in as many lines as they need."""
    lanes: list[float] = []  # where the last text of each line ends
    _margin(strip, name, strip.y + 13)
    for word, differs in words:
        left, right = strip.x(word.start), strip.x(word.end)
        shown = short(word.text, WORD)
        size = text_width(shown) + 20
        at = min(left, max(LEFT, LEFT + max(strip.width, 4 * SCALE) + RIGHT - size))
        lane = next((k for k, end in enumerate(lanes) if end <= at), len(lanes))
        lanes[lane : lane + 1] = [max(at + size, right + 2)]
        y = strip.y + lane * LANE
        classes = "word" + (" listed" if word.entity is not None else "") + (" differs" if differs else "")
        listed = f", listed as {word.entity.phrase}" if word.entity is not None else ""
        title = escape(f"{word.text}: {word.start:.2f}-{word.end:.2f} s, confidence {word.confidence:.2f}{listed}")
        strip.parts.append(
            f'<g class="{classes}"><title>{title}</title><text x="{at}" y="{y + 13}"><tspan class="said">'
            f'{escape(shown)}</tspan><tspan class="sure" dx="3">{100 * word.confidence:.0f}</tspan></text>'
            f'<rect x="{left}" y="{y + 18}" width="{max(right - left, 1):.1f}" height="4" '
            f'fill-opacity="{0.25 + 0.75 * word.confidence:.2f}"/></g>'
        )
    strip.y += max(len(lanes), 1) * LANE


def _attention(strip: Strip, explanation: Explanation, attention: Floats) -> None:
    weights = attention[strip.first : strip.last]
    _row(strip, "<no-bias>", weights[:, 0], REST_COLOUR)
    for k in explanation.top(strip.first, strip.last):
        name, top = explanation.entities[k], strip.y + 0.5
        _row(strip, name, weights[:, k + 1], ENTITY_COLOUR)
        for word in explanation.transcript.words:
            inside = word.start < strip.end and word.end > strip.start
            if inside and word.entity is not None and word.entity.shown == name:
                x, width = strip.x(word.start), strip.x(word.end) - strip.x(word.start)
                strip.parts.append(f'<rect class="taken" x="{x}" y="{top}" width="{width:.1f}" height="{ROW - 2}"/>')
    strip.y += GAP


def _changed(strip: Strip, explanation: Explanation) -> None:
    """Total variation distance of each frame's posteriors: 0 where nothing changed, 1 where everything did."""
    after, before = (
        np.exp(part[strip.first : strip.last]) for part in (explanation.log_probs, explanation.base_log_probs)
    )
    _row(strip, "change by adapter", 0.5 * np.abs(after - before).sum(1), CHANGE_COLOUR)
    strip.y += GAP


def _row(strip: Strip, name: str, values: Floats, palette: list[Colour]) -> None:
    _margin(strip, name, strip.y + 12)
    strip.parts.append(
        f'<rect class="ground" x="{LEFT}" y="{strip.y}" width="{strip.width:.1f}" height="{ROW - 1}"/>'
        + _image(strip.x(strip.start), strip.width, strip.y, ROW - 1, data_uri(quantised(values[None]), palette))
    )
    strip.rows.append({"name": name, "y": strip.y, "weights": [round(1000 * float(value)) for value in values]})
    strip.y += ROW


def _spectrogram(strip: Strip, spectrogram: Floats) -> None:
    first, last = (round(moment / SPECTRUM_STEP) for moment in (strip.start, strip.end))
    last = min(last, len(spectrogram))
    low, high = np.percentile(spectrogram, (10.0, 99.5))  # of all of it: strips look alike
    _margin(strip, "spectrogram", strip.y + 12)
    if first < last:
        shown = quantised((spectrogram[first:last].T[::-1] - low) / max(float(high - low), 1e-6), len(INK))
        left, width = strip.x(first * SPECTRUM_STEP), (last - first) * SPECTRUM_STEP * SCALE
        strip.parts.append(_image(left, width, strip.y, BAND, data_uri(shown, INK), "ink"))
    strip.y += BAND


def _marks(strip: Strip, words: Sequence[TranscriptWord]) -> None:
    """Where the words from the list begin and end, through the whole strip."""
    for word in words:
        if word.entity is not None and word.start < strip.end and word.end > strip.start:
            for x in {strip.x(word.start), strip.x(word.end)}:
                strip.parts.append(f'<line class="edge" x1="{x}" x2="{x}" y1="0" y2="{strip.y}"/>')


def _axis(strip: Strip) -> None:
    y = strip.y
    strip.parts.append(f'<line class="tick" x1="{LEFT}" x2="{strip.x(strip.end)}" y1="{y}" y2="{y}"/>')
    for tenth in range(int(np.ceil(round(strip.start * 5, 6))), int(np.floor(round(strip.end * 5, 6))) + 1):
        x, whole = strip.x(tenth / 5), tenth % 5 == 0
        strip.parts.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{y}" y2="{y + (7 if whole else 4)}"/>')
        if whole:
            strip.parts.append(f'<text class="time" x="{x}" y="{y + 19}">{tenth // 5} s</text>')
    strip.y += 24


def _margin(strip: Strip, name: str, y: float) -> None:
    strip.parts.append(
        f'<text class="name" x="{LEFT - 8}" y="{y}"><title>{escape(name)}</title>{escape(short(name, NAME))}</text>'
    )


def _image(x: float, width: float, y: float, height: float, uri: str, name: str = "heat") -> str:
    return (
        f'<image class="{name}" x="{x}" y="{y}" width="{width:.1f}" height="{height}" preserveAspectRatio="none" '
        f'href="{uri}"/>'
    )


def short(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def text_width(text: str) -> float:
    """About how many pixels a word takes."""
    return sum(14.0 if unicodedata.east_asian_width(c) in "WF" else 7.6 for c in text)
