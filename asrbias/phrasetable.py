"""The phrase table: which matching forms a decoder looks for, and which entity owns each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asrbias.entity import Entity
from asrbias.spoken import spoken_forms
from asrbias.text import normalise

Forms = tuple[
    tuple[str, ...], tuple[str, ...]
]  # those the user spells (phrase, aliases), those derived from the phrase


@dataclass(frozen=True, eq=False)
class PhraseTable:
    """What a decoder compiles: P matching forms, sorted, each owned by one entity.

    Of entities that claim the same form, one owns it: first those that spell it themselves (phrase or sounds_like)
    before those for which it was derived, then the larger weight, then the display form, then the phrase that comes
    first in code point order. So the table does not depend on the order of the list (but for the numbers in `entity`).
    """

    texts: tuple[str, ...]  # P matching forms, ascending, distinct
    entity: npt.NDArray[np.int32]  # [P] position in the EntityList
    weight: npt.NDArray[np.float32]  # [P] that entity's weight

    def __len__(self) -> int:
        return len(self.texts)


def forms_of(entity: Entity) -> Forms:
    """The matching forms of an entity, each once."""
    forms = spoken_forms(entity.phrase)
    if not entity.sounds_like:
        return forms[:1], forms[1:]
    own = dict.fromkeys(forms[:1])
    own.update(dict.fromkeys(filter(None, map(normalise, entity.sounds_like))))
    return tuple(own), tuple(form for form in forms[1:] if form not in own)


def spelled(text: str, charset: frozenset[str] | None) -> str | None:
    """`text` as the characters of `charset` (None: any) spell it, without its apostrophes if need be; else None."""
    if charset is None or charset.issuperset(text):
        return text
    plain = text.replace("'", "")
    return plain if charset.issuperset(plain) else None


def make_table(entities: Sequence[Entity], forms: Sequence[Forms], charset: frozenset[str] | None) -> PhraseTable:
    """The table of the `forms` of `entities` that `charset` can spell; see PhraseTable for who owns what."""
    owners: dict[str, tuple[int, bool]] = {}

    def rank(claim: tuple[int, bool]) -> tuple[bool, float, str, str]:
        entity = entities[claim[0]]
        return claim[1], -entity.weight, entity.shown, entity.phrase

    for index, (own, derived) in enumerate(forms):
        for texts, claim in ((own, (index, False)), (derived, (index, True))):
            for form in texts:
                text = spelled(form, charset)
                if text is not None:
                    rival = owners.setdefault(text, claim)
                    if rival is not claim and rank(claim) < rank(rival):
                        owners[text] = claim
    ordered = tuple(sorted(owners))
    entity = np.fromiter((owners[text][0] for text in ordered), np.int32, len(ordered))
    weight = np.fromiter((entities[i].weight for i in entity.tolist()), np.float32, len(ordered))
    entity.flags.writeable = weight.flags.writeable = False
    return PhraseTable(ordered, entity, weight)
