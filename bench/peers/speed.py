"""How fast the systems are beside ours: same posteriors, same beam, one thread, one process, in a few minutes.

Beside it, ours with all that the starter's decode.json switches on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ours import shipped
from posteriors import Posteriors
from system import Condition, Lists, Setting, System, each_list, make

BEAM = 32
UTTERANCES = 24
MOST = 12.0  # seconds of processor time for one cell; fewer utterances are timed where a system needs more
CELLS: dict[str, tuple[Condition, bool]] = {  # column: lists, language model
    "no list": (Condition(None), False),
    "list of 1,000": (Condition(1000), False),
    "no list, LM": (Condition(None), True),
    "list of 1,000, LM": (Condition(1000), True),
}
SYSTEMS: Sequence[tuple[str, str, Mapping[str, Any]]] = (  # row, system, options
    ("asrbias", "ours", {"beam": BEAM}),
    ("asrbias, as the starter is shipped", "ours", shipped()),
    ("pyctcdecode", "pyctcdecode", {"beam": BEAM}),
    ("flashlight", "flashlight", {"beam": BEAM}),
    ("spotter", "spotter", {}),
)


def seconds_an_hour(system: System, drawn: Posteriors, lists: Lists, condition: Condition) -> float:
    """Processor seconds an hour of audio, the best of three rounds; lists are made ready anew for each utterance.

    What takes long is timed once, on as many utterances as MOST allows.
    """
    prepared = system.prepare(None) if condition.count is None else None  # once, and not counted
    listed = list(each_list(drawn.utterances, lists, condition))
    rounds = []
    for _ in range(3):
        audio, start = 0.0, time.thread_time()
        for utterance, one in zip(drawn.utterances, listed, strict=True):
            system.decode(utterance, system.prepare(one) if one is not None else prepared)
            audio += utterance.duration
            if time.thread_time() - start > MOST / 3:
                break
        spent = time.thread_time() - start
        rounds.append(3600 * spent / audio)
        if spent > MOST / 3:
            break
    return min(rounds)


def measure(posteriors: Posteriors, setting: Setting, lists: Lists) -> str:
    """A table in markdown: seconds an hour of audio, and how many times ours that is."""
    drawn = posteriors.sample(UTTERANCES, seed=2)
    honest = Setting(setting.vocabulary, setting.arpa, setting.phrases)  # no short cuts
    lines = [f"{len(drawn.utterances)} utterances, beam {BEAM}, one thread; seconds of processor time an hour of audio"]
    lines += ["| system | " + " | ".join(CELLS) + " |", "| --- " * (len(CELLS) + 1) + "|"]
    ours: dict[str, float] = {}
    for name, system, options in SYSTEMS:
        cells = []
        for column, (condition, lm) in CELLS.items():
            if (lm and (setting.arpa is None or system == "spotter")) or (system == "flashlight" and not setting.arpa):
                cells.append("-")
                continue
            chosen = {**options, "lm": True} if lm else options
            taken = seconds_an_hour(make(system, honest, chosen), drawn, lists, condition)
            ours.setdefault(column, taken)
            cells.append(f"{taken:.2f} ({taken / ours[column]:.1f} times)")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
