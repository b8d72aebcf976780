"""The beam search's options for a model, tuned on held-out speech: for dev, never for test.

    python recipes/starter/tune_decoder.py ../shared/speech/dev/manifest.jsonl \\
        --distractors ../shared/speech/distractors.txt --model asrbias/models/starter --write

1. The language model's weights, for the least WER without a list.
2. For each bonus and each of the guard's terms a character: the least term for the list's length with which lists of
   1,000 distractors alone do no harm (under 1 false hit in 1,000 words, WER at most 0.2 above no list), in the mean
   over three lists without a phrase in common: with one, a single word decides.
3. Of these the one of highest F1, mean over an utterance's own entities plus 100 and plus 1,000 distractors.

Takes a few minutes on one core. --write puts the options into decode.json in the model's folder; what it holds of
other techniques stays.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from statistics import mean

import numpy as np
import numpy.typing as npt
from lists import read_distractors

from asrbias.audio import read_audio
from asrbias.decoder import DecodeOptions, Decoder
from asrbias.entities import EntityList
from asrbias.files import write_whole
from asrbias.joint import JointOptions
from asrbias.lm import LanguageModel
from asrbias.phrases import Phrases
from asrbias.recognizer import Recognizer, find_language_model, find_model, load, own_decode_options
from asrbias.score import score
from asrbias.score_results import Totals

START = DecodeOptions(beam=64, settled_beam=64, adaptive=0.25, adaptive_cap=8.0, adaptive_top_k=32, nbest=1)
# Coarse: differences of a few words are chance, and stronger models write more distractors by themselves.
LM_WEIGHT, WORD_BONUS, UNKNOWN = (0.3, 0.5, 0.7), (0.0, 0.5, 1.0, 1.5), (-10.0, -15.0)
BONUS, CHARACTER = (1.0, 1.5), (1.5, 2.0)
LIST = tuple(round(0.2 * k, 1) for k in range(1, 16))
FALSE_HITS, HARM = 1.0, 0.2  # a 1,000 words; points of WER
ALONE = 3  # lists of distractors alone


@dataclass(frozen=True, eq=False)
class Speech:
    """Held-out speech, its lists, and decoders for it."""

    recognizer: Recognizer
    lm: LanguageModel | None
    matrices: Sequence[npt.NDArray[np.float32]]
    references: Sequence[str]
    entities: Sequence[Sequence[str]]

    def decoder(self, o: DecodeOptions) -> Decoder:
        vocabulary = self.recognizer.model.vocabulary
        return Decoder(vocabulary.labels, blank=vocabulary.blank, lm=self.lm, options=o)

    def lists(self, distractors: Sequence[str], own: bool) -> Lists:
        decoder = self.decoder(START)
        if not own:
            alone = EntityList(distractors)
            return Lists([alone] * len(self.matrices), [decoder.compile(alone)] * len(self.matrices))
        listed = [EntityList([*entities, *distractors]) for entities in self.entities]
        return Lists(listed, [decoder.compile(one) for one in listed])

    def totals(self, o: DecodeOptions, lists: Lists | None) -> Totals:
        phrases = None if lists is None else lists.phrases
        found = self.decoder(o).decode_batch(self.matrices, entities=phrases, threads=1)
        listed = None if lists is None else lists.entities
        return score(self.references, [h[0].text for h in found], entities=self.entities, lists=listed).totals


@dataclass(frozen=True, eq=False)
class Lists:
    entities: Sequence[EntityList]
    phrases: Sequence[Phrases]


def tune_lm(speech: Speech) -> DecodeOptions:
    """The weights of least WER without a list, one after the other."""
    best, least = START, speech.totals(START, None).wer.error_rate or 0.0
    if speech.lm is None:
        return best
    best = replace(START, unknown_penalty=UNKNOWN[1])
    for name, values in (("lm_weight", LM_WEIGHT), ("word_bonus", WORD_BONUS), ("unknown_penalty", UNKNOWN)):
        tried = [replace(best, **{name: value}) for value in values]
        rates = [speech.totals(o, None).wer.error_rate or 0.0 for o in tried]
        least = min(rates)
        best = tried[rates.index(least)]
        print(f"{name}: " + "  ".join(f"{v:g} {r:.2f}" for v, r in zip(values, rates, strict=True)), flush=True)
    print(f"no list: WER {least:.2f}", flush=True)
    return best


def is_safe(found: Sequence[Totals], without: Totals) -> bool:
    hits = [t.false_hits_per_1000_words or 0.0 for t in found]
    rates = [t.wer.error_rate or 0.0 for t in found]
    return mean(hits) < FALSE_HITS and mean(rates) <= (without.wer.error_rate or 0.0) + HARM


def safe_options(speech: Speech, o: DecodeOptions, alone: Sequence[Lists]) -> Iterator[DecodeOptions]:
    """For each bonus and term a character the least strict guard that does no harm."""
    without = speech.totals(o, None)
    for bonus, character in product(BONUS, CHARACTER):
        low, high = 0, len(LIST)  # the first of LIST that is safe is in low..high
        while low < high:
            middle = (low + high) // 2
            tried = replace(o, bonus=bonus, guard_character=character, guard_list=LIST[middle])
            found = [speech.totals(tried, lists) for lists in alone]
            low, high = (low, middle) if is_safe(found, without) else (middle + 1, high)
        if low == len(LIST):
            print(f"bonus {bonus:g}, {character:g} nats a character: no guard is enough", flush=True)
            continue
        yield replace(o, bonus=bonus, guard_character=character, guard_list=LIST[low])


def tune(speech: Speech, distractors: Sequence[str]) -> DecodeOptions:
    o = tune_lm(speech)
    alone = [speech.lists(distractors[1000 * k : 1000 * (k + 1)], own=False) for k in range(ALONE)]
    few, many = speech.lists(distractors[:100], own=True), speech.lists(distractors[:1000], own=True)
    best, highest = replace(o, bias=0.0), -1.0
    for tried in safe_options(speech, o, alone):
        hundred, thousand, only = (speech.totals(tried, lists) for lists in (few, many, alone[0]))
        f1 = ((hundred.entities.f1 or 0.0) + (thousand.entities.f1 or 0.0)) / 2
        cells = [f"F1 {t.entities.f1 or 0:.1f}, WER {t.wer.error_rate:.2f}" for t in (hundred, thousand)]
        print(
            f"bonus {tried.bonus:g}, guard {tried.guard_character:g} and {tried.guard_list:g}: {'; '.join(cells)}; "
            f"distractors alone WER {only.wer.error_rate:.2f}, {only.entities.false_hits} false hits",
            flush=True,
        )
        if f1 > highest:
            best, highest = tried, f1
    return best


def read_speech(manifest: Path, model: Path) -> Speech:
    lines = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    recognizer = load(model)
    found = find_language_model(model)
    return Speech(
        recognizer,
        LanguageModel.read(found) if found is not None else None,
        recognizer.log_probs([read_audio(manifest.parent / line["audio"]) for line in lines]),
        [line["text"] for line in lines],
        [line["entities"] for line in lines],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--distractors", type=Path, required=True)
    parser.add_argument("--model", default="starter", help="folder or name (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="put the options into the model's decode.json")
    arguments = parser.parse_args()
    folder = find_model(arguments.model)
    speech = read_speech(arguments.manifest, folder)
    o = tune(speech, read_distractors(arguments.distractors, 1000 * ALONE))
    joint, plain = own_decode_options(folder), DecodeOptions()
    o = replace(o, nbest=joint.decode.nbest if joint is not None else plain.nbest)  # what rescoring needs
    changed = {one.name: getattr(o, one.name) for one in fields(o) if getattr(o, one.name) != getattr(plain, one.name)}
    content = changed
    if joint is not None and joint != JointOptions(decode=joint.decode):
        content = replace(joint, decode=o).to_json() | {"decode": changed}
    text = json.dumps(content, indent=1) + "\n"
    print(text, end="")
    if arguments.write:
        write_whole(folder / "decode.json", text.encode())


if __name__ == "__main__":
    main()
