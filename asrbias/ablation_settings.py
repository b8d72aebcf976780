"""Which settings an ablation compares: no technique, each alone, all together, all but each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from asrbias.techniques import ADAPTER, LM, TECHNIQUES, Setup, Technique, all_off, exchanged, find_technique

NONE, NOTHING, ALL = "none", "none, no language model", "all"
KINDS = ("none", "alone", "all", "all but", "all and")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of the table."""

    name: str
    kind: str  # one of KINDS
    setup: Setup
    technique: str | None = None  # that the row is about
    base: str | None = None  # the setting that differs in this row's technique alone


def usable(setup: Setup, *, lm: bool, phones: bool, adapter: bool = False) -> list[Technique]:
    """The techniques that a model with or without a language model, a phone head and an adapter can use."""
    missing = {one.name for one in TECHNIQUES.values() if one.sounds and not phones}
    missing |= {name for name, there in ((LM, lm), (ADAPTER, adapter)) if not there}
    missing |= {one.name for one in TECHNIQUES.values() if missing.intersection(one.needs)}
    return [one for one in TECHNIQUES.values() if one.name not in missing]


def make_settings(
    full: Setup, techniques: Sequence[Technique], alone: Mapping[str, Setup] | None = None
) -> list[Setting]:
    """The rows, in the order of the table.

    Args:
        full: all techniques together, as strong as they are together.
        techniques: those that can be used here; others are switched off in every row.
        alone: by technique, a setup in which it is as strong as it is to be alone (default: as in `full`).

    A technique that does nothing by itself (variants of what is listed) is "alone" on top of others. One that is off in
    `full` is not in "all", but has a row "all and ..." of its own.
    """
    like = {find_technique(name).name: setup for name, setup in (alone or {}).items()}
    names = {one.name for one in techniques}
    for technique in TECHNIQUES.values():
        if technique.name not in names:
            full = technique.off(full)
    nothing = all_off(full)
    none = TECHNIQUES[LM].on(nothing, full) if LM in names else nothing
    settings = [Setting(name=NONE, kind="none", setup=none, base=NOTHING if LM in names else None)]
    if LM in names:
        settings.insert(0, Setting(name=NOTHING, kind="none", setup=nothing))
    added = [one for one in techniques if one.name != LM]
    for one in added:
        settings += _alone(replace(one, carriers=tuple(c for c in one.carriers if c in names)), none, full, like)
    settings.append(Setting(name=ALL, kind="all", setup=full, base=NONE))
    on = [one for one in techniques if one.is_on(full)]
    settings += [
        Setting(name=f"all but {one.name}", kind="all but", technique=one.name, setup=one.off(full), base=ALL)
        for one in on
    ]
    for one in (one for one in added if not one.is_on(full)):
        setup = one.on(full, like.get(one.name, full))
        settings.append(Setting(name=f"all and {one.name}", kind="all and", technique=one.name, setup=setup, base=ALL))
    return settings


def only(settings: Sequence[Setting], techniques: Sequence[str]) -> list[Setting]:
    """The rows about these techniques, those that they are compared with, and none and all."""
    names = {find_technique(name).name for name in techniques}
    kept = [one for one in settings if one.technique is None or one.technique in names]
    bases = {one.base for one in kept}
    return [one for one in settings if one in kept or one.name in bases]


def _alone(one: Technique, none: Setup, full: Setup, like: Mapping[str, Setup]) -> Iterator[Setting]:
    """The technique on its own, or on top of each of those that carry it; and its other ways."""

    def on(technique: Technique, setup: Setup) -> Setup:
        return technique.on(setup, like.get(technique.name, full))

    def row(name: str, setup: Setup, base: str = NONE) -> Setting:
        return Setting(name=name, kind="alone", technique=one.name, setup=setup, base=base)

    if one.by_itself:
        yield row(f"{one.name} alone", on(one, none))
    for name in one.carriers:
        yield row(f"{one.name} on {name}", on(one, on(TECHNIQUES[name], none)), f"{name} alone")
    for name, value in one.others.items():
        if value != one.value(on(one, none)):
            yield row(f"{name} alone", exchanged(none, one, value))
