"""Recognition while somebody speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asrbias.audio import AudioError, Samples, load_audio, resample
from asrbias.loading import load
from asrbias.recognizer import Recognizer
from asrbias.segmenting import SegmentOptions
from asrbias.stream import StreamOptions

DEMO = Path(__file__).parents[1] / "recipes" / "starter" / "demo"
NAMES = ["Casablanca", "Montevideo", "Rotterdam"]


@pytest.fixture(scope="module")
def starter() -> Recognizer:
    return load()


@pytest.fixture(scope="module")
def speech() -> Samples:
    """The cities twice, two seconds of faint noise behind each."""
    noise = np.random.default_rng(0).normal(scale=1e-4, size=32_000).astype(np.float32)
    cities = load_audio(DEMO / "cities.flac")
    return np.concatenate([cities, noise, cities, noise])


@pytest.mark.parametrize("size", [3_000, 16_000])
def test_what_is_final_stays_and_is_what_a_recording_gives(starter: Recognizer, speech: Samples, size: int) -> None:
    final: list[str] = []
    partials: list[str] = []
    with starter.stream(NAMES, options=StreamOptions(step=1.0)) as stream:
        for at in range(0, len(speech), size):
            update = stream.push(speech[at : at + size])
            final += [segment.text for segment in update.final]
            partials.append(update.partial)
            assert [segment.text for segment in stream.segments] == final
        transcript = stream.finish()
    assert [segment.text for segment in transcript.segments][: len(final)] == final
    assert len(final) >= 2 and transcript.duration == len(speech) / 16_000
    whole = starter.transcribe(load_audio(DEMO / "cities.flac"), NAMES)
    expected = [word.entity.phrase for word in whole.words if word.entity is not None]
    assert [word.entity.phrase for word in transcript.words if word.entity is not None] == expected * 2
    assert any(partials) and not all(partial == partials[0] for partial in partials)
    starts = [word.start for word in transcript.words]
    assert starts == sorted(starts) and starts[-1] > len(speech) / 32_000


def test_another_rate_and_another_list(starter: Recognizer, speech: Samples) -> None:
    wide = resample(speech, 16_000, 48_000)
    with starter.stream(rate=48_000, options=StreamOptions(step=5.0)) as stream:
        for at in range(0, len(wide), 50_000):
            stream.push(np.stack([wide[at : at + 50_000]] * 2))
            if stream.segments:
                stream.entities = NAMES
        transcript = stream.finish()
    half = transcript.duration / 2
    listed = [word for word in transcript.words if word.entity is not None]
    assert listed and all(word.start > half for word in listed), "the first half had no list"
    assert transcript.duration == pytest.approx(len(speech) / 16_000, abs=1e-3)


def test_silence_short_pieces_and_errors(starter: Recognizer) -> None:
    with starter.stream(NAMES) as stream:
        for _ in range(30):
            assert stream.push(np.zeros(1_600, np.float32)) == stream.push([]) and not stream.segments
        with pytest.raises(AudioError, match="NaN"):
            stream.push(np.full(10, np.nan))
        assert stream.finish().text == "" and stream.finish().duration == 3.0
    with pytest.raises(AudioError, match="This stream has ended"):
        stream.push(np.zeros(10, np.float32))
    with pytest.raises(AudioError, match="The rate of the stream is 16"):
        starter.stream(rate=16)
    with pytest.raises(ValueError, match="step is 0"):
        StreamOptions(step=0)
    with pytest.raises(TypeError, match="StreamOptions"):
        starter.stream(options=SegmentOptions())  # type: ignore[arg-type]
