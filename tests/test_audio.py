"""Audio of every sort gives samples, or one clear sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asrbias.audio import AudioError, AudioPart, load_audio


def tone(rate: int = 16_000, seconds: float = 0.5, frequency: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def pitch(samples: np.ndarray, rate: int = 16_000) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("wav", {}),
        ("flac", {}),
        ("ogg", {}),
        ("aiff", {}),
        ("au", {}),
        ("mp3", {}),
        ("opus", {"format": "OGG", "subtype": "OPUS"}),
    ],
)
def test_formats(tmp_path: Path, ending: str, options: dict[str, str]) -> None:
    path = tmp_path / f"tone.{ending}"
    soundfile.write(path, tone(), 16_000, **options)
    samples = load_audio(path)
    assert samples.dtype == np.float32 and abs(len(samples) - 8_000) < 1_600
    assert pitch(samples) == pytest.approx(440, abs=4)


def write_container(path: Path, samples: np.ndarray, rate: int, codec: str) -> None:
    """samples [S] as both channels of a file that only PyAV writes; skips the test without it."""
    av = pytest.importorskip("av", reason="PyAV (the extra `audio`) is not installed")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.stack([samples, samples]), format="fltp", layout="stereo")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


@pytest.mark.parametrize(("ending", "codec"), [("m4a", "aac"), ("mp4", "aac"), ("webm", "libopus")])
def test_containers_through_pyav(tmp_path: Path, ending: str, codec: str) -> None:
    path = tmp_path / f"tone.{ending}"
    write_container(path, tone(48_000, 1.0), 48_000, codec)
    samples = load_audio(path)
    assert abs(len(samples) - 16_000) < 2_000 and pitch(samples) == pytest.approx(440, abs=4)
    path.write_bytes(b"no container at all" * 20)
    with pytest.raises(AudioError, match="cannot be read as audio"):
        load_audio(path)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000])
def test_any_rate_keeps_length_and_pitch(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(rate), rate)
    samples = load_audio(path)
    assert abs(len(samples) - 8_000) <= 1
    assert pitch(samples) == pytest.approx(440, abs=4)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "six.wav"
    soundfile.write(path, np.stack([tone(), *[np.zeros(8_000, np.float32)] * 5], 1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(path), tone() / 6, atol=1e-6)


def test_arrays_of_either_layout_and_integers() -> None:
    wave = tone()
    np.testing.assert_array_equal(load_audio(wave), wave)
    np.testing.assert_allclose(load_audio(np.stack([wave, wave])), wave, atol=1e-7)
    np.testing.assert_allclose(load_audio(np.stack([wave, wave], 1)), wave, atol=1e-7)
    np.testing.assert_allclose(load_audio((wave * 32767).astype(np.int16)), wave, atol=1e-4)
    assert abs(len(load_audio((tone(8_000), 8_000))) - 8_000) <= 1


def test_number_types() -> None:
    wave = tone()
    for kind in (np.float16, np.float64, ">f4"):
        np.testing.assert_allclose(load_audio(wave.astype(kind)), wave, atol=1e-3)
    np.testing.assert_allclose(load_audio((wave * 32767).astype(">i2")), wave, atol=1e-4)
    np.testing.assert_allclose(load_audio((wave * 127 + 128).astype(np.uint8)), wave, atol=0.02)


def test_torch_tensor() -> None:
    import torch

    np.testing.assert_array_equal(load_audio(torch.from_numpy(tone())), tone())
    np.testing.assert_allclose(load_audio(torch.from_numpy(tone()).bfloat16()), tone(), atol=0.01)


def test_ten_milliseconds_is_audio() -> None:
    assert len(load_audio(tone(seconds=0.01))) == 160


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("text.wav", b"this is not audio at all, only words\n" * 10, "cannot be read as audio"),
        ("empty.wav", b"", "is empty (0 bytes)"),
        ("header.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "cannot be read as audio"),
        ("no_header.raw", bytes(200), "cannot be read as audio"),
        ("picture.wav", b"\x89PNG\r\n\x1a\n" + bytes(200), "cannot be read as audio"),
    ],
)
def test_files_that_are_no_audio(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError) as error:
        load_audio(tmp_path / name)
    assert says in str(error.value) and name in str(error.value)


def test_truncated_flac_is_an_error_or_its_whole_part(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, tone(seconds=2.0), 16_000)
    path.write_bytes(path.read_bytes()[:-3_000])
    with pytest.raises(AudioError, match="cannot be read as audio"):
        load_audio(path)


def test_a_wav_that_was_cut_off_gives_its_part_and_says_so(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, tone(seconds=2.0), 16_000)
    load_audio(path)
    assert not recwarn.list
    path.write_bytes(path.read_bytes()[:-16_000])
    assert abs(len(load_audio(path)) - 24_000) <= 1
    assert "cut.wav was cut off" in str(recwarn.pop().message)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_audio(tmp_path / "no.wav")
    with pytest.raises(AudioError, match="is a folder"):
        load_audio(tmp_path)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (np.array([0.1, np.nan, 0.2], np.float32), "1 of 3 samples in the array are NaN"),
        (np.array([0.1, np.inf], np.float32), "NaN or infinite"),
        (np.zeros(0, np.float32), "no samples"),
        (np.zeros((2, 3, 4), np.float32), "has shape (2, 3, 4)"),
        (np.zeros((0, 2), np.float32), "no samples"),
        (np.array(["a"]), "give floating-point samples"),
        (np.zeros(10, np.complex64), "holds complex64"),
        ([3, -200, 31_000], "holds int64"),  # 16-bit samples in a wide type: by its range they would be silence
        (np.zeros(10, np.uint16), "holds uint16"),
        ([[0.1, 0.2], [0.3]], "unequal length"),
        (None, "given as NoneType"),
        ({"array": [0.0], "sampling_rate": 16_000}, "given as dict"),
        (("call.wav", 16_000), "give the path alone"),
        (np.array([1000.0, -20000.0], np.float32), "reach 20000"),
        ((np.zeros(10, np.float32), 16), "rate of the array is 16"),
        ((np.zeros(10, np.float32), 16_000.5), "rate of the array is 16000.5"),
        ((np.zeros(10, np.float32), 16_000, 3), "tuple of 3"),
        (b"RIFF", "bytes"),
    ],
)
def test_arrays_that_cannot_be_used(source: object, says: str) -> None:
    with pytest.raises(AudioError) as error:
        load_audio(source)
    assert says in str(error.value)


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "m4a"])
def test_a_part_of_a_file(tmp_path: Path, ending: str) -> None:
    whole = np.concatenate([tone(seconds=1.0, frequency=300.0), tone(seconds=1.0, frequency=900.0)])
    path = tmp_path / f"two.{ending}"
    if ending == "m4a":
        write_container(path, whole, 16_000, "aac")
    else:
        soundfile.write(path, whole, 16_000)
    second = load_audio(AudioPart(path, 1.2, 0.5))
    assert abs(len(second) - 8_000) <= 1 and pitch(second) == pytest.approx(900, abs=4)
    assert pitch(load_audio(AudioPart(path, 0.2, 0.5))) == pytest.approx(300, abs=4)
    assert len(load_audio(AudioPart(path, 1.5, 60.0))) == pytest.approx(8_000, abs=2_000)  # what there is
    assert len(load_audio(AudioPart(path, 1.0))) == pytest.approx(16_000, abs=2_000)


@pytest.mark.parametrize(
    ("start", "seconds", "says"),
    [(9.0, 1.0, "no samples in"), (-1.0, 1.0, "start of a part"), (0.0, float("nan"), "seconds of a part")],
)
def test_parts_that_are_none(tmp_path: Path, start: float, seconds: float, says: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    with pytest.raises(AudioError, match=says):
        load_audio(AudioPart(tmp_path / "a.wav", start, seconds))
