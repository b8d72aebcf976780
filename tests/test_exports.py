"""Transcripts as other programs read them."""

from __future__ import annotations

import json
import re
from itertools import pairwise, zip_longest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asrbias.cli import main
from asrbias.exports import FORMATS, ExportError, SubtitleOptions, export, subtitles
from asrbias.transcript import Alternative, Transcript, TranscriptSegment, TranscriptWord

DEMO = Path(__file__).parents[1] / "recipes" / "starter" / "demo"


def transcript(*words: tuple[str, float, float], cuts: tuple[int, ...] = ()) -> Transcript:
    """Words with times; a segment ends before each of `cuts`."""
    rows = tuple(TranscriptWord(text, start, end, 0.5) for text, start, end in words)
    bounds = [0, *cuts, len(rows)]
    segments = tuple(
        TranscriptSegment(" ".join(w.text for w in rows[a:b]), rows[a].start, rows[b - 1].end, rows[a:b])
        for a, b in pairwise(bounds)
        if b > a
    )
    text = " ".join(word.text for word in rows)
    return Transcript(text, rows, (Alternative(text, -1.0, rows),), rows[-1].end if rows else 1.0, segments)


SHORT = transcript(("call", 0.5, 0.8), ("R&D <now>", 0.9, 1.4), ("please", 3_661.25, 3_661.5))


def test_srt() -> None:
    assert export(SHORT, "srt") == (
        "1\n00:00:00,500 --> 00:00:01,500\ncall R&D <now>\n\n2\n01:01:01,250 --> 01:01:02,250\nplease\n"
    )


def test_vtt_escapes_what_is_markup_there() -> None:
    assert export(SHORT, "vtt") == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\ncall R&amp;D &lt;now&gt;\n\n01:01:01.250 --> 01:01:02.250\nplease\n"
    )


def test_ctm_shares_a_phrase_s_time_among_its_words() -> None:
    assert export(SHORT, "ctm", name="my call").splitlines() == [
        "my_call 1 0.500 0.300 call 0.500",
        "my_call 1 0.900 0.187 R&D 0.500",
        "my_call 1 1.087 0.312 <now> 0.500",
        "my_call 1 3661.250 0.250 please 0.500",
    ]


def test_text_json_and_nothing() -> None:
    assert export(SHORT) == "call R&D <now> please\n"
    assert json.loads(export(SHORT, "json"))["words"][0] == {
        "text": "call", "start": 0.5, "end": 0.8, "confidence": 0.5, "entity": None,
    }  # fmt: skip
    nothing = transcript()
    assert [export(nothing, form) for form in ("text", "srt", "vtt", "ctm")] == ["\n", "", "WEBVTT\n", ""]
    with pytest.raises(ExportError, match="no format 'docx'; use one of text, json, srt, vtt, ctm"):
        export(SHORT, "docx")
    with pytest.raises(ExportError, match="characters is 0"):
        SubtitleOptions(characters=0)


def test_a_subtitle_ends_with_its_segment_and_lines_are_even() -> None:
    words = [(f"word{number:02d}", number * 0.3, number * 0.3 + 0.2) for number in range(14)]
    found = subtitles(transcript(*words, cuts=(10,)))
    assert [len(" ".join(cue.lines).split()) for cue in found] == [10, 4]
    assert found[0].lines == ("word00 word01 word02 word03 word04", "word05 word06 word07 word08 word09")


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 30), st.integers(1, 20)), max_size=60),
    st.sets(st.integers(1, 59)),
)
def test_every_word_stands_in_one_subtitle(rows: list[tuple[int, int, int]], cuts: set[int]) -> None:
    words, now = [], 0.0
    for length, gap, lasts in rows:
        words.append(("w" * length, now + gap / 10, now + (gap + lasts) / 10))
        now = words[-1][2]
    spoken = transcript(*words, cuts=tuple(sorted(cut for cut in cuts if cut < len(words))))
    cues = subtitles(spoken)
    assert [text for cue in cues for line in cue.lines for text in line.split()] == [word[0] for word in words]
    for cue, after in zip_longest(cues, cues[1:]):
        assert cue.start <= cue.end and len(cue.lines) <= 2
        assert all(len(line) <= 42 or " " not in line for line in cue.lines)
        assert after is None or cue.end <= after.start
    assert len(re.findall("-->", export(spoken, "srt"))) == len(cues)
    assert set(FORMATS) == {"text", "json", "srt", "vtt", "ctm"}


def test_the_command_writes_files_and_refuses_what_contradicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = [str(DEMO / name) for name in ("cities.flac", "news.flac")]
    folder = tmp_path / "subtitles"
    assert main(["transcribe", *recordings, "--format", "vtt", "--output-folder", str(folder)]) == 0
    assert capsys.readouterr().out.split() == [str(folder / "cities.vtt"), str(folder / "news.vtt")]
    assert (folder / "news.vtt").read_text().startswith("WEBVTT\n\n00:00:0")
    assert main(["transcribe", recordings[0], "--format", "ctm"]) == 0
    assert all(len(line.split()) == 6 for line in capsys.readouterr().out.splitlines())
    for wrong, said in (
        (["--format", "srt", *recordings], "give --output-folder"),
        (["--format", "srt", "--json", recordings[0]], "contradict"),
        (["--output-folder", str(folder), recordings[0], recordings[0].replace("demo/", "demo/../demo/")], "both be"),
    ):
        assert main(["transcribe", *wrong]) != 0
        assert said in capsys.readouterr().err
