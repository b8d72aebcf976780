"""Weights of the evidence (asrbias/evidence.py) for a model, fitted on held-out speech. For dev, never for test.

    python recipes/starter/phones_sweep.py ../shared/speech/dev/manifest.jsonl --model runs/base \\
        --distractors ../shared/speech/distractors.txt --output runs/base/decode.json

1. Every place where an entity of a list (own entities and N distractors) may have been said is a claim, right if the
   entity is the utterance's own. A logistic regression over the claims gives the weights; their cross-entropy on other
   speakers than they were fitted to is shown.
2. The threshold is the lowest at which distractors alone (the longest list of --sizes) give fewer than --false-hits
   false hits in 1,000 words more than there are without a list, and raise the WER by at most --rise. The table shows
   what others would do.
3. The model's decode.json (or --options) is written to --output with these weights for the lookup (and for
   verification, where it is on), and with phonetic rescoring.

Where the options have the model's adapter on, its attention is evidence too. A few minutes; with --posteriors FILE what
the model says is computed once (not with an adapter).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lists import read_distractors
from rich.console import Console
from rich.table import Table

from asrbias.adapting import Adapting
from asrbias.audio import read_audio
from asrbias.decoder import Decoder
from asrbias.entities import EntityList
from asrbias.evidence import LEAST, PACE, Claim, EvidenceOptions
from asrbias.files import write_whole
from asrbias.hypothesis import Hypothesis
from asrbias.joint import JointDecoder, JointOptions
from asrbias.lm import LanguageModel
from asrbias.lookup import Lookup, accepted
from asrbias.pronunciations import PronouncedList
from asrbias.recognizer import Posteriors, find_language_model, find_model, load, own_decode_options
from asrbias.rescoring import RescoreOptions
from asrbias.score import score
from asrbias.tokens import Vocabulary

Array = npt.NDArray[np.float64]
WIDE = EvidenceOptions(threshold=-4.0, growth=0.3)  # what is below is no claim
NBEST = 50  # hypotheses among which the phones choose
GRID = np.arange(-4.0, 6.01, 0.5)  # nats added to the fitted threshold


@dataclass(frozen=True, eq=False)
class Speech:
    """Held-out utterances, and what is best without a list: without and with language model."""

    lines: list[dict[str, object]]
    heard: list[Posteriors]
    adapting: Adapting | None
    search: JointDecoder  # told of the list, and nothing after it
    plain: list[Hypothesis]
    unbiased: list[Hypothesis]

    @property
    def own(self) -> list[list[str]]:
        return [list(map(str, line["entities"])) for line in self.lines]  # type: ignore[call-overload]


def main() -> None:
    arguments = parse()
    console = Console()
    folder = find_model(arguments.model)
    found = own_decode_options(folder)
    if arguments.options:
        found = JointOptions.from_json(json.loads(arguments.options.read_text(encoding="utf-8")))
    options = found or JointOptions()
    speech, decoder = read_speech(arguments, folder, options)
    distractors = read_distractors(arguments.distractors, max(arguments.sizes))
    lookup = Lookup(decoder.spelling, blank=decoder.blank, options=WIDE)
    lists = {n: [EntityList([*own, *distractors[:n]]) for own in speech.own] for n in arguments.sizes}
    rows = {n: list(claims(speech, lookup, lists[n])) for n in arguments.sizes}
    fitted = fit(speech, rows, lists, console)
    lookup = Lookup(
        decoder.spelling, blank=decoder.blank, options=replace(fitted, threshold=fitted.threshold + GRID[0])
    )
    alone = [EntityList(distractors)] * len(speech.lines)
    lists_and_none: dict[int | None, list[EntityList]] = {**lists, None: alone}
    rise = choose(speech, lookup, lists_and_none, arguments, console)
    chosen = replace(fitted, threshold=round(float(fitted.threshold + rise), 3))
    console.print(chosen)
    if arguments.output:
        verify = chosen if options.verify is not None else None
        decode = replace(options.decode, nbest=max(NBEST, options.decode.nbest))
        made = replace(
            options, decode=decode, lookup=chosen, verify=verify, rescore=options.rescore or RescoreOptions()
        )
        write_whole(arguments.output, (json.dumps(made.to_json(), indent=1) + "\n").encode())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--distractors", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000], help="distractors (default: 100 1000)")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--options", type=Path, help="JointOptions that are kept but for the evidence")
    parser.add_argument("--posteriors", type=Path, help=".npz file, made if it is not there")
    parser.add_argument("--false-hits", type=float, default=1.0, help="in 1,000 words (default: %(default)s)")
    parser.add_argument("--rise", type=float, default=0.2, help="of the WER, points (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="decode.json")
    return parser.parse_args()


def read_speech(arguments: argparse.Namespace, folder: Path, options: JointOptions) -> tuple[Speech, Decoder]:
    lines = [json.loads(line) for line in arguments.manifest.read_text(encoding="utf-8").splitlines()]
    kept, adapting = arguments.posteriors, None
    if kept and kept.is_file() and options.adapter is None:
        with np.load(kept) as arrays:
            heard = [Posteriors(arrays[f"log_probs_{n}"], arrays[f"phones_{n}"]) for n in range(len(lines))]
    else:
        recognizer = load(folder, lm=None, decode=options)
        adapting = recognizer.adapting
        heard = recognizer.posteriors([read_audio(arguments.manifest.parent / line["audio"]) for line in lines])
        if kept:
            heads = {"log_probs": [one.log_probs for one in heard], "phones": [one.phones for one in heard]}
            arrays = {f"{name}_{n}": x for name, all_ in heads.items() for n, x in enumerate(all_)}
            np.savez(kept, allow_pickle=False, **arrays)
    vocabulary, lm = Vocabulary.load(folder), find_language_model(folder)
    search = replace(options.decode, nbest=1, bonus=0.0, adaptive=0.0, unigram=0.0)
    plain = Decoder(vocabulary.labels, blank=vocabulary.blank, options=search)
    spoken = LanguageModel.read(lm) if lm is not None else None
    unbiased = Decoder(vocabulary.labels, blank=vocabulary.blank, lm=spoken, options=search)
    best = [[found[0] for found in one.decode_batch([h.log_probs for h in heard])] for one in (plain, unbiased)]
    told = replace(options, lookup=None, verify=None, rescore=None)
    joint = JointDecoder(vocabulary.labels, blank=vocabulary.blank, lm=spoken, options=told)
    return Speech(lines, heard, adapting, joint, *best), plain


def claims(speech: Speech, lookup: Lookup, lists: Sequence[EntityList]) -> Iterator[tuple[PronouncedList, list[Claim]]]:
    """Of each utterance."""
    for heard, plain, unbiased, listed in zip(speech.heard, speech.plain, speech.unbiased, lists, strict=True):
        pronounced = lookup.compile(listed)
        adapted, biased = None, None
        if speech.adapting is not None:
            adapted = speech.adapting(heard.hidden, heard.phones, listed)
            biased = speech.search.decode(heard.log_probs, heard.phones, listed, adapted)[0]
        read = plain, unbiased, heard.log_probs, heard.phones, pronounced
        yield pronounced, lookup.claims(*read, adapted=adapted, biased=biased)


def features(claim: Claim, size: int) -> list[float]:
    spot = claim.spot
    pace = math.log((spot.last + 1 - spot.first) / (spot.phones * PACE))
    subwords, context = max(LEAST, claim.subwords), max(LEAST, claim.context)
    return [
        spot.fit,
        spot.rarity,
        -pace * pace,
        claim.letters,
        subwords,
        context,
        float(claim.heard),
        float(claim.written),
        claim.attended,
        -math.log(size),
        1,
    ]


def fit(
    speech: Speech,
    rows: dict[int, list[tuple[PronouncedList, list[Claim]]]],
    lists: dict[int, list[EntityList]],
    console: Console,
) -> EvidenceOptions:
    """Weights in units of the phones' (the first)."""
    x, y, speakers = [], [], []
    for n, some in rows.items():
        for line, own, listed, (pronounced, found) in zip(speech.lines, speech.own, lists[n], some, strict=True):
            x += [features(claim, pronounced.size) for claim in found]
            y += [listed[claim.spot.entity].phrase in own for claim in found]
            speakers += [str(line.get("speaker", line["id"]))] * len(found)
    inputs, right = np.array(x), np.array(y, float)
    folds = np.unique(speakers, return_inverse=True)[1] % 5
    held_out = np.empty(len(right))
    for fold in range(5):
        weights = regress(inputs[folds != fold], right[folds != fold])
        held_out[folds == fold] = inputs[folds == fold] @ weights
    logs = np.logaddexp(0, np.where(right > 0, -held_out, held_out)).mean()
    console.print(f"{len(right)} claims, {int(right.sum())} right; held out {1000 * logs:.2f} millinats a claim")
    weights = regress(inputs, right)
    w = [round(float(value), 3) for value in weights / weights[0]]
    parts = ("phone", "rarity", "pace", "letter", "subword", "context")
    names = [*(f"{part}_weight" for part in parts), "heard", "written", "attended_weight", "growth"]
    given: dict[str, Any] = {name: max(0.0, value) for name, value in zip(names, w, strict=False)}
    return replace(EvidenceOptions(threshold=-w[-1]), **given)


