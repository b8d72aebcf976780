"""Recognizer, transcript and manifests: with a small untrained model for the contracts, with the starter for names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asrbias.audio import AudioError, AudioPart
from asrbias.decoder import DecodeOptions, Hypothesis, Word
from asrbias.encoder import EncoderConfig
from asrbias.entities import Entity, EntityList
from asrbias.joint import JointOptions
from asrbias.lm import LanguageModelError
from asrbias.loading import MODELS, load, own_decode_options
from asrbias.manifest import ManifestError, in_process, read_manifest, transcribe_manifest
from asrbias.model import Model, ModelError
from asrbias.recognizer import RecognizeOptions, Recognizer
from asrbias.tokens import Vocabulary
from asrbias.transcript import build_transcript

DEMO = Path(__file__).resolve().parents[1] / "recipes" / "starter" / "demo"


@pytest.fixture(scope="module")
def tiny() -> Recognizer:
    torch.manual_seed(0)
    config = EncoderConfig(
        vocabulary=29, dim=16, layers=2, heads=2, kernel=3, subword_layers=(1,), phone_layer=1, stem_channels=4
    )
    model = Model(config, Vocabulary.from_characters(" 'abcdefghijklmnopqrstuvwxyz"))
    with torch.no_grad():
        model.encoder.head.bias[0] = 2.0  # mostly blank, as a trained model is
    return Recognizer(model, options=RecognizeOptions(batch_seconds=2.0))


@pytest.fixture(scope="module")
def starter() -> Recognizer:
    if not (MODELS / "starter").is_dir():
        pytest.skip("the starter model is not in this checkout")
    return load()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(int(seconds * 16_000)) * 0.1).astype(np.float32)


def test_a_batch_gives_what_each_gives_alone(tiny: Recognizer) -> None:
    waves = [noise(1.0), noise(0.3, 1), noise(1.7, 2), noise(0.01, 3)]
    together = tiny.transcribe_batch(waves)
    assert [t.text for t in together] == [tiny.transcribe(wave).text for wave in waves]
    assert [t.duration for t in together] == pytest.approx([1.0, 0.3, 1.7, 0.01])
    for wave, posterior in zip(waves, tiny.log_probs(waves), strict=True):
        np.testing.assert_allclose(posterior, tiny.log_probs([wave])[0], atol=1e-4)


def test_an_empty_list_is_no_list(tiny: Recognizer) -> None:
    wave = noise(1.0)
    none, empty = tiny.transcribe(wave), tiny.transcribe(wave, [])
    assert none == empty


def test_lists_must_fit_the_recordings(tiny: Recognizer) -> None:
    with pytest.raises(ValueError, match="2 recordings but 1 lists"):
        tiny.transcribe_batch([noise(0.2), noise(0.2)], [["ab"]])
    with pytest.raises(TypeError, match="a list of entities for each recording"):
        tiny.transcribe_batch([noise(0.2)], ["kyiv"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="one str"):
        tiny.transcribe(noise(0.2), "kyiv")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="List 1: Item 0 of the entity list is int 3"):
        tiny.transcribe_batch([noise(0.2), noise(0.2)], [["ab"], [3]])  # type: ignore[list-item]


@pytest.mark.parametrize("one", ["call.wav", Path("call.wav"), noise(0.2), (noise(0.2), 16_000), None])
def test_one_recording_is_no_batch(tiny: Recognizer, one: object) -> None:
    with pytest.raises(TypeError, match="for one, call transcribe"):
        tiny.transcribe_batch(one)  # type: ignore[arg-type]


def test_a_bad_recording_of_a_batch_is_numbered(tiny: Recognizer) -> None:
    with pytest.raises(AudioError, match="Recording 1: 3 of 3 samples"):
        tiny.transcribe_batch([noise(0.2), np.full(3, np.nan)])


def test_as_many_readings_as_asked_for(tiny: Recognizer) -> None:
    many = Recognizer(tiny.model, options=RecognizeOptions(nbest=25))
    assert 10 < len(many.transcribe(noise(1.0)).nbest) <= 25
    with pytest.raises(ValueError, match="nbest is 0"):
        RecognizeOptions(nbest=0)


def test_unusable_audio_device_and_model(tiny: Recognizer, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="at most 1800 s"):
        tiny.samples(np.zeros(16_000 * 1_801, np.float32))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        tiny.transcribe(tmp_path / "none.wav")
    with pytest.raises(ValueError, match="'tpu' is unknown"):
        Recognizer(tiny.model, device="tpu")
    with pytest.raises(ValueError, match="'cuda:99' was asked for but torch sees"):
        Recognizer(tiny.model, device="cuda:99")
    assert Recognizer(tiny.model, device=torch.device("cpu")).device.type == "cpu"
    with pytest.raises(ModelError, match="There is no model 'nonesuch'"):
        load("nonesuch")


def test_silence_is_an_empty_transcript(starter: Recognizer) -> None:
    transcript = starter.transcribe(np.zeros(32_000, np.float32), ["Kyiv"])
    assert transcript.text == "" and transcript.words == ()


def hypothesis(words: tuple[Word, ...], score: float) -> Hypothesis:
    return Hypothesis(
        text=" ".join(w.text for w in words),
        tokens=(),
        score=score,
        acoustic=score,
        bias=0,
        lm=0,
        words=words,
        frames=(),
    )


def test_a_phrase_is_shown_once_in_its_display_form() -> None:
    listed = EntityList([Entity("new york"), Entity("3M")])
    words = (
        Word(text="in", start=0, end=2, confidence=0.9),
        Word(text="new", start=2, end=4, confidence=0.8, entity=0, entity_span=(1, 2)),
        Word(text="york", start=5, end=9, confidence=0.5, entity=0, entity_span=(1, 2)),
        Word(text="three", start=10, end=12, confidence=0.9, entity=1, entity_span=(3, 4)),
        Word(text="m", start=12, end=14, confidence=0.7, entity=1, entity_span=(3, 4)),
    )
    transcript = build_transcript([hypothesis(words, -1.0)], listed, 0.04, 0.5, 5)
    assert transcript.text == "in new york 3M"
    unit = transcript.words[1]
    assert (unit.text, unit.start, unit.end, unit.confidence) == ("new york", 0.08, 0.36, 0.5)
    assert unit.entity is listed[0] and transcript.words[0].entity is None
    assert transcript.words[2].end == 0.5, "no word may end after the audio"


def test_readings_with_the_same_text_count_once() -> None:
    a, b = (Word(text=t, start=0, end=1, confidence=0.5) for t in "ab")
    transcript = build_transcript(
        [hypothesis((a,), -1), hypothesis((a,), -2), hypothesis((b,), -3)], None, 0.04, 1.0, 5
    )
    assert [(one.text, one.score) for one in transcript.nbest] == [("a", -1), ("b", -3)]
    assert build_transcript([], None, 0.04, 1.0, 5).text == ""


# --- manifests ---


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = []
    for number in range(20):
        soundfile.write(tmp_path / f"{number}.wav", noise(0.2, number), 16_000)
        rows.append({"id": number, "audio": f"{number}.wav", "text": "a b", "entities": ["ab"], "note": number})
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "in.jsonl"


def run(manifest: Path, output: Path, make: Callable[[], Recognizer], bonus: float = 1.0) -> list[dict[str, object]]:
    transcribe_manifest(manifest, output, in_process(make), None, no_list=False, settings={"bonus": bonus})
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_manifest_output_repeats_each_line(tiny: Recognizer, manifest: Path, tmp_path: Path) -> None:
    rows = run(manifest, tmp_path / "out.jsonl", lambda: tiny)
    assert [row["id"] for row in rows] == list(range(20)), "ids stay numbers"
    assert rows[3]["note"] == 3 and rows[3]["text"] == "a b"
    assert rows[3]["hypothesis"] == tiny.transcribe(tmp_path / "3.wav", ["ab"]).text
    assert not list(tmp_path.glob("*.part"))


def test_an_interrupted_manifest_goes_on(tiny: Recognizer, manifest: Path, tmp_path: Path) -> None:
    whole = run(manifest, tmp_path / "whole.jsonl", lambda: tiny)

    class Stopped(Exception):
        pass

    read: list[str] = []

    class Stops(Recognizer):
        left = 16

        def whole(self, audio: Path) -> np.ndarray | None:
            read.append(audio.name)
            self.left -= 1
            if self.left < 0:
                raise Stopped("no more")
            return super().whole(audio)

    output = tmp_path / "cut.jsonl"
    stops = Stops(tiny.model, options=replace(tiny.options, threads=1))
    with pytest.raises(Stopped, match=r"in.jsonl:17: no more"):
        run(manifest, output, lambda: stops)
    assert not output.exists()
    (part,) = tmp_path.glob("cut.jsonl.*.part")
    assert len(part.read_text().splitlines()) == 16, "what was known is written"
    part.write_bytes(part.read_bytes()[:-10])  # as if the machine had died in the middle of a line
    read.clear()
    stops.left = 100
    assert run(manifest, output, lambda: stops) == whole
    assert read == [f"{number}.wav" for number in range(20)], "the block that was not whole is encoded as before"
    read.clear()
    part.write_text("".join(json.dumps(row) + "\n" for row in whole[:17]))
    assert run(manifest, output, lambda: stops) == whole
    assert read == [f"{number}.wav" for number in range(16, 20)], "a whole block is kept"


def test_other_settings_do_not_continue_a_run(tiny: Recognizer, manifest: Path, tmp_path: Path) -> None:
    def fails() -> Recognizer:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run(manifest, tmp_path / "out.jsonl", fails)
    assert len(run(manifest, tmp_path / "out.jsonl", lambda: tiny, bonus=2.0)) == 20


def test_one_bad_recording_does_not_end_the_run(tiny: Recognizer, manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "5.wav").write_bytes(b"no audio")
    rows = run(manifest, tmp_path / "out.jsonl", lambda: tiny)
    assert len(rows) == 20 and "cannot be read as audio" in str(rows[5]["error"]) and "error" not in rows[6]
    soundfile.write(tmp_path / "5.wav", noise(0.2), 16_000)
    assert "error" not in run(tmp_path / "out.jsonl", tmp_path / "again.jsonl", lambda: tiny)[5]


def test_lists_are_checked_before_the_first_recording(manifest: Path, tmp_path: Path) -> None:
    def never() -> Recognizer:
        raise AssertionError

    rows = manifest.read_text().splitlines()
    for bad, says in ((7, "Item 0 of the entity list is int 7"), ("none.txt", "none.txt does not exist")):
        row = {**json.loads(rows[-1]), "list": bad if isinstance(bad, str) else [bad]}
        manifest.write_text("\n".join([*rows[:-1], json.dumps(row)]))
        with pytest.raises(ManifestError, match=f":20: .*{says}"):
            run(manifest, tmp_path / "out.jsonl", never)
    manifest.write_text("\n".join(rows))
    for output, says in ((manifest, "is the manifest"), (tmp_path, "is a folder")):
        with pytest.raises(ManifestError, match=says):
            run(manifest, output, never)


def test_a_changed_list_file_does_not_continue_a_run(tiny: Recognizer, manifest: Path, tmp_path: Path) -> None:
    def fails() -> Recognizer:
        raise RuntimeError

    row = json.loads(manifest.read_text().splitlines()[0])
    manifest.write_text(json.dumps({**row, "list": "names.txt"}))
    keys = set()
    for names in ("kyiv", "lviv"):
        (tmp_path / "names.txt").write_text(names)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError):
            patch.setattr("asrbias.manifest._resume", lambda part: keys.add(part.name) or set())
            run(manifest, tmp_path / "out.jsonl", fails)
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no lines"),
        ('{"audio": ""}\n', ":1 has no `audio` path"),
        ('{"audio": "a.wav", "x": ' + "[" * 100_000 + "]" * 100_000 + "}\n", ":1 is no JSON"),
        ('{"audio": "a.wav"\n', ":1 is no JSON"),
        ('{"text": "x"}\n', ":1 has no `audio` path"),
        ('{"audio": "a.wav", "entities": 7}\n', "the list is 7"),
        ('{"id": "x", "audio": "a"}\n{"id": "x", "audio": "b"}\n', ":2: the id 'x' is that of line 1"),
    ],
)
def test_bad_manifests(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "m.jsonl").write_text(text)
    with pytest.raises(ManifestError) as error:
        read_manifest(tmp_path / "m.jsonl")
    assert says in str(error.value)


def test_manifests_of_nemo(tmp_path: Path) -> None:
    rows = [
        {"audio_filepath": "a.wav", "duration": 3.0, "text": "x"},
        {"audio_filepath": "a.wav", "offset": 1.5, "duration": 2},
        {"audio": "a.wav", "offset": 1.5, "id": "rest"},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole, part, rest = (line.source for line in read_manifest(tmp_path / "m.jsonl"))
    path = tmp_path / "a.wav"
    assert whole == path and part == AudioPart(path, 1.5, 2.0) and rest == AudioPart(path, 1.5)
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav", "offset": "1.5"}\n')
    with pytest.raises(ManifestError, match="the offset is"):
        read_manifest(tmp_path / "m.jsonl")


def test_manifests_in_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav", "text": "a\u2028b"}\n', encoding="utf-8-sig")
    (line,) = read_manifest(tmp_path / "m.jsonl")
    assert line.fields["text"] == "a\u2028b"
    (tmp_path / "m.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="is no UTF-8 text"):
        read_manifest(tmp_path / "m.jsonl")


# --- the starter on the demo's recordings ---


def test_the_demo_names_come_out_right_with_the_list(starter: Recognizer) -> None:
    if not (DEMO / "demo.jsonl").is_file():
        pytest.skip("the demo's recordings are not in this checkout")
    lines = [json.loads(line) for line in (DEMO / "demo.jsonl").read_text().splitlines()]
    tuned = own_decode_options(MODELS / "starter")
    assert tuned is not None
    strong = load(decode=replace(tuned, decode=replace(tuned.decode, bonus=2.5)))  # as recipes/starter/demo.py
    spoken = found = without = 0
    for line in lines:
        text = line["text"].lower()
        plain = starter.transcribe(DEMO / line["audio"]).text
        biased = strong.transcribe(DEMO / line["audio"], line["entities"])
        names = [name for name in line["entities"] if name.lower() in text]
        assert all(word.entity is None or word.entity.phrase in names for word in biased.words), biased.text
        spoken += len(names)
        without += sum(name.lower() in plain.lower() for name in names)
        found += sum(any(w.entity and w.entity.phrase == name for w in biased.words) for name in names)
        for word in biased.words:
            assert 0 <= word.start <= word.end <= biased.duration and 0 <= word.confidence <= 1
    assert found >= 0.6 * spoken and found > 2 * without, (spoken, without, found)


def test_the_language_model_of_the_starter_is_used_and_can_be_left_out(starter: Recognizer) -> None:
    plain = load(lm=None)
    (heard,) = starter.posteriors([starter.samples(DEMO / "cities.flac")])
    both = [heard.log_probs], [heard.phones]
    assert [found[0].lm for found in plain.decoder.decode_batch(*both)] == [0.0]
    assert all(found[0].lm != 0.0 for found in starter.decoder.decode_batch(*both))


def test_a_language_model_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text("nothing")
    with pytest.raises(LanguageModelError, match="cannot be read as a language model"):
        load(lm=tmp_path / "lm.arpa")
    with pytest.raises(TypeError, match="lm is int; give a LanguageModel"):
        load(lm=3)  # type: ignore[arg-type]


def test_the_options_in_a_models_folder_are_used_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "decode.json").write_text('{"beam": 7, "bonus": 0.5}')
    tuned = JointOptions(decode=DecodeOptions(beam=7, bonus=0.5))
    assert own_decode_options(tmp_path) == tuned
    tuned = replace(tuned, lookup="exact")
    (tmp_path / "decode.json").write_text(json.dumps(tuned.to_json()))
    assert own_decode_options(tmp_path) == tuned
    assert own_decode_options(MODELS) is None
    (tmp_path / "decode.json").write_text('{"beem": 7}')
    with pytest.raises(ModelError, match=r"decode.json cannot be used \(.*beem"):
        own_decode_options(tmp_path)
