"""Tune the weights of systems on dev.

    python bench/peers/tune.py build/peers/dev --distractors FILE --arpa LM --output build/peers/tuned [--system NAME]

Every trial is a line of OUTPUT/NAME.jsonl, and one that is there is not run again. OUTPUT/NAME.json has what was
chosen: `best`, for each length of list the weights of highest F1, whatever they do elsewhere; and `safe`, one set of
weights, of highest mean F1 among those that pass with 1,000 distractors alone: WER at most 0.2 points above no list,
and under 1 false hit per 1,000 words.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grids import PLANS, Plan
from posteriors import Posteriors
from system import Condition, Lists, Setting, figures, fingerprint, judge, make, run

from asrbias.files import write_whole

ALONE = Condition(1000, own=False)
WER_RISE, FALSE_HITS = 0.2, 1.0  # points; per 1,000 words
Figures = dict[str, Any]


class Trials:
    """Options -> figures by condition, kept in a file."""

    def __init__(self, path: Path, plan: Plan, setting: Setting, posteriors: Posteriors, lists: Lists) -> None:
        self.path, self.plan, self.setting, self.posteriors, self.lists = path, plan, setting, posteriors, lists
        self.made_from = [posteriors.digest, setting.arpa_digest, fingerprint(plan.system)]
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


def tune(trials: Trials, counts: Sequence[int]) -> dict[str, Any]:
    """Through the stages; see the top of the file."""
    best: dict[str, Any] = {}
    own = [Condition(count) for count in counts]
    for stage in trials.plan.stages:
        tried = [{**best, **values} for values in stage.combinations()]
        if best not in tried and best:
            tried.append(best)
        for condition in [Condition(None)] if stage.goal == "wer" else [*own, ALONE]:
            trials.run(tried, condition)
        if stage.goal == "wer":
            best = min(tried, key=lambda o: trials.known[_key(o)]["none"]["wer"])
        else:
            best = max(tried, key=lambda o: mean_f1(trials.known[_key(o)], own))
    return choose(trials, own)


def mean_f1(found: Mapping[str, Figures], own: Sequence[Condition]) -> float:
    values = [found[str(condition)]["f1"] if str(condition) in found else 0.0 for condition in own]
    return float(sum(value or 0.0 for value in values)) / len(values)


def choose(trials: Trials, own: Sequence[Condition]) -> dict[str, Any]:
    full = {k: f for k, f in trials.known.items() if all(str(c) in f for c in (*own, ALONE))}
    if not full:
        return {}
    chosen: dict[str, Any] = {
        str(c.count): json.loads(max(full, key=lambda k: full[k][str(c)]["f1"] or 0.0)) for c in own
    }
    safe = None
    for key in sorted(full, key=lambda k: -mean_f1(full[k], own)):
        alone = full[key][str(ALONE)]
        if alone["false_hits"] >= FALSE_HITS:
            continue
        trials.run([json.loads(key)], Condition(None))  # WER without a list, by the same search
        if alone["wer"] <= trials.known[key]["none"]["wer"] + WER_RISE:
            safe = json.loads(key)
            break
    fixed = trials.plan.fixed
    options = {count: {**fixed, **one} for count, one in chosen.items()}
    return {"system": trials.plan.system, "best": options, "safe": None if safe is None else {**fixed, **safe}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posteriors", type=Path, help="a folder that posteriors.py made; of dev, never of test")
    parser.add_argument("--distractors", type=Path, required=True)
    parser.add_argument("--system", choices=list(PLANS), nargs="+", default=list(PLANS))
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000, 10000], help="distractors in each list")
    parser.add_argument("--utterances", type=int, help="a sample of so many; default all")
    parser.add_argument("--arpa", type=Path, help="language model, and flashlight's words")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    posteriors = Posteriors.read(arguments.posteriors).sample(arguments.utterances)
    distractors = arguments.distractors.read_text(encoding="utf-8").splitlines()
    lists = Lists(distractors, posteriors.vocabulary.charset)
    phrases = lists.all_phrases(posteriors.utterances)
    setting = Setting(posteriors.vocabulary, arguments.arpa, phrases, fast=True)
    for name in arguments.system:
        trials = Trials(arguments.output / f"{name}.jsonl", PLANS[name], setting, posteriors, lists)
        chosen = tune(trials, arguments.counts)
        write_whole(arguments.output / f"{name}.json", json.dumps(chosen, indent=1).encode())
        print(name, json.dumps(chosen))


if __name__ == "__main__":
    main()
