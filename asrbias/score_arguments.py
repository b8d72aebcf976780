"""The arguments of `asrbias.score` in their several forms, brought to one: mappings by utterance id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from asrbias.score_results import ScoreInputError

Phrases = Iterable[object]  # strings, or objects with a `phrase`, such as Entity


def by_id(texts: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Texts under their ids: those of a mapping, else 1, 2, 3 ..."""
    if isinstance(texts, str):
        return {"1": texts}
    if isinstance(texts, Mapping):
        return dict(texts)
    return {str(number): text for number, text in enumerate(texts, 1)}


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
        return {key: _strings(phrases) for key, phrases in given.items()}
    items = list(given)
    if all(isinstance(item, str) or hasattr(item, "phrase") for item in items):
        common = _strings(items)
        return dict.fromkeys(ids, common)
    if len(items) != len(ids):
        raise ScoreInputError(f"There are {len(items)} lists of {name} for {len(ids)} utterances; give one for each.")
    return {key: None if item is None else _strings(item) for key, item in zip(ids, items, strict=True)}


def _strings(phrases: object) -> tuple[str, ...]:
    if isinstance(phrases, str) or not isinstance(phrases, Iterable):
        raise ScoreInputError(f"A list of phrases is expected where {phrases!r} is given.")
    return tuple(p if isinstance(p, str) else str(p.phrase) for p in phrases)
