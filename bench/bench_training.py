"""How fast a training step is on this CPU, by attention kernel: python bench/bench_training.py [--repeat 4]

The starter's sizes, 24 items of 5 s of noise, bf16 autocast, all four CTC losses, AdamW. Processor time,
so that a busy machine changes little.
"""

from __future__ import annotations

import argparse
import time

import torch
import torch.nn.functional as F

from asrbias import encoder as encoder_module
from asrbias.encoder import Encoder, EncoderConfig, attend
from asrbias.features import LogMel
from asrbias.training.base import fast_attention
from asrbias.training.data import Batch
from asrbias.training.objective import ObjectiveOptions, objective

ITEMS, SECONDS, TOKENS, PHONES = 24, 5, 25, 45


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=4)
    repeat = parser.parse_args().repeat
    torch.manual_seed(0)
    audio = torch.randn(ITEMS, 16_000 * SECONDS) * 0.1
    samples = torch.full((ITEMS,), audio.shape[1])
    tokens, phones = torch.randint(1, 256, (ITEMS * TOKENS,)), torch.randint(1, 40, (ITEMS * PHONES,))
    counts = torch.full((ITEMS,), TOKENS), torch.full((ITEMS,), PHONES)
    batch = Batch(audio, samples, tokens, counts[0], phones, counts[1], ("",) * ITEMS)
    features, frames = LogMel()(audio, samples)
    encoder = Encoder(EncoderConfig())
    optimizer = torch.optim.AdamW(encoder.parameters(), 1e-4, fused=True)
    for kernel in ("torch", "written out"):
        encoder_module.attend = attend if kernel == "written out" else torch_attend
        for step in range(repeat + 2):
            if step == 2:  # the first two warm up
                start = time.process_time()
            with fast_attention(torch.device("cpu")), torch.autocast("cpu", torch.bfloat16):
                output = encoder(features, frames)
            objective(output, batch, ObjectiveOptions())[0].backward()
            optimizer.step()
            optimizer.zero_grad()
        speed = repeat * ITEMS * SECONDS / (time.process_time() - start)
        print(f"{kernel}: {speed:.0f} seconds of audio a second of one core")


def torch_attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])


if __name__ == "__main__":
    main()
