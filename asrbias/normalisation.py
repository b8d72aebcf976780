"""Text normalisation before scoring, as an explicit and named choice that is printed with every result.

none     words are what white space separates; nothing else is changed (is21, jiwer)
basic    the matching form of asrbias.text: lower case, a-z and apostrophe, numbers spoken
english  whisper's English normaliser (Radford et al. 2022): fillers out, contractions and spellings unified,
         numbers written in digits; needs the package whisper_normalizer (the extra `english`)
"""

from __future__ import annotations

from collections.abc import Callable

NORMALISATIONS = ("none", "basic", "english")


class Normaliser:
    """Text to words, remembering what it has seen: lists repeat the same phrases thousands of times."""

    def __init__(self, name: str) -> None:
        """Raises ValueError for an unknown name, ImportError where the named one is not installed."""
        self.name = name
        self._convert = _converter(name)
        self._forms: dict[str, str] = {}

    def form(self, text: str) -> str:
        """The normalised words, separated by one space."""
        known = self._forms.get(text)
        if known is None:
            known = self._forms[text] = " ".join(self._convert(text).split())
        return known

    def words(self, text: str) -> tuple[str, ...]:
        return tuple(self.form(text).split())


def _converter(name: str) -> Callable[[str], str]:
    if name == "none":
        return str
    if name == "basic":
        from asrbias.text import normalise

        return normalise
    if name == "english":
        return _english()
    raise ValueError(f"Normalisation {name!r} is not known; choose one of {', '.join(NORMALISATIONS)}.")


def _english() -> Callable[[str], str]:
    try:
        from whisper_normalizer.english import EnglishTextNormalizer  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError(
            "The normalisation 'english' needs the package whisper_normalizer; install asrbias with its extra "
            "'english', or choose 'basic'."
        ) from error
    convert: Callable[[str], str] = EnglishTextNormalizer()
    return convert