def regress(x: Array, y: Array) -> Array:
    """Logistic regression by Newton's method, with a little ridge."""
    scale = x.std(0) + (x.std(0) == 0)
    x, weights = x / scale, np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (p - y) + weights
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.eye(len(weights)), slope)
        weights -= step
        if abs(step).max() < 1e-6:
            break
    return np.asarray(weights / scale)


def choose(
    speech: Speech,
    lookup: Lookup,
    lists: dict[int | None, list[EntityList]],
    arguments: argparse.Namespace,
    console: Console,
) -> float:
    """What is to be added to the threshold. lists: own entities and so many distractors; None: distractors alone."""
    texts = [str(line["text"]) for line in speech.lines]
    words = sum(len(text.split()) for text in texts)
    alone = score(texts, [one.text for one in speech.unbiased], entities=[[]] * len(texts), lists=lists[None]).totals
    without, already = alone.wer.error_rate, alone.entities.false_hits
    found = {n: list(claims(speech, lookup, some)) for n, some in lists.items()}
    sizes = [n for n in lists if n is not None]
    lists_columns = [f"{n}: F1, WER" for n in sizes]
    table = Table("threshold", *lists_columns, "alone: false hits more in 1,000 words", "WER - without")
    best, passing = GRID[-1], True
    for rise in GRID[::-1]:
        least, cells = float(rise - GRID[0]), []
        for n, some in found.items():
            hypotheses = []
            for hypothesis, heard, (pronounced, weighed) in zip(speech.unbiased, speech.heard, some, strict=True):
                passed = accepted(replace(claim, gain=claim.gain - least) for claim in weighed)
                hypotheses.append(lookup.put(hypothesis, passed, heard.log_probs, pronounced).text)
            own = speech.own if n is not None else [[]] * len(texts)
            totals = score(texts, hypotheses, entities=own, lists=lists[n]).totals
            if n is not None:
                cells.append(f"{totals.entities.f1 or 0:.1f}, {totals.wer.error_rate:.2f}")
        false = 1000 * (totals.entities.false_hits - already) / words
        more = (totals.wer.error_rate or 0.0) - (without or 0.0)
        table.add_row(f"{rise:+.1f}", *cells, f"{false:.2f}", f"{more:+.2f}")
        passing = passing and false < arguments.false_hits and more <= arguments.rise
        best = rise if passing else best
    console.print(table)
    return float(best)


if __name__ == "__main__":
    main()
