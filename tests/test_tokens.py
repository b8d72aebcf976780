"""Vocabularies: round trips, and every segmentation of a phrase."""

from __future__ import annotations

from pathlib import Path

import pytest

from asrbias.tokens import Vocabulary, VocabularyError, train_sentencepiece

# Pseudo-words: consonant, vowel, consonant, vowel; enough different ones for 60 pieces.
WORDS = [a + v + b + w for a in "bdfgklmnprstvz" for v in "aeiou" for b in "cdhjlmqrwxy" for w in "aeo"]
TEXTS = [" ".join(WORDS[i::97]) for i in range(97)] + ["the cat met the dog in new york"] * 50


@pytest.fixture(scope="module")
def pieces() -> Vocabulary:
    return Vocabulary.from_sentencepiece(train_sentencepiece(TEXTS, 60))


def test_sentencepiece_writes_any_name(pieces: Vocabulary) -> None:
    assert len(pieces) == 60 and pieces.labels[0] == "<blank>"
    assert pieces.charset == frozenset("abcdefghijklmnopqrstuvwxyz'")
    for text in ("the cat", "zelenskyy", "o'neill in kyiv"):
        numbers = pieces.encode(text)
        assert 0 not in numbers and pieces.decode(numbers) == text


def test_every_segmentation_is_found_once(pieces: Vocabulary) -> None:
    ways = list(pieces.segmentations("the cat"))
    assert len(set(ways)) == len(ways) > 1
    assert tuple(pieces.encode("the cat")) in ways
    assert all(pieces.decode(way) == "the cat" for way in ways)


def test_segmentations_by_hand() -> None:
    toy = Vocabulary(("<blank>", "▁", "▁a", "a", "b", "ab"))
    spelled = {tuple(toy.labels[i] for i in way) for way in toy.segmentations("ab")}
    assert spelled == {("▁a", "b"), ("▁", "a", "b"), ("▁", "ab")}


def test_pieces_without_their_model_cannot_choose() -> None:
    with pytest.raises(VocabularyError, match="best segmentation"):
        Vocabulary(("<blank>", "▁a", "b")).encode("ab")


def test_characters() -> None:
    letters = Vocabulary.from_characters(" abc")
    assert letters.encode("ab c") == [2, 3, 1, 4] and letters.decode([2, 3, 1, 4]) == "ab c"
    with pytest.raises(VocabularyError, match="word separator"):
        Vocabulary.from_characters("abc")


def test_what_cannot_be_written_is_named(pieces: Vocabulary) -> None:
    with pytest.raises(VocabularyError, match="é"):
        pieces.encode("café")


def test_save_and_load(pieces: Vocabulary, tmp_path: Path) -> None:
    pieces.save(tmp_path / "a")
    assert Vocabulary.load(tmp_path / "a") == pieces
    letters = Vocabulary.from_characters(" abc")
    letters.save(tmp_path / "b")
    assert Vocabulary.load(tmp_path / "b") == letters
    letters.save(tmp_path / "a")
    assert Vocabulary.load(tmp_path / "a") == letters, "the earlier vocabulary is gone"
    with pytest.raises(VocabularyError, match="has no vocabulary"):
        Vocabulary.load(tmp_path / "c")
    for content in ("{}", "no json", "[1]"):
        (tmp_path / "b" / "tokens.json").write_text(content)
        with pytest.raises(VocabularyError, match="cannot be read"):
            Vocabulary.load(tmp_path / "b")


def test_duplicate_labels_and_blank_out_of_range() -> None:
    with pytest.raises(VocabularyError, match="'a' stands twice"):
        Vocabulary(("<blank>", "a", "a"))
    with pytest.raises(VocabularyError, match="blank 7"):
        Vocabulary(("<blank>", "a"), blank=7)
