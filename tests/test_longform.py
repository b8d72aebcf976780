"""Recordings that are too long to be transcribed whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asrbias.audio import AudioError, Samples, load_audio
from asrbias.loading import load
from asrbias.longform import WHOLE
from asrbias.recognizer import RecognizeOptions, Recognizer
from asrbias.segmenting import SegmentOptions

DEMO = Path(__file__).parents[1] / "recipes" / "starter" / "demo"
NAMES = ["Casablanca", "Montevideo", "Rotterdam"]


@pytest.fixture(scope="module")
def starter() -> Recognizer:
    return load()


@pytest.fixture(scope="module")
def parts() -> list[Samples]:
    """Three of the demo's recordings."""
    return [load_audio(path) for path in sorted(DEMO.glob("*.flac"))[:3]]


@pytest.fixture(scope="module")
def long(parts: list[Samples]) -> Samples:
    """These, with a second of faint noise behind each, until there is more than is taken whole."""
    rng = np.random.default_rng(0)
    rows: list[Samples] = []
    while sum(map(len, rows)) <= WHOLE * 16_000:
        for part in parts:
            rows += [part, rng.normal(scale=1e-4, size=16_000).astype(np.float32)]
    return np.concatenate(rows)


def test_a_long_recording_is_its_parts(starter: Recognizer, parts: list[Samples], long: Samples) -> None:
    whole = starter.transcribe(long, NAMES)
    rounds = round(len(long) / 16_000 / sum(len(part) / 16_000 + 1 for part in parts))
    expected = " ".join(one.text for one in starter.transcribe_batch(parts, [NAMES] * 3))
    words, wanted = whole.text.split(), expected.split() * rounds
    assert abs(len(words) - len(wanted)) <= 0.1 * len(wanted)
    assert len(set(words) & set(wanted)) >= 0.8 * len(set(wanted))
    spoken = [word.entity.phrase for word in whole.words if word.entity is not None]
    assert {name: spoken.count(name) for name in NAMES if name in spoken} == {
        name: rounds * expected.count(name) for name in NAMES if name in expected
    }
    assert whole.text == " ".join(segment.text for segment in whole.segments) == whole.nbest[0].text
    assert whole.duration == len(long) / 16_000


def test_times_are_those_of_the_recording(starter: Recognizer, long: Samples) -> None:
    whole = starter.transcribe(long)
    starts = [word.start for word in whole.words]
    assert starts == sorted(starts) and starts[-1] > WHOLE - 10 and whole.words[-1].end <= whole.duration
    for segment in whole.segments:
        assert all(segment.start <= word.start <= word.end <= segment.end for word in segment.words)
    assert len(whole.segments) > 3


def test_a_file_is_read_bit_by_bit_to_the_same_text(
    starter: Recognizer, long: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.flac"
    soundfile.write(path, long, 16_000, subtype="PCM_24")
    expected = starter.transcribe(long, NAMES)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the file was read at once")

    monkeypatch.setattr(soundfile, "read", never)
    heard: list[float] = []
    found = list(starter.segments(path, NAMES, heard.append))
    assert [segment.text for segment in found] == [segment.text for segment in expected.segments]
    assert heard[-1] == pytest.approx(len(long) / 16_000) and len(heard) > 1
    assert starter.transcribe_batch([path, long[:16_000]], [NAMES, None])[0].text == expected.text


def test_silence_and_damage(starter: Recognizer, tmp_path: Path) -> None:
    silent = starter.transcribe(np.zeros(40 * 16_000, np.float32), NAMES)
    assert (silent.text, silent.words, silent.segments, silent.duration) == ("", (), (), 40.0)
    broken = np.zeros(40 * 16_000, np.float32)
    broken[-1] = np.nan
    soundfile.write(tmp_path / "broken.wav", broken, 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="NaN"):
        starter.transcribe(tmp_path / "broken.wav")


def test_segments_can_be_shorter(starter: Recognizer, long: Samples) -> None:
    short = Recognizer(
        starter.model, options=RecognizeOptions(segments=SegmentOptions(shortest=0.5, longest=6.0, context=0.5))
    )
    found = short.transcribe(long)
    assert max(segment.end - segment.start for segment in found.segments) <= 6.0
    with pytest.raises(TypeError, match="SegmentOptions"):
        RecognizeOptions(segments=3)  # type: ignore[arg-type]
