"""asrbias.compat.pyctcdecode against pyctcdecode 0.5.0 on the same posteriors: time, texts, scores.

    python bench/bench_compat.py build/peers/dev --lm asrbias/models/starter/lm.npz --utterances 40

In the environment of the peers (bench/peers/setup.sh), on posteriors made by bench/peers/posteriors.py. All options are
pyctcdecode's defaults (beam 100); hotwords are an utterance's own entities with weight 10. Times are processor time of
one thread. Texts are compared with pyctcdecode's, and by WER with what was said.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import pyctcdecode
from posteriors import Posteriors, Utterance
from system import as_arpa

from asrbias.compat import pyctcdecode as compat
from asrbias.score import score


def timed(run: Callable[[Utterance], Any], utterances: tuple[Utterance, ...]) -> tuple[list[Any], float]:
    """The results, and processor seconds of this thread."""
    run(utterances[0])
    start = time.thread_time()
    found = [run(utterance) for utterance in utterances]
    return found, time.thread_time() - start


def hotwords(utterance: Utterance) -> list[str]:
    return [entity.lower() for entity in utterance.entities]


def wer(texts: list[str], utterances: tuple[Utterance, ...]) -> float:
    return float(score([utterance.text for utterance in utterances], texts).totals.wer.error_rate or 0.0)


def compare(name: str, drawn: Posteriors, arpa: str | None, listed: bool) -> None:
    labels = list(drawn.vocabulary.labels)
    labels[drawn.vocabulary.blank] = ""
    theirs, ours = pyctcdecode.build_ctcdecoder(labels, arpa), compat.build_ctcdecoder(labels, arpa)

    def beams(decoder: Any) -> Callable[[Utterance], Any]:
        return lambda u: decoder.decode_beams(u.log_probs, hotwords=hotwords(u) if listed else None)

    def texts(decoder: Any) -> Callable[[Utterance], Any]:
        return lambda u: decoder.decode(u.log_probs, hotwords=hotwords(u) if listed else None)

    their_beams, their_time = timed(beams(theirs), drawn.utterances)
    our_beams, our_time = timed(beams(ours), drawn.utterances)
    their_texts, their_text_time = timed(texts(theirs), drawn.utterances)
    our_texts, our_text_time = timed(texts(ours), drawn.utterances)
    same = sum(a == b for a, b in zip(their_texts, our_texts, strict=True))
    better = sum(b[0][4] > a[0][4] + 1e-3 for a, b in zip(their_beams, our_beams, strict=True))
    worse = sum(b[0][4] < a[0][4] - 1e-3 for a, b in zip(their_beams, our_beams, strict=True))
    lm, starts, words = [], 0, 0
    for one, other in zip(their_beams, our_beams, strict=True):
        known = {beam[0]: beam for beam in other}
        for text, _, frames, log_prob, full in one[:10]:
            if text in known:
                lm.append(abs(known[text][4] - known[text][3] - (full - log_prob)))
                words += len(frames)
                starts += sum(abs(a[1][0] - b[1][0]) <= 1 for a, b in zip(frames, known[text][2], strict=True))
    print(
        f"{name:32s} {their_text_time / our_text_time:6.1f} {their_time / our_time:6.1f} {same:4d} of {len(our_texts)}"
        f" {better:4d} {worse:4d} {np.mean(np.array(lm) < 1e-3):8.3f} {starts / max(words, 1):8.3f}"
        f" {wer(their_texts, drawn.utterances):7.1f} {wer(our_texts, drawn.utterances):6.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posteriors", type=Path)
    parser.add_argument("--lm", type=Path, help="a language model, .npz or .arpa")
    parser.add_argument("--utterances", type=int, default=40)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    drawn = Posteriors.read(arguments.posteriors).sample(arguments.utterances)
    print(
        "condition                        times faster: decode, decode_beams | decode: same text | best beam's score: "
        "higher, lower than theirs | same lm part | starts within a frame | WER: theirs, ours"
    )
    with tempfile.TemporaryDirectory() as folder:
        arpa = as_arpa(arguments.lm, Path(folder))
        compare("no language model", drawn, None, listed=False)
        compare("hotwords", drawn, None, listed=True)
        if arpa is not None:
            compare("language model", drawn, str(arpa), listed=False)
            compare("language model and hotwords", drawn, str(arpa), listed=True)


if __name__ == "__main__":
    main()
