"""Other spellings and pronunciations by the grapheme table."""

from __future__ import annotations

import pytest

from asrbias.entities import Entity, EntityList
from asrbias.g2g import grapheme_table, phone_rarity, pronunciations, spellings
from asrbias.phones import PHONES, pronounce
from asrbias.variants import LIKELY, VariantError, VariantOptions, with_variants


def test_letters_are_aligned_to_the_phones_that_they_write() -> None:
    table = grapheme_table()
    assert table.align("phone", ("F", "OW", "N")) == (("ph", ("F",)), ("o", ("OW",)), ("ne", ("N",)))
    assert table.align("fox", ("F", "AA", "K", "S")) == (("f", ("F",)), ("o", ("AA",)), ("x", ("K", "S")))
    assert table.align("a", ("AH", "B", "K")) == ()


def test_the_table_is_made_of_probabilities() -> None:
    table = grapheme_table()
    for given, place in ((table.letters_given, 1), (table.phones_given, 0)):
        sums: dict[object, float] = {}
        for chunk, score in given.items():
            sums[chunk[place]] = sums.get(chunk[place], 0.0) + 2.718281828**score
        assert all(total == pytest.approx(1, abs=1e-6) for total in sums.values())
    rarity = phone_rarity()
    assert set(rarity) == set(PHONES) and rarity["ZH"] > rarity["AH"] > 0


def test_other_spellings() -> None:
    found = dict(spellings("zelenskyy", 8))
    assert "zelensky" in found and "zelenskyy" not in found and len(found) <= 8
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert [text for text, _ in spellings("zelenskyy", 3)] == list(found)[:3]
    assert all(len(text.split()) == 2 for text, _ in spellings("mike zelenskyy", 4))
    assert spellings("", 3) == () and spellings("zelenskyy", 0) == ()


def test_other_pronunciations() -> None:
    found = pronunciations("kyiv", 4)
    own = set(pronounce(["kyiv"])[0])
    assert 1 <= len(found) <= 4 and not own & {said for said, _ in found}
    assert all(set(said) <= set(PHONES) for said, _ in found)
    assert pronunciations("kyiv", 0) == ()


def test_variants_in_a_list() -> None:
    entities = EntityList(["Zelenskyy", Entity("Zelensky", weight=2.0), Entity("Brannigan", weight=0.0)])
    plain = entities.forms()
    more = with_variants(plain, 6, weight=0.5)
    assert with_variants(plain, 0) is plain
    rows = dict(zip(more.texts, zip(more.entity.tolist(), more.weight.tolist(), strict=True), strict=True))
    assert list(more.texts) == sorted(set(more.texts)) and len(more) > len(plain)
    assert {text: rows[text] for text in plain.texts} == {
        "zelenskyy": (0, 1.0),
        "zelensky": (1, 2.0),
        "brannigan": (2, 0.0),
    }
    others = {text: row for text, row in rows.items() if text not in plain.texts}
    assert set(others.values()) <= {(0, 0.5), (1, 1.0)}  # none of the entity that is not to be found
    assert all(score >= LIKELY for text, score in spellings("zelenskyy", 6) if text in others)


def test_a_variant_is_no_other_word() -> None:
    assert any(text == "gary" for text, _ in spellings("garry", 20))
    assert "gary" not in with_variants(EntityList(["Garry"]).forms(), 20).texts


@pytest.mark.parametrize("wrong", [{"spellings": -1}, {"pronunciations": 1.5}, {"spellings": True}, {"weight": -1.0}])
def test_bad_options(wrong: dict[str, float]) -> None:
    with pytest.raises(VariantError, match=next(iter(wrong))):
        VariantOptions(**wrong)  # type: ignore[arg-type]
