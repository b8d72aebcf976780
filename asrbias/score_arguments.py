"""The arguments of `asrbias.score` in their several forms, brought to one: mappings by utterance id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from asrbias.score_results import ScoreInputError

Phrases = Iterable[object]  # strings, or objects with what is `shown`, such as Entity


def by_id(texts: str | Sequence[str] | Mapping[str, str], name: str) -> dict[str, str]:
    """Texts under their ids: those of a mapping, else 1, 2, 3 ... Raises ScoreInputError for what is no text."""
    found = _numbered(texts, name, "texts")
    for key, text in found.items():
        if not isinstance(text, str):
            raise ScoreInputError(f"{name}: {key!r} is {text!r:.60}; each is a text (str).")
    return found


def durations_by_id(given: Sequence[float] | Mapping[str, float] | None, ids: Sequence[str]) -> Mapping[str, float]:
    """Seconds under the ids of their utterances. Raises ScoreInputError for what is no number of seconds."""
    if given is None:
        return {}
    found = given if isinstance(given, Mapping) else list(_numbered(given, "durations", "numbers").values())
    if not isinstance(found, Mapping):
        if len(found) != len(ids):
            raise ScoreInputError(f"There are {len(found)} durations for {len(ids)} utterances; give one for each.")
        found = dict(zip(ids, found, strict=True))
    for key, seconds in found.items():
        if isinstance(seconds, bool) or not isinstance(seconds, Real) or not 0 <= seconds < float("inf"):
            raise ScoreInputError(f"The duration of {key!r} is {seconds!r:.60}; it must be a number of seconds.")
    return found


def _numbered(given: Any, name: str, what: str) -> dict[str, Any]:
    if isinstance(given, str):
        return {"1": given}
    if isinstance(given, Mapping):
        return dict(given)
    if not isinstance(given, Iterable) or isinstance(given, (bytes, bytearray)):
        raise ScoreInputError(f"{name} is {type(given).__name__}; give a list of {what}, or a mapping of id to them.")
    return {str(number): item for number, item in enumerate(given, 1)}


def check_same(refs: Mapping[str, str], hyps: Mapping[str, str], partial: bool) -> None:
    """Raise ScoreInputError where one side lacks an utterance of the other, unless partial."""
    missing = [key for key in refs if key not in hyps] + [key for key in hyps if key not in refs]
    if missing and not partial:
        side = "hypothesis" if missing[0] in refs else "reference"
        raise ScoreInputError(
            f"There are {len(refs)} references and {len(hyps)} hypotheses; {missing[0]!r} has no {side}. Give both, or "
            "score what both have with partial=True."
        )


def phrases_by_id(
    given: Phrases | Mapping[str, Phrases] | None, ids: Sequence[str], name: str
) -> dict[str, tuple[str, ...] | None]:
    """Phrases under the ids of their utterances; one flat list of phrases stands for all utterances."""
    if given is None:
        return {}
    if isinstance(given, str):
        raise ScoreInputError(f"{name} is a string; give a list of phrases, or a list of phrases for each utterance.")
    if isinstance(given, Mapping):
        if unknown := [key for key in given if key not in ids]:
            raise ScoreInputError(f"{name} has the id {unknown[0]!r}, which no reference has; use the references' ids.")
        return {key: _strings(phrases) for key, phrases in given.items()}
    if not isinstance(given, Iterable):
        raise ScoreInputError(f"{name} is {type(given).__name__}; give a list of phrases, or one for each utterance.")
    items = list(given)
    if all(isinstance(item, str) or hasattr(item, "shown") for item in items):
        common = _strings(items)
        return dict.fromkeys(ids, common)
    if len(items) != len(ids):
        raise ScoreInputError(f"There are {len(items)} lists of {name} for {len(ids)} utterances; give one for each.")
    return {key: None if item is None else _strings(item) for key, item in zip(ids, items, strict=True)}


def _strings(phrases: object) -> tuple[str, ...]:
    if isinstance(phrases, str) or not isinstance(phrases, Iterable):
        raise ScoreInputError(f"A list of phrases is expected where {phrases!r} is given.")
    found = []
    for phrase in phrases:
        shown = phrase if isinstance(phrase, str) else getattr(phrase, "shown", None)
        if not isinstance(shown, str):
            raise ScoreInputError(f"{phrase!r:.60} is no phrase; a list of phrases holds strings or Entity objects.")
        found.append(shown)
    return tuple(found)
