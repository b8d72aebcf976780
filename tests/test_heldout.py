"""recipes/starter/heldout.py: nothing that training heard comes into it."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[1] / "recipes" / "starter"
sys.path.insert(0, str(RECIPE))

import heldout  # noqa: E402
import sentences  # noqa: E402
import voices  # noqa: E402


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Training texts that hold Anna and Boston; a shard is added by the test."""
    text, speech = tmp_path / "text", tmp_path / "speech" / "train"
    text.mkdir()
    speech.mkdir(parents=True)
    speech.joinpath("manifest.jsonl").write_text(json.dumps({"text": "Anna came home."}) + "\n", "utf-8")
    lines = {f"{name}-sentences": ["We walked through Boston."] for name in sentences.SOURCES}
    lines |= {"names-first": ["Anna", "Siobhan", "Marek", "Bo"], "names-last": ["Okonkwo", "Delacroix"]}
    lines |= {"names-places-companies": ["Boston", "New Boston", "Rotterdam"]}
    for name, some in lines.items():
        with gzip.open(text / f"{name}.txt.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(some))
    return tmp_path


def test_names_that_training_heard_a_word_of_are_left_out(shared: Path) -> None:
    shard = shared / "shard.jsonl"
    shard.write_text(json.dumps({"text": "call Mr. Delacroix's office"}) + "\n", "utf-8")
    heard = heldout.heard_words(shared, [shard])
    names = heldout.Names.unheard(shared / "text", heard, seed=1)
    assert {kind: sorted(found) for kind, found in names.by_kind.items()} == {
        "first": ["Marek", "Siobhan"],  # Bo is too short
        "last": ["Okonkwo"],
        "place": ["Rotterdam"],
    }


def test_each_name_is_said_once_and_marked(shared: Path) -> None:
    names = heldout.Names.unheard(shared / "text", frozenset(), seed=1)
    made = list(heldout.sentences(names, 3))
    said = [name for sentence in made for name in sentence.entities]
    assert len(said) == len(set(said)) >= 3
    assert all(name in sentence.text for sentence in made for name in sentence.entities)
    with pytest.raises(SystemExit, match="no more names of the kind"):
        list(heldout.sentences(names, 40))


def test_voices_and_sentences_are_not_those_of_training() -> None:
    assert not set(heldout.UNHEARD) & set(voices.VARIANTS)
    assert not set(heldout.TEMPLATES) & set(sentences.TEMPLATES)
    assert len(set(heldout.TEMPLATES)) == len(heldout.TEMPLATES)
    assert voices.Espeak().variants == voices.VARIANTS


def test_names_that_every_sentence_was_made_without(shared: Path) -> None:
    # Not used: what is in lower case, of two words, or heard.
    lines = [{"entities": ["Marchetti", "goats", "Castro County", "Boston"]}]
    for split in ("dev", "test"):
        folder = shared / "speech" / split
        folder.mkdir()
        folder.joinpath("manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    names = heldout.Names.excluded(shared, heldout.heard_words(shared, []), seed=1)
    stock = list(names.by_kind["first"])
    assert stock.count("Marchetti") == stock.count("Okonkwo") == 2  # of dev and test, and of held_out_names.txt
    assert not {"goats", "Castro County", "Boston", "Anna"} & set(stock)
    excluded = sentences.Exclusion.read(manifests=[shared / "speech/dev/manifest.jsonl"])
    assert all(excluded.found_in(name) for name in stock)
    names.take("last")
    assert len(names.by_kind["place"]) == len(stock) - 1
