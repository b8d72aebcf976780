"""The parts of an encoder that an update may run, behind one `forward`, as DistributedDataParallel needs it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from torch import Tensor, nn

from asrbias.encoder import Encoder, EncoderOutput

Part = Literal["speech", "sounds", "text"]


class Passes(nn.Module):
    """`apart`: what is lost above the bottleneck does not train the layers below it, which then learn phones alone."""

    def __init__(self, encoder: Encoder, apart: bool = False) -> None:
        super().__init__()
        self.encoder, self.apart = encoder, apart

    def forward(self, part: Part, inputs: Tensor, lengths: Tensor) -> EncoderOutput:
        """All layers on features ("speech"), those up to the phone head ("sounds"), those above on phones ("text")."""
        if part == "text":
            return self.encoder.spell(inputs, lengths)
        if part == "sounds":
            return self.encoder.sounds(inputs, lengths)
        if not self.apart:
            return self.encoder(inputs, lengths)  # type: ignore[no-any-return]
        lower = self.encoder.sounds(inputs, lengths)
        return replace(self.encoder.spell(lower.phones.detach(), lower.lengths, lower), phones=lower.phones)
