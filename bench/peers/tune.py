"""Tune the weights of systems on dev.

    python bench/peers/tune.py build/peers/dev --distractors FILE --lm FILE --output build/peers/tuned [--system NAME]
    python bench/peers/tune.py ... --near bench/peers/tuned --utterances 160 --counts 100 1000     # minutes, not hours

With --near only the values beside those of an earlier tuning are tried, one weight after another: enough where the
model has changed a little.
Every trial is a line of OUTPUT/NAME.jsonl, and one that is there is not run again. OUTPUT/NAME.json has what was
chosen: `best`, for each length of list the weights of highest F1, whatever they do elsewhere; and `safe`, one set of
weights, of highest F1 with 1,000 distractors among those that pass with these alone: WER at most 0.2 points above no
list, and under 1 false hit per 1,000 words.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from grids import PLANS, Plan
from posteriors import Posteriors
from system import Condition, Lists, Setting, as_arpa, figures, judge, made_from, make, run

from asrbias.files import write_whole

ALONE = Condition(1000, own=False)
WER_RISE, FALSE_HITS = 0.2, 1.0  # points; per 1,000 words
Figures = dict[str, Any]


class Trials:
    """Options -> figures by condition, kept in a file."""

    def __init__(self, path: Path, plan: Plan, setting: Setting, posteriors: Posteriors, lists: Lists) -> None:
        self.path, self.plan, self.setting, self.posteriors, self.lists = path, plan, setting, posteriors, lists
        self.made_from = made_from(plan.system, plan.fixed, setting, posteriors)
        self.known: dict[str, dict[str, Figures]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                trial = json.loads(line)
                if trial["made_from"] == self.made_from:
                    self.known.setdefault(_key(trial["options"]), {})[trial["condition"]] = trial["figures"]

    def run(self, options: Sequence[Mapping[str, Any]], condition: Condition) -> None:
        """Those that are not known yet; such as can share a list go through the utterances together."""
        groups: dict[Any, list[tuple[Mapping[str, Any], Any]]] = {}
        for one in options:
            if str(condition) not in self.known.get(_key(one), {}):
                system = make(self.plan.system, self.setting, {**self.plan.fixed, **one})
                groups.setdefault(system.shares, []).append((one, system))
        for group in groups.values():
            runs = run([system for _, system in group], self.posteriors, self.lists, condition)
            for (one, _), ran in zip(group, runs, strict=True):
                found = figures(judge(ran.texts, self.posteriors, self.lists, condition))
                self.keep(one, condition, {**found, "seconds": ran.decode_seconds, "list_seconds": ran.prepare_seconds})

    def keep(self, options: Mapping[str, Any], condition: Condition, found: Figures) -> None:
        self.known.setdefault(_key(options), {})[str(condition)] = found
        line = {"options": options, "condition": str(condition), "made_from": self.made_from, "figures": found}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        numbers = "  ".join(f"{name} {value or 0:.2f}" for name, value in found.items())
        print(f"{condition!s:10} {_key(options)}  {numbers}", flush=True)


def _key(options: Mapping[str, Any]) -> str:
    return json.dumps(options, sort_keys=True)


def tune(trials: Trials, count: int) -> dict[str, Any]:
    """The weights of highest F1 with lists of so many distractors, through the stages."""
    best: dict[str, Any] = {}
    own = Condition(count)
    for stage in trials.plan.stages:
        tried = [{**best, **values} for values in stage.combinations()]
        if best and best not in tried:
            tried.append(best)
        if stage.goal == "wer":
            trials.run(tried, Condition(None))
            best = min(tried, key=lambda o: trials.known[_key(o)]["none"]["wer"])
        else:
            trials.run(tried, own)
            if count == ALONE.count:  # for `safe`
                trials.run(tried, ALONE)
            best = max(tried, key=lambda o: trials.known[_key(o)][str(own)]["f1"] or 0.0)
    with_list = [key for key, found in trials.known.items() if str(own) in found]
    return dict(json.loads(max(with_list, key=lambda key: trials.known[key][str(own)]["f1"] or 0.0)))


def tune_near(trials: Trials, count: int, start: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of highest F1 in one pass over them, each moved to a neighbouring value of its grid."""
    own, best = Condition(count), dict(start)
    grids: dict[str, set[Any]] = {}
    for stage in trials.plan.stages:
        for name, values in stage.values.items():
            grids.setdefault(name, set()).update(values)
    for name, values in grids.items():
        if name not in best:  # a weight that this length of list was better without
            continue
        tried = [best, *({**best, name: value} for value in beside(values, best[name]))]
        trials.run(tried, own)
        if count == ALONE.count:
            trials.run(tried, ALONE)
        best = max(tried, key=lambda o: trials.known[_key(o)][str(own)]["f1"] or 0.0)
    return best


