"""IPA, as AWS Transcribe tables write it, turned into ARPAbet phones.

    to_arpabet("k iː v")                       -> ("K IY V", "")
    to_arpabet("l ɔ s æ n ʤ ə l ə s")          -> ("L AO S AE N JH AH L AH S", "")
    to_arpabet("ʀ a")                          -> ("AA", "ʀ")          the second: what has no English phone

The nearest English phone is taken for vowels and consonants that English lacks but hears as its own (ø as ER, x as K).
Stress and length marks, ties and syllable dots are dropped: the phones of this package carry no stress.
"""

from __future__ import annotations

import re
import unicodedata

_IPA = {
    # several characters, one sound: tried before the shorter ones
    "eɪ": "EY", "ei": "EY", "aɪ": "AY", "ai": "AY", "ɑɪ": "AY", "aʊ": "AW", "au": "AW", "ɑʊ": "AW", "ɔɪ": "OY",
    "ɔi": "OY", "oɪ": "OY", "oʊ": "OW", "əʊ": "OW", "ou": "OW", "ɪə": "IH R", "eə": "EH R", "ɛə": "EH R", "ʊə": "UH R",
    "tʃ": "CH", "dʒ": "JH", "ʧ": "CH", "ʤ": "JH", "ts": "T S", "dz": "D Z", "ʦ": "T S", "ju": "Y UW",
    "ɹ̩": "ER", "l̩": "AH L", "n̩": "AH N", "m̩": "AH M", "\u0303": "N",
    # consonants
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "ɡ": "G", "f": "F", "v": "V", "θ": "TH", "ð": "DH",
    "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "ɦ": "HH", "ħ": "HH", "x": "K", "χ": "K", "\u00e7": "HH",
    "m": "M", "n": "N", "ɲ": "N Y", "ŋ": "NG", "l": "L", "ɫ": "L", "ʎ": "L Y", "r": "R", "ɹ": "R", "ɾ": "D", "ɻ": "R",
    "w": "W", "ʍ": "W", "j": "Y", "ɥ": "W", "β": "V", "ɣ": "G", "ɕ": "SH", "ʑ": "ZH", "c": "K", "q": "K",
    # vowels
    "i": "IY", "ɪ": "IH", "ɨ": "IH", "e": "EY", "ɛ": "EH", "æ": "AE", "a": "AA", "ɑ": "AA", "ɐ": "AH", "ɒ": "AO",
    "ɔ": "AO", "o": "OW", "u": "UW", "ʊ": "UH", "ʉ": "UW", "y": "UW", "ʏ": "UH", "ʌ": "AH", "ə": "AH", "ɘ": "AH",
    "ɵ": "UH", "ɚ": "ER", "ɝ": "ER", "ɜ": "ER", "ø": "ER", "œ": "ER", "ɤ": "AH",
}  # fmt: skip
_DROPPED = set("ˈˌˑ'.ˈ‿͜͡ʰʲˠ-ː:|/[]")
_TOKEN = re.compile("|".join(sorted(map(re.escape, _IPA), key=len, reverse=True)) + r"|\s+|.", re.DOTALL)


def to_arpabet(ipa: str) -> tuple[str, str]:
    """The ARPAbet phones of an IPA transcription, apart by spaces, and the characters that could not be turned."""
    text = "".join(c for c in unicodedata.normalize("NFD", ipa).replace("c\u0327", "\u00e7") if c not in _DROPPED)
    phones, lost = [], []
    for token in _TOKEN.findall(text):
        if token in _IPA:
            phones.append(_IPA[token])
        elif not token.isspace():
            lost.append(token)
    return " ".join(phones), "".join(dict.fromkeys(lost))
