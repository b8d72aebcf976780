"""What lookup by the sounds of what is spelled gives where there is no phone head: a table of markdown.

    python recipes/starter/spelled_figures.py ../shared/speech/dev/manifest.jsonl \\
        --distractors ../shared/speech/distractors.txt [--every 1] [--lm FILE]

A model's phone head is left out, and its posteriors are decoded as a model of others is where nothing is said of it
(foreign_options.py): lists are an utterance's own entities and 100 or 1,000 distractors, or 1,000 distractors alone.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from asrbias.ablate_command import decoders, encode
from asrbias.ablation_runs import Corpus
from asrbias.decode_options import DecodeOptions
from asrbias.foreign_options import GUARDED, spelled_evidence
from asrbias.joint_options import JointOptions
from asrbias.lm import LanguageModel
from asrbias.loading import STARTER, load
from asrbias.spelledphones import SpelledPhones
from asrbias.tune import Tuner
from asrbias.tune_options import TuneOptions
from asrbias.tune_steps import Steps
from asrbias.tune_trials import Figures, TrialLog

BIASES = (1.0, 1.7, 2.0)


def settings(frame: float) -> dict[str, JointOptions]:
    """By name. The dial is written out: steps of a tuning read options, not the dial."""
    weights = spelled_evidence(frame)
    made = {
        "search alone, no guard": JointOptions(decode=DecodeOptions()),
        "guarded search": JointOptions(decode=GUARDED),
    }
    for bias in BIASES:
        eased = replace(weights, threshold=weights.threshold - weights.dial * (bias - 1.0))
        made[f"and lookup of what is spelled, bias {bias:g}"] = JointOptions(decode=GUARDED, lookup=eased)
    return made


def row(name: str, found: Figures) -> str:
    cells = [cell for own in found.own for cell in (f"{own.f1:.1f}", f"{own.wer:.1f}")]
    return f"| {name} | {' | '.join(cells)} | {found.more_hits:.1f} | {found.more_wer:+.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--distractors", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th recording only")
    parser.add_argument("--model", default=STARTER)
    parser.add_argument("--lm", type=Path, help="a language model (default: none)")
    arguments = parser.parse_args()
    o = TuneOptions()
    corpus = Corpus.read(arguments.manifest, arguments.distractors, o.distractors)
    corpus = replace(corpus, lines=corpus.lines[:: arguments.every])
    recognizer = load(arguments.model, lm=None, decode=JointOptions())
    frame, vocabulary = recognizer.model.seconds_per_frame, recognizer.model.vocabulary
    phones = SpelledPhones(vocabulary.labels, blank=vocabulary.blank)
    encoded = [replace(one, phones=phones(one.log_probs), hidden=()) for one in encode(recognizer, corpus)]
    lm = LanguageModel.read(arguments.lm) if arguments.lm else None
    reward = spelled_evidence(frame).rarity_weight
    steps = Steps(corpus, encoded, decoder=decoders(recognizer, lm), adapter=None, lm=lm is not None, frame=frame,
                  threads=1, reward=reward)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        tuner = Tuner(steps, o, TrialLog(Path(folder) / "trials.jsonl", []))
        print("| setting | N = 100: F1 | WER, % | N = 1,000: F1 | WER, % | false hits added | WER added |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for name, options in settings(frame).items():
            print(row(name, tuner.judge.figures(options)), flush=True)


if __name__ == "__main__":
    main()
