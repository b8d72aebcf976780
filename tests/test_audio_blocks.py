"""A recording in blocks is the recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asrbias.audio import AudioError, load_audio
from asrbias.audio_blocks import audio_blocks, file_seconds

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("seconds", [0.11, 0.5])
def test_blocks_are_what_is_read_at_once(tmp_path: Path, rate: int, seconds: float) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, RNG.normal(scale=0.1, size=(round(1.37 * rate), 2)).clip(-1, 1), rate, subtype="FLOAT")
    blocks = list(audio_blocks(path, seconds=seconds))
    whole = load_audio(path)
    assert len(blocks) > 1
    joined = np.concatenate(blocks)
    assert joined.shape == whole.shape
    np.testing.assert_allclose(joined, whole, atol=1e-5)
    assert file_seconds(path) == pytest.approx(1.37, abs=1e-3)


def test_an_array_comes_in_blocks() -> None:
    samples = RNG.normal(size=1000).astype(np.float32)
    blocks = list(audio_blocks(samples, seconds=300 / 16_000))
    assert [len(block) for block in blocks] == [300, 300, 300, 100]


def test_damage_in_a_later_block_is_said(tmp_path: Path) -> None:
    samples = np.zeros(32_000, np.float32)
    samples[20_000] = np.nan
    path = tmp_path / "nan.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    blocks = audio_blocks(path, seconds=1.0)
    next(blocks)
    with pytest.raises(AudioError, match="NaN"):
        next(blocks)


def test_no_samples_and_no_audio(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.wav", tmp_path / "text.wav"
    soundfile.write(empty, np.zeros(0, np.float32), 16_000)
    text.write_text("no audio at all")
    with pytest.raises(AudioError, match="no samples"):
        list(audio_blocks(empty))
    with pytest.raises(AudioError, match="cannot be read as audio"):
        list(audio_blocks(text))
    with pytest.raises(AudioError, match="cannot be read as audio"):
        file_seconds(text)