def beside(values: Collection[Any], value: Any) -> list[Any]:
    """The next smaller and the next larger of `values`, those that there are."""
    smaller, larger = [v for v in values if v < value], [v for v in values if v > value]
    return [*([max(smaller)] if smaller else []), *([min(larger)] if larger else [])]


def earlier(folder: Path, name: str, count: int) -> dict[str, Any]:
    """What an earlier tuning chose for lists of so many distractors, or the longest before, without what is fixed."""
    best = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["best"]
    before = [known for known in map(int, best) if known <= count]
    if not before:
        raise SystemExit(f"{folder}/{name}.json has weights for {', '.join(best)} distractors, none for {count}.")
    return {key: value for key, value in best[str(max(before))].items() if key not in PLANS[name].fixed}


def safe(trials: Trials) -> dict[str, Any] | None:
    """Of what was tried with 1,000 distractors: the highest F1 that leaves speech without listed words alone."""
    own = str(Condition(ALONE.count))
    both = [key for key, found in trials.known.items() if own in found and str(ALONE) in found]
    for key in sorted(both, key=lambda key: -(trials.known[key][own]["f1"] or 0.0)):
        alone = trials.known[key][str(ALONE)]
        if alone["false_hits"] < FALSE_HITS:
            trials.run([json.loads(key)], Condition(None))  # WER without a list, by the same search
            if alone["wer"] <= trials.known[key]["none"]["wer"] + WER_RISE:
                return dict(json.loads(key))
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posteriors", type=Path, help="a folder that posteriors.py made; of dev, never of test")
    parser.add_argument("--distractors", type=Path, required=True)
    parser.add_argument("--system", choices=list(PLANS), nargs="+", default=list(PLANS))
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000, 10000], help="distractors in each list")
    parser.add_argument("--utterances", type=int, help="a sample of so many; default all")
    parser.add_argument("--near", type=Path, help="a folder of earlier results, around which to search")
    parser.add_argument("--lm", type=Path, help="language model (ARPA, or our .npz), and flashlight's words")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    posteriors = Posteriors.read(arguments.posteriors).sample(arguments.utterances)
    distractors = arguments.distractors.read_text(encoding="utf-8").splitlines()
    lists = Lists(distractors, posteriors.vocabulary.charset)
    phrases = lists.all_phrases(posteriors.utterances)
    setting = Setting(posteriors.vocabulary, as_arpa(arguments.lm, arguments.output), phrases, fast=True)
    for name in arguments.system:
        trials = Trials(arguments.output / f"{name}.jsonl", PLANS[name], setting, posteriors, lists)
        best = {}
        for count in arguments.counts:
            near = arguments.near
            weights = tune(trials, count) if near is None else tune_near(trials, count, earlier(near, name, count))
            best[str(count)] = {**PLANS[name].fixed, **weights}
        found = safe(trials)
        chosen = {
            "system": PLANS[name].system,
            "best": best,
            "safe": {**PLANS[name].fixed, **found} if found is not None else None,
        }
        write_whole(arguments.output / f"{name}.json", json.dumps(chosen, indent=1).encode())
        print(name, json.dumps(chosen))


if __name__ == "__main__":
    main()
