"""More speakers from few voices: the same voice with a longer or a shorter vocal tract.

Played faster, speech has its formants, its pitch and its tempo higher; said slower by the same factor, it keeps its
tempo. What is left is a smaller speaker: a vocal tract of 17 cm (a man) or 12 cm (a child of six), cf. Lee and Rose,
"A frequency warping approach to speaker normalization", 1998, whose factor of 0.88 to 1.12 covers adults.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from voices import RATE, Samples, Voice, resample


@dataclass(frozen=True, kw_only=True)
class Tract:
    """`voice` with its formants and its pitch multiplied by a factor drawn for each sentence.

    Below 1, nothing is left above 8 kHz times the factor.
    """

    voice: Voice
    factor: tuple[float, float] = (0.88, 1.15)  # on formants and pitch

    def slower(self, factor: float) -> Tract:
        return Tract(voice=self.voice.slower(factor), factor=self.factor)

    def say(self, text: str, random: random.Random) -> tuple[str, Samples]:
        factor = round(random.uniform(*self.factor), 2)
        speaker, samples = self.voice.slower(factor).say(text, random)
        return f"{speaker}-x{factor:.2f}", resample(samples, round(RATE * factor))
