"""The pipeline: the same transcripts as one after the other, bounded, and nothing left of it when it breaks off."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import asrbias
from asrbias import encoding
from asrbias.audio import AudioError, Samples
from asrbias.encoder import EncoderConfig
from asrbias.encoding import Posteriors, by_length, encode
from asrbias.entities import EntityList
from asrbias.model import Model
from asrbias.pipeline import Failed, PipelineOptions, Recording, named, transcripts
from asrbias.recognizer import RecognizeOptions, Recognizer
from asrbias.tokens import Vocabulary
from asrbias.transcript import Transcript, build_transcript

RATE = 16_000


def made(kind: type[Recognizer] = Recognizer) -> Recognizer:
    torch.manual_seed(0)
    config = EncoderConfig(
        vocabulary=29, dim=16, layers=2, heads=2, kernel=3, subword_layers=(1,), phone_layer=1, stem_channels=4
    )
    model = Model(config, Vocabulary.from_characters(" 'abcdefghijklmnopqrstuvwxyz"))
    with torch.no_grad():
        model.encoder.head.bias[0] = 2.0
    return kind(model, options=RecognizeOptions(batch_seconds=2.0, threads=2))


@pytest.fixture(scope="module")
def tiny() -> Recognizer:
    return made()


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    yield
    assert not [one.name for one in threading.enumerate() if one.name.startswith("asrbias-")]


def noise(seconds: float, seed: int = 0) -> Samples:
    return (np.random.default_rng(seed).standard_normal(int(seconds * RATE)) * 0.1).astype(np.float32)


def recordings(number: int) -> list[Recording]:
    lengths = np.random.default_rng(1).uniform(0.1, 1.2, number)
    lists = [None, EntityList(["ab", "cd"]), EntityList(["xyz"])]
    return [Recording(noise(float(s), n), lists[n % 3]) for n, s in enumerate(lengths)]


def one_after_the_other(recognizer: Recognizer, some: list[Recording], window: int) -> list[Transcript]:
    """What the pipeline must give, by the parts that it is made of."""
    found = []
    for begin in range(0, len(some), window):
        part = some[begin : begin + window]
        heard = recognizer.posteriors([one.audio for one in part])
        best = recognizer.decode_posteriors(heard, [one.listed() for one in part])
        frame, most = recognizer.model.seconds_per_frame, recognizer.options.nbest
        for nbest, one in zip(best, part, strict=True):
            found.append(build_transcript(nbest, one.listed(), frame, len(one.audio) / RATE, most))
    return found


@pytest.mark.parametrize("window", [1, 4, 16, 100])
def test_the_same_as_one_after_the_other(tiny: Recognizer, window: int) -> None:
    some = recordings(21)
    expected = one_after_the_other(tiny, some, window)
    assert list(transcripts(tiny, iter(some), PipelineOptions(window=window, ahead=3, batches=1))) == expected
    assert len({one.nbest[0].score for one in expected}) == 21, "all of them differ"


def test_a_window_is_full_by_its_seconds_too(tiny: Recognizer) -> None:
    some = [Recording(noise(0.5, n)) for n in range(9)]
    found = list(transcripts(tiny, some, PipelineOptions(window_seconds=1.0)))
    assert found == one_after_the_other(tiny, some, 2)


def test_no_recordings(tiny: Recognizer) -> None:
    assert list(transcripts(tiny, [])) == [] and tiny.transcribe_batch([]) == []


def test_lists_are_made_when_they_are_needed(tiny: Recognizer) -> None:
    names = EntityList(["ab"])
    wave, asked = noise(0.5), []

    def listed() -> EntityList:
        asked.append(threading.current_thread().name)
        return names

    found = list(transcripts(tiny, [Recording(wave, listed), Recording(wave, names)]))
    assert found[0] == found[1] and len(asked) == 1 and asked[0].startswith("asrbias-decode")


def test_what_cannot_be_read_keeps_its_place(tiny: Recognizer, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    soundfile.write(tmp_path / "long.wav", noise(31.0), RATE)
    wave = noise(0.5)
    audio = [wave, tmp_path / "none.wav", tmp_path / "long.wav", tmp_path / "bad.wav", noise(0.9)]
    found = list(transcripts(tiny, [Recording(one) for one in audio]))
    assert isinstance(found[0], Transcript) and found[0].text == tiny.transcribe(wave).text
    assert found[2] == tiny.transcribe(tmp_path / "long.wav")
    assert isinstance(found[1], Failed) and isinstance(found[1].error, FileNotFoundError)
    assert isinstance(found[3], Failed) and "cannot be read as audio" in str(found[3].error)
    with pytest.raises(FileNotFoundError, match=r"^Recording 1: .*none.wav does not exist"):
        tiny.transcribe_batch(audio)
    with pytest.raises(AudioError, match=r"^Recording 1: .*bad.wav cannot be read"):
        tiny.transcribe_batch([wave, tmp_path / "bad.wav"])


class Broken(Exception):
    pass


class Breaks(Recognizer):
    """Something goes wrong with recordings of 0.7 seconds."""

    where = ""

    def _check(self, place: str, samples: int) -> None:
        if place == self.where and samples == round(0.7 * RATE):
            raise Broken("something went wrong")

    def whole(self, audio: Any) -> Samples | None:
        self._check("read", len(audio))
        return super().whole(audio)

    def encode(self, waves: Any) -> Any:
        for wave in waves:
            self._check("encode", len(wave))
        return super().encode(waves)

    def decode_posteriors(self, heard: Any, lists: Any, threads: int | None = None) -> Any:
        for one in heard:
            self._check("decode", round(0.7 * RATE) if len(one.log_probs) == 18 else 0)  # 71 frames of 10 ms
        return super().decode_posteriors(heard, lists, threads)


@pytest.mark.parametrize("where", ["read", "encode", "decode"])
def test_an_error_on_any_thread_names_its_recording(where: str) -> None:
    recognizer = made(Breaks)
    recognizer.where = where  # type: ignore[attr-defined]
    lengths = [0.3, 0.4, 0.5, 0.3, 0.7, 0.3, 0.5, 0.4]
    some = [Recording(noise(s, n), name=f"list:{n}" if n > 4 else "") for n, s in enumerate(lengths)]
    flow = transcripts(recognizer, some, PipelineOptions(window=2, ahead=1))
    found = []
    whom = "list:5, Recording 4" if where == "encode" else "Recording 4"  # the whole batch met it
    with pytest.raises(Broken, match=f"^{whom}: something went wrong$"):
        for transcript in flow:
            found.append(transcript)
    assert found == one_after_the_other(made(), some[:4], 2), "what was known before it is not lost"
    some = [Recording(one.audio, name=f"in.jsonl:{n}") for n, one in enumerate(some)]
    with pytest.raises(Broken, match=r"in.jsonl:4.*: something went wrong$"):
        list(transcripts(recognizer, some))


def test_an_error_of_the_recordings_themselves(tiny: Recognizer) -> None:
    def given() -> Iterator[Recording]:
        yield from recordings(5)
        raise Broken("no more")

    found = []
    with pytest.raises(Broken, match=r"^no more$"):
        for transcript in transcripts(tiny, given(), PipelineOptions(window=2, ahead=0)):
            found.append(transcript)
    assert found == one_after_the_other(tiny, recordings(4), 2)


def test_errors_that_want_more_than_a_sentence() -> None:
    made_so = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    assert str(named(made_so, "Recording 3")).startswith("Recording 3: UnicodeDecodeError: 'utf-8' codec")
    both = named(AudioError("bad"), "a", "b")
    assert type(both) is AudioError and str(both) == "a, b: bad"


def test_closed_before_its_end_it_leaves_nothing_and_took_little(tiny: Recognizer) -> None:
    asked = 0

    def given() -> Iterator[Recording]:
        nonlocal asked
        for number in count():  # without end: what is held cannot depend on their number
            asked += 1
            yield Recording(noise(0.3, number))

    options = PipelineOptions(window=4, ahead=5, batches=1)
    flow = transcripts(tiny, given(), options)
    first = [next(flow) for _ in range(10)]
    assert [one.text for one in first if isinstance(one, Transcript)] == [
        tiny.transcribe(noise(0.3, n)).text for n in range(10)
    ]
    assert asked <= 10 + 3 * options.window + options.ahead + 1
    flow.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("asrbias-")]


class Overlaps(Recognizer):
    """Decoding waits until another batch is encoded."""

    encoded = 0

    def encode(self, waves: Any) -> Any:
        batch = super().encode(waves)
        self.encoded += 1
        self.again.set() if self.encoded > 1 else None
        return batch

    again: threading.Event

    def decode_posteriors(self, heard: Any, lists: Any, threads: int | None = None) -> Any:
        assert self.again.wait(10.0), "nothing was encoded while this was to be decoded"
        return super().decode_posteriors(heard, lists, threads)


def test_a_batch_is_decoded_while_the_next_is_encoded() -> None:
    recognizer = made(Overlaps)
    recognizer.again = threading.Event()  # type: ignore[attr-defined]
    some = recordings(8)
    assert list(transcripts(recognizer, some, PipelineOptions(window=4))) == one_after_the_other(made(), some, 4)


class Slow(Recognizer):
    """Counts what is encoded and not decoded yet."""

    lock = threading.Lock()
    open = 0
    most = 0

    def encode(self, waves: Any) -> Any:
        with self.lock:
            self.open += len(waves)
            self.most = max(self.most, self.open)
        return super().encode(waves)

    def decode_posteriors(self, heard: Any, lists: Any, threads: int | None = None) -> Any:
        found = super().decode_posteriors(heard, lists, threads)
        threading.Event().wait(0.01)
        with self.lock:
            self.open -= len(heard)
        return found


def test_no_more_than_so_many_batches_wait_for_decoding() -> None:
    recognizer = made(Slow)
    some = [Recording(noise(0.5, n)) for n in range(24)]
    list(transcripts(recognizer, some, PipelineOptions(window=4, batches=2)))
    assert isinstance(recognizer, Slow) and recognizer.open == 0 and recognizer.most <= 3 * 4


def test_torch_has_its_own_threads_only_where_it_is_alone(tiny: Recognizer) -> None:
    seen = []

    def listed() -> None:
        seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        list(transcripts(tiny, [Recording(noise(0.2), listed)]))
        later: list[int] = []
        other = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        other.start()
        other.join()
        assert seen == [1] and torch.get_num_threads() == 3 and later == [3]
    finally:
        torch.set_num_threads(before)


# --- encoding ---


def test_groups_of_like_length() -> None:
    assert by_length([5, 1, 4, 2], limit=8) == [[1, 3], [2], [0]]
    assert by_length([], 8) == [] and by_length([9], 8) == [[0]]


def test_half_precision_ends_before_the_softmax(tiny: Recognizer) -> None:
    model = tiny.own
    waves = [noise(0.5), noise(1.0, 1)]
    cpu = torch.device("cpu")
    whole, half = (encode(model, waves, cpu, adapted=True, half=half) for half in (False, True))
    for row, wave in enumerate(waves):
        one, other = whole[row], half[row]
        assert one.log_probs.dtype == other.log_probs.dtype == np.float32 and other.phones is not None
        np.testing.assert_allclose(np.exp(other.log_probs.astype(np.float64)).sum(1), 1.0, atol=1e-5)
        np.testing.assert_allclose(np.exp(other.phones.astype(np.float64)).sum(1), 1.0, atol=1e-5)
        assert 0 < np.abs(one.log_probs - other.log_probs).max() < 0.2
        np.testing.assert_array_equal(one.log_probs, tiny.posteriors(waves)[row].log_probs)
        assert len(one.log_probs) == len(one.hidden[0]) and len(one.hidden) > 0 and len(wave) > 0


def test_reading_a_batch_waits_for_its_copy() -> None:
    class Ready:
        waited = 0

        def synchronize(self) -> None:
            self.waited += 1

    ready: Any = Ready()
    batch = encoding.EncodedBatch(torch.zeros(2, 3, 4), torch.zeros(2, 3, 2), (), torch.tensor([3, 1]), ready)
    assert ready.waited == 0 and len(batch) == 2
    assert batch[1].log_probs.shape == (1, 4) and ready.waited == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu() -> None:
    """Nearly the same posteriors in half precision, and the same through the pipeline as one after the other."""
    recognizer, on_gpu = asrbias.load(), asrbias.load(device="cuda")
    demo = sorted((Path(__file__).resolve().parents[1] / "recipes" / "starter" / "demo").glob("*.flac"))
    names = EntityList(["Casablanca", "Montevideo", "Rotterdam", *(f"Distractor {n}" for n in range(200))])
    waves = [recognizer.samples(path) for path in demo]

    def greedy(heard: list[Posteriors]) -> np.ndarray:
        return np.concatenate([one.log_probs.argmax(1) for one in heard])

    same = greedy(recognizer.posteriors(waves)) == greedy(on_gpu.posteriors(waves))
    assert same.mean() > 0.98
    found = on_gpu.transcribe_batch([*waves, *waves], names)
    assert [one.text for one in found[: len(waves)]] == [one.text for one in found[len(waves) :]]
    assert sum(a.text == b.text for a, b in zip(found, recognizer.transcribe_batch(waves, names), strict=False)) >= 5


def test_few_convolutions_are_kept_ready() -> None:
    """Read by torch when it runs the first one; by default a process grows by hundreds of MB in hours of audio."""
    assert int(os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) == 64 == int(encoding.SHAPES)
