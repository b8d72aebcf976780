"""The beam search's speed against what issue 4 asks for: each ratio is of one run, one thread, processor time.

    python bench/bench_search.py build/peers/dev --distractors ../shared/speech/distractors.txt \\
        --lm asrbias/models/starter/lm.npz

In the environment of the peers (bench/peers/setup.sh), on posteriors made by bench/peers/posteriors.py. Without --lm
the rows of the language model are left out; --own measures no peers; --lists 10 100000 only what longer lists cost.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from posteriors import Posteriors
from system import Condition, Lists, Setting, as_arpa, make

from asrbias.decoder import DecodeOptions, Decoder
from asrbias.entities import EntityList
from asrbias.lm import LanguageModel
from asrbias.loading import own_decode_options
from asrbias.score import score

BEAM = 32
LONG = 100_000  # phrases
UTTERANCES = 60


def report(what: str, value: float, bar: float, *, least: bool = True, unit: str = "times") -> None:
    met = value >= bar if least else value <= bar
    kind = "at least" if least else "at most"
    print(f"{what:58s} {value:9.2f} {unit:5s} ({kind} {bar:g}){'' if met else '  MISSED'}", flush=True)


def fastest(run: Callable[[], object], rounds: int = 3) -> float:
    """Processor seconds of this thread."""
    times = []
    for _ in range(rounds):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return min(times)


def against_peers(drawn: Posteriors, setting: Setting, lists: Lists) -> None:
    """pyctcdecode and flashlight-text with our beam; a list is made ready anew for each utterance, by all."""
    from speed import seconds_an_hour

    rows = [("pyctcdecode, no list", "pyctcdecode", None, False, 5.0)]
    rows += [("pyctcdecode, list of 1,000", "pyctcdecode", 1000, False, 200.0)]
    if setting.arpa is not None:
        rows += [("pyctcdecode, language model", "pyctcdecode", None, True, 5.0)]
        rows += [("flashlight-text, language model", "flashlight", None, True, 2.0)]
    for what, name, count, lm, bar in rows:
        options = {"beam": BEAM, **({"lm": True} if lm else {})}
        condition = Condition(count)
        times = [seconds_an_hour(make(system, setting, options), drawn, lists, condition) for system in ("ours", name)]
        report(f"{what}: its time over ours", times[1] / times[0], bar)


def words_of_flashlight(drawn: Posteriors, setting: Setting) -> None:
    """WER with the language model at the same beam; weights: ours as shipped, its by its defaults of the bench."""
    references, entities = [u.text for u in drawn.utterances], [u.entities for u in drawn.utterances]
    rates = []
    for name, own in (("ours", {"unknown_penalty": -15.0}), ("flashlight", {})):
        system = make(name, setting, {"beam": BEAM, "lm": True, **own})
        prepared = system.prepare(None)
        texts = [system.decode(utterance, prepared) for utterance in drawn.utterances]
        rates.append(score(references, texts, entities=entities).totals.wer.error_rate or 0.0)
    report("WER with language model over flashlight-text's", rates[0] / rates[1], 1.0, least=False)


def make_names(distractors: Sequence[str], count: int) -> list[str]:
    """The distractors, and pairs of their words."""
    random = np.random.default_rng(0)
    words = np.array(sorted({word for name in distractors for word in name.split()}))
    names = dict.fromkeys(distractors)
    while len(names) < count:
        names[" ".join(random.choice(words, 2))] = None
    return list(names)[:count]


def long_lists(decoder: Decoder, matrices: Sequence[np.ndarray], names: Sequence[str]) -> None:
    few = decoder.compile(EntityList(names[:10]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.thread_time()
    many = decoder.compile(EntityList(names))
    report("a list of 100,000 made ready", time.thread_time() - start, 2.0, least=False, unit="s")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    report("its memory, at its peak", grown, 300.0, least=False, unit="MiB")
    times = [fastest(lambda p=phrases: [decoder.decode(m, p) for m in matrices]) for phrases in (few, many)]  # type: ignore[misc]
    report("decoding with it, over a list of 10", times[1] / times[0], 1.5, least=False)


def list_ratios(decoder: Decoder, matrices: Sequence[np.ndarray], names: Sequence[str], sizes: Sequence[int]) -> None:
    """Decoding with lists of these sizes over the first: the median of five rounds that measure all of them."""
    lists = [decoder.compile(EntityList(names[:size])) for size in sizes]
    rounds = []
    for _ in range(5):
        times = [fastest(lambda p=phrases: [decoder.decode(m, p) for m in matrices], 1) for phrases in lists]  # type: ignore[misc]
        rounds.append([time / times[0] for time in times])
    for size, ratio in zip(sizes[1:], np.median(rounds, axis=0)[1:].tolist(), strict=True):
        report(f"decoding with a list of {size:,}, over one of {sizes[0]:,}", ratio, 1.5, least=False)


def two_threads(decoder: Decoder, matrices: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Wall-clock time, which says something only where two cores are idle; so what they had is shown too."""
    phrases = decoder.compile(EntityList(names[:1000]))
    work = [*matrices] * 4

    def run(threads: int) -> tuple[float, float]:
        wall, spent = time.perf_counter(), time.process_time()
        decoder.decode_batch(work, [phrases] * len(work), threads)
        return time.perf_counter() - wall, time.process_time() - spent

    one, two = min(run(1) for _ in range(3)), min(run(2) for _ in range(3))
    report("two threads, wall-clock over one", one[0] / two[0], 1.8)
    print(f"    processor time: {one[1]:.2f} s by one thread, {two[1]:.2f} s by two; cores had: {one[1] / one[0]:.2f}, "
          f"{two[1] / two[0]:.2f}; with all of two cores: {2 * one[1] / two[1]:.2f} times")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posteriors", type=Path, help="a folder that bench/peers/posteriors.py made")
    parser.add_argument("--distractors", type=Path, required=True)
    parser.add_argument("--lm", type=Path)
    parser.add_argument("--own", action="store_true", help="no peers")
    parser.add_argument("--lists", type=int, nargs="+", metavar="SIZE", help="only what lists of these sizes cost")
    parser.add_argument("--model", type=Path, help="decode with the options in this model's decode.json")
    arguments = parser.parse_args()
    assert threading.active_count() == 1
    posteriors = Posteriors.read(arguments.posteriors)
    drawn = posteriors.sample(UTTERANCES, seed=2)
    matrices = [u.log_probs for u in drawn.utterances]
    distractors = arguments.distractors.read_text(encoding="utf-8").splitlines()
    names = make_names(distractors, LONG)
    for lm in [None, *([LanguageModel.read(arguments.lm)] if arguments.lm else [])]:
        print("with the language model" if lm is not None else "without a language model")
        vocabulary = posteriors.vocabulary
        own = own_decode_options(arguments.model) if arguments.model else None
        options = own.decode if own is not None else DecodeOptions(beam=BEAM, unknown_penalty=-15.0)
        decoder = Decoder(vocabulary.labels, blank=vocabulary.blank, lm=lm, options=options)
        if arguments.lists:
            list_ratios(decoder, matrices, names, arguments.lists)
            continue
        long_lists(decoder, matrices, names)
        two_threads(decoder, matrices, names)
    if arguments.own or arguments.lists:
        return
    with tempfile.TemporaryDirectory() as folder:
        arpa = as_arpa(arguments.lm, Path(folder)) if arguments.lm else None
        lists = Lists(distractors, Decoder(posteriors.vocabulary.labels).spelling.charset)
        setting = Setting(posteriors.vocabulary, arpa, lists.all_phrases(drawn.utterances))
        print(f"peers, beam {BEAM}")
        against_peers(drawn, setting, lists)
        if arpa is not None:
            words_of_flashlight(drawn, setting)


if __name__ == "__main__":
    main()
