"""Other spellings of listed phrases, looked for beside them and shown as the entity that they stand for (paper: G2G).

table = with_variants(entities.forms(charset), 4)      # a PhraseTable
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asrbias.g2g import spellings
from asrbias.lexicon import cmudict
from asrbias.phones import pronounce
from asrbias.phrasetable import PhraseTable

LIKELY = 0.0  # score of a spelling from which the search looks for it: as English as the phrase's own
MOST = 1000  # variants of a form


class VariantError(ValueError):
    """An option of the variants has a value that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class VariantOptions:
    """How many variants there are of each form. More find more, and cost false hits. Raises VariantError."""

    spellings: int = 2  # other spellings that the search and the lookup look for
    pronunciations: int = 2  # other pronunciations that the lookup looks for
    weight: float = 1.0  # of a spelling in the search, as a part of its entity's

    def __post_init__(self) -> None:
        for name in ("spellings", "pronunciations"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
                raise VariantError(f"{name} is {value!r}; it must be a whole number from 0 to {MOST}.")
        if isinstance(self.weight, bool) or not isinstance(self.weight, (int, float)) or not 0 <= self.weight <= 10:
            raise VariantError(f"weight is {self.weight!r}; it must be a number from 0 to 10.")


def with_variants(table: PhraseTable, count: int, *, weight: float = 1.0) -> PhraseTable:
    """The table with up to `count` other spellings of each of its forms, shown as the entity that owns the form.

    A variant scores LIKELY or more, is not made of words that the lexicon lists (they are other words: "gary" is not
    "garry"), and is no form that the table has already; of several entities with the same variant, the one for which
    its score is highest has it. Forms with a weight of 0 or less get none.

    weight: of a variant, as a part of its entity's.
    """
    if count <= 0:
        return table
    pronounce(list({word for text in table.texts for word in text.split()}), missing="empty")  # read in one call
    taken, lexicon = set(table.texts), cmudict()
    owners: dict[str, tuple[float, int]] = {}
    for text, entity, own in zip(table.texts, table.entity.tolist(), table.weight.tolist(), strict=True):
        for variant, score in spellings(text, count) if own > 0 else ():
            if score >= LIKELY and variant not in taken and not all(word in lexicon for word in variant.split()):
                claim = (score, -entity)
                if variant not in owners or claim > owners[variant]:
                    owners[variant] = claim
    weights = dict(zip(table.entity.tolist(), table.weight.tolist(), strict=True))
    rows = list(zip(table.texts, table.entity.tolist(), table.weight.tolist(), strict=True))
    rows += [(text, -owner, weight * weights[-owner]) for text, (_, owner) in owners.items()]
    rows.sort()
    entity = np.array([row[1] for row in rows], np.int32)
    return PhraseTable(tuple(row[0] for row in rows), entity, np.array([row[2] for row in rows], np.float32))
