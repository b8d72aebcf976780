"""Usage examples of WordNet (Debian's `wordnet-base`, Princeton's licence): short plain sentences and phrases.

They hold ordinary words that written speeches and encyclopaedias do not: 5.5 instead of 6.8 % of dev's Common Voice
words are unknown to a language model that has them too (docs/log.md, eighth session).
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path("/usr/share/wordnet")
SHORTEST = 3  # words
_EXAMPLE = re.compile(r'"([^"]+)"')
_PLAIN = re.compile(r"[A-Za-z',;.:!?() -]+")


def examples(folder: Path = FOLDER) -> list[str]:
    """All examples of at least three words that hold letters and ordinary marks only, in the files' order, each once.

    Raises FileNotFoundError if WordNet is not there.
    """
    files = sorted(folder.glob("data.*"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no data.* of WordNet; apt install wordnet-base, or give its folder.")
    found = (text.replace("`", "") for path in files for text in _EXAMPLE.findall(path.read_text("latin-1")))
    plain = (text.strip(" ;,") for text in found if _PLAIN.fullmatch(text))
    return list(dict.fromkeys(text for text in plain if len(text.split()) >= SHORTEST))
