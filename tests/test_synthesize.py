"""The starter recipe's text and speech: what is excluded stays out, shards come back as they were written."""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import random
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

RECIPE = Path(__file__).parents[1] / "recipes" / "starter"
sys.path.insert(0, str(RECIPE))

import demo_audio  # noqa: E402
import festival  # noqa: E402
import sentences  # noqa: E402
import simple  # noqa: E402
import synthesize  # noqa: E402
import tract  # noqa: E402
import voices  # noqa: E402

from asrbias.training.shards import ShardReader, read_shard, write_shard  # noqa: E402


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder of texts that holds excluded names, in sentences and in the lists of names."""
    lines = {
        "commonvoice-sentences": ["The river runs through Kyiv's old town.", "She walked home with Anna in the rain."],
        "ljspeech-sentences": ["It was built in 1902.", "he wrote a long letter to his sister"],
        "us-presidents-sentences": ["The NATO allies agreed.", "We thank the people of Boston for this."],
        "slurp-sentences": ["order ozempic please", "what time is it in Paris"],
        "names-first": ["Maria", "Siobhan", "Kbfl", "Li"],
        "names-last": ["Novak", "Zelenskyy", "York"],
        "names-places-companies": ["A list of rivers.", "New", "Pfizer", "Gulf of Mexico"],
    }
    for name, content in lines.items():
        (tmp_path / f"{name}.txt.gz").write_bytes(gzip.compress("\n".join(content).encode()))
    return tmp_path


def exclusion(tmp_path: Path) -> sentences.Exclusion:
    manifest = tmp_path / "dev.jsonl"
    manifest.write_text(json.dumps({"text": "in New York", "entities": ["New York"]}) + "\n")
    return sentences.Exclusion.read(manifests=[manifest])


def test_exclusion_finds_whole_phrases_in_any_case_and_with_a_possessive() -> None:
    excluded = sentences.Exclusion(["Kyiv", "Insulin glargine", "Ocasio-Cortez", "Müller"])
    assert excluded.found_in("The mayor of KYIV's office") == "kyiv"
    assert excluded.found_in("take insulin glargine now") == "insulin glargine"
    assert excluded.found_in("by Ocasio Cortez") == "ocasio cortez"
    assert excluded.found_in("Muller spoke") == "muller"
    assert excluded.found_in("take insulin, Kyivan, mullers") is None


def test_no_sentence_holds_an_excluded_name(texts: Path) -> None:
    excluded = exclusion(texts)
    maker = sentences.SentenceMaker(texts, excluded)
    generator = random.Random(3)
    drawn = [maker.draw(generator) for _ in range(2000)]
    said = {word for sentence in drawn for word in sentences.words_of(sentence.text)}
    assert not said & {"kyiv", "ozempic", "siobhan", "zelenskyy", "pfizer", "nato", "1902", "kbfl"}
    assert {"maria", "novak", "mexico", "paris", "sister"} <= said  # what is not excluded is used
    assert {"new", "york"} <= said and not any("new york" in s.text.lower() for s in drawn)  # nor made of two names
    for sentence in drawn:
        assert 2 <= len(sentence.text.split()) <= 16
        assert all(name in sentence.text for name in sentence.entities)


def test_no_name_of_dev_or_test_is_in_drawn_sentences() -> None:
    shared = Path(os.environ.get("ASRBIAS_SHARED", RECIPE.parents[2] / "shared"))
    if not (shared / "text").is_dir():
        pytest.skip(f"the shared texts are not at {shared}; set ASRBIAS_SHARED")
    manifests = [shared / "speech" / split / "manifest.jsonl" for split in ("dev", "test")]
    names = {name for path in manifests for line in path.open() for name in json.loads(line)["entities"]}
    patterns = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(names))) + r")\b", re.IGNORECASE)
    maker = sentences.SentenceMaker(shared / "text", sentences.Exclusion.read(manifests=manifests))
    generator = random.Random(1)
    assert not [text for text in (maker.draw(generator).text for _ in range(500)) if patterns.search(text)]


def test_equal_seeds_draw_equal_sentences(texts: Path) -> None:
    maker = sentences.SentenceMaker(texts, exclusion(texts))
    one, two = ([maker.draw(generator) for _ in range(50)] for generator in (random.Random(7), random.Random(7)))
    assert one == two


def test_long_sentences_are_cut_at_their_marks() -> None:
    first = "one two three four five six, seven eight nine ten; eleven twelve"
    second = "thirteen fourteen fifteen sixteen"
    assert list(sentences.clauses(f"{first} -- {second} seventeen")) == [first, f"{second} seventeen"]
    assert list(sentences.clauses(f"{first} {second}")) == [f"{first} {second}"]  # sixteen words fit


@pytest.mark.parametrize("text", ["McCoubrey knew Thwaite", "lengths of string", "Mr. O'Brien, the gnome", "a tsar"])
def test_pronounceable(text: str) -> None:
    assert sentences.pronounceable(text)


@pytest.mark.parametrize("text", ["Kbfl", "call Pschorner", "the bmw", "Oleksandr"])
def test_what_voices_would_spell_is_left_out(text: str) -> None:
    assert not sentences.pronounceable(text)


def test_spoken_text_is_what_flite_can_read() -> None:
    assert synthesize.spoken("“São Tomé’s” two-tiered 'plan' – it's (nearly) done.") == (
        "Sao Tome's two tiered plan it's nearly done."
    )


def test_trim_leaves_the_silence_asked_for() -> None:
    tone = np.sin(np.arange(voices.RATE) / 5).astype(np.float32)
    padded = np.concatenate([np.zeros(voices.RATE), tone, np.zeros(voices.RATE)]).astype(np.float32)
    assert len(synthesize.trim(padded, 0.15)) == pytest.approx(1.3 * voices.RATE, abs=voices.RATE // 50)
    assert len(synthesize.trim(np.zeros(800, np.float32), 0.15)) == 0


def test_resampling_keeps_a_tone_and_drops_what_would_alias() -> None:
    def tone(frequency: float, rate: int) -> np.ndarray:
        return np.sin(2 * np.pi * frequency * np.arange(rate) / rate) * np.hanning(rate)

    kept = voices.resample(tone(1000, 22050), 22050)
    assert len(kept) == voices.RATE
    assert np.abs(kept - tone(1000, voices.RATE)).max() < 1e-3
    assert np.abs(voices.resample(tone(9000, 22050), 22050)).max() < 1e-3


def toy(seconds: list[float]) -> list[synthesize.Utterance]:
    noise = np.random.default_rng(0)
    return [
        synthesize.Utterance(f"sentence {i} Zoë", ("Zoë",), "toy", noise.integers(-99, 99, int(s * 16000), np.int16))
        for i, s in enumerate(seconds)
    ]


def test_shard_round_trip(tmp_path: Path) -> None:
    items = toy([1.0, 2.0, 1.5, 1.0])
    write_shard(tmp_path / "toy-000", synthesize.rows(iter(items), "toy-000", seconds=4.0))
    read = list(read_shard(tmp_path / "toy-000.jsonl"))
    assert [row.id for row in read] == ["toy-000-00000", "toy-000-00001", "toy-000-00002"]  # full after the third
    assert [row.text for row in read] == [item.text for item in items[:3]]
    reader = ShardReader()
    for row, item in zip(read, items, strict=False):
        assert np.array_equal(reader.read(row), item.samples)
    assert synthesize.whole(tmp_path, "toy-000")


def test_a_cut_shard_is_not_whole(tmp_path: Path) -> None:
    write_shard(tmp_path / "toy", synthesize.rows(iter(toy([1.0])), "toy", seconds=1.0))
    pcm = tmp_path / "toy.pcm"
    pcm.write_bytes(pcm.read_bytes()[:-2])
    assert not synthesize.whole(tmp_path, "toy")
    pcm.unlink()
    assert not synthesize.whole(tmp_path, "toy")


SPOKEN = [voices.Flite(name="slt"), voices.Flite(name="rms"), voices.Espeak(),
          festival.Festival(name="ked"), festival.Festival(name="slt")]  # fmt: skip


@pytest.mark.parametrize("voice", SPOKEN, ids=repr)
def test_voices_speak(voice: voices.Voice) -> None:
    try:
        speaker, samples = voice.say("good morning, this is a test", random.Random(1))
    except voices.VoiceError as error:
        pytest.skip(str(error))
    assert speaker.startswith(("flite-", "espeak-", "festival-"))
    assert 1 < len(samples) / voices.RATE < 4
    assert 0.05 < np.abs(samples).max() < 1 and samples.std() > 0.005
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / voices.RATE)
    assert spectrum[(frequency > 5000) & (frequency < 7000)].mean() > 1e-5 * spectrum[frequency < 1000].mean()


@pytest.mark.parametrize("voice", [*SPOKEN[:2], voices.Espeak(rate=(150, 150)), *SPOKEN[3:]], ids=repr)
def test_slower_is_longer(voice: voices.Voice) -> None:
    try:
        seconds = [len(v.say("a short and plain sentence", random.Random(2))[1]) for v in (voice, voice.slower(1.3))]
    except voices.VoiceError as error:
        pytest.skip(str(error))
    assert 1.1 < seconds[1] / seconds[0] < 1.45


def test_festival_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    festival._started.cache_clear()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(voices.VoiceError, match=r"^festival is not installed: apt install festival$"):
        festival.Festival(name="ked").say("hello", random.Random(1))


def test_a_voice_festival_has_not_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("festival"):
        pytest.skip("festival is not installed")
    monkeypatch.setitem(festival.SPEAKERS, "nobody", ("nobody_diphone", "festvox-nobody"))
    with pytest.raises(voices.VoiceError, match="no voice nobody_diphone: apt install festvox-nobody"):
        festival.Festival(name="nobody").say("hello", random.Random(1))


@dataclass(frozen=True)
class Hum:
    """A voice that hums at 200 Hz, a second long unless slowed."""

    seconds: float = 1.0

    def slower(self, factor: float) -> Hum:
        return Hum(self.seconds * factor)

    def say(self, text: str, random: random.Random) -> tuple[str, np.ndarray]:
        time = np.arange(round(self.seconds * voices.RATE)) / voices.RATE
        return "hum", np.sin(2 * np.pi * 200 * time).astype(np.float32)


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.23])
def test_a_tract_moves_the_spectrum_and_keeps_the_tempo(factor: float) -> None:
    speaker, samples = tract.Tract(voice=Hum(), factor=(factor, factor)).say("mm", random.Random(1))
    assert speaker == f"hum-x{factor:.2f}"
    assert len(samples) == pytest.approx(voices.RATE, abs=2)
    peak = np.fft.rfftfreq(len(samples), 1 / voices.RATE)[np.abs(np.fft.rfft(samples)).argmax()]
    assert peak == pytest.approx(200 * factor, abs=1)


def manifest(path: Path, texts: list[str], corpus: str = "speechocean762", entities: tuple[str, ...] = ()) -> Path:
    rows = [json.dumps({"text": text, "corpus": corpus, "entities": entities}) for text in texts]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_simple_sentences_are_those_of_training_alone(tmp_path: Path) -> None:
    texts = ["she likes the bear", "Mike Lives There", "it is in kyiv", "call Ann two three", "mark is going to see"]
    train = manifest(tmp_path / "train.jsonl", texts)
    train.write_text(train.read_text() + json.dumps({"text": "a long story", "corpus": "other", "entities": []}) + "\n")
    dev = manifest(tmp_path / "dev.jsonl", ["mike lives there", "Ann"], entities=("Ann", "seven"))
    maker = simple.SimpleSentences(train, sentences.Exclusion.read(manifests=[dev]), (dev,))
    assert maker.texts == ["mark is going to see", "she likes the bear"]
    drawn = [maker.draw(random.Random(seed)).text for seed in range(400)]
    rows = [text for text in drawn if text not in maker.texts]
    assert 10 < len(rows) < 60
    assert {word for row in rows for word in row.split()} == set(simple.DIGITS) - {"seven"}


def test_rows_of_digits_are_none_that_is_measured(tmp_path: Path) -> None:
    train = manifest(tmp_path / "train.jsonl", ["she likes the bear"])
    pairs = [f"{one} {two}" for one in simple.DIGITS for two in simple.DIGITS]
    dev = manifest(tmp_path / "dev.jsonl", pairs)
    maker = simple.SimpleSentences(train, sentences.Exclusion([]), (dev,))
    drawn = {maker.draw(random.Random(seed)).text for seed in range(400)}
    assert len(drawn) > 5 and not drawn & set(pairs)


def test_a_manifest_without_simple_sentences_is_said(tmp_path: Path) -> None:
    train = manifest(tmp_path / "train.jsonl", ["a long story"], corpus="other")
    with pytest.raises(ValueError, match="no usable text of corpus 'speechocean762': give the manifest of the train"):
        simple.SimpleSentences(train, sentences.Exclusion([]))


def test_halting_adds_only_stops() -> None:
    text = "at last, our ranks were breaking up"
    said = [simple.halting(text, random.Random(seed)) for seed in range(200)]
    assert 80 < said.count(text) < 160
    assert {one.replace(",", "") for one in said} == {text.replace(",", "")}
    assert not any(one.endswith(",") or ",," in one for one in said)


@pytest.mark.parametrize("text", ["commonvoice", "commonvoice=many", "commonvoice=-1", "wikipedia=1"])
def test_a_wrong_share_of_a_source_is_said(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"is no source with its share: write commonvoice=0\.5"):
        synthesize._share(text)


def test_written_sentences_come_from_the_sources_asked_for(texts: Path) -> None:
    maker = sentences.SentenceMaker(texts, sentences.Exclusion([]), {"slurp": 1.0})
    assert maker.plain == {"slurp": ["order ozempic please", "what time is it in Paris"]}


def test_a_stream_of_utterances_is_decided_by_seed_and_name(texts: Path) -> None:
    options = synthesize.SynthesisOptions(voices="flite-slt", text=texts)

    def stream(name: str) -> list[synthesize.Utterance]:
        try:
            return list(itertools.islice(synthesize.utterances(options, name), 2))
        except voices.VoiceError as error:
            pytest.skip(str(error))

    one, again, other = stream("flite-slt-000"), stream("flite-slt-000"), stream("flite-slt-001")
    assert [u.text for u in one] == [u.text for u in again] != [u.text for u in other]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(one, again, strict=True))
    assert all(1 <= len(u.samples) / voices.RATE <= 16 and np.abs(u.samples).max() > 4000 for u in one)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"commonvoice-sentences\.txt\.gz is missing: give the folder"):
        sentences.SentenceMaker(tmp_path, sentences.Exclusion([]))


def test_the_demo_holds_only_names_kept_out_of_training() -> None:
    rows = [json.loads(line) for line in (RECIPE / "demo" / "demo.jsonl").read_text("utf-8").splitlines()]
    held_out = sentences.Exclusion.read()
    assert len(rows) == len(demo_audio.LINES)
    for row in rows:
        assert (RECIPE / "demo" / row["audio"]).stat().st_size < 120_000
        assert held_out.found_in(row["text"])  # so the sentence is in no training text
        for name in row["spoken"]:
            assert name in row["entities"] and name in row["text"]
            assert all(held_out.found_in(word) for word in sentences.words_of(name))
        absent = [name for name in row["entities"] if name not in row["spoken"]]
        assert len(absent) >= 35 and not any(sentences.Exclusion([name]).found_in(row["text"]) for name in absent)
