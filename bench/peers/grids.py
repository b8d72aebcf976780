"""Which weights of each system are tuned, and over which values.

A system is tuned in stages: all combinations of a stage's values, on top of the best of the stages before. A stage is
judged by WER without a list ("wer"), or by F1 with the lists ("f1"), for each length of list on its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stage:
    goal: str  # wer or f1
    values: Mapping[str, Sequence[Any]]

    def combinations(self) -> Iterator[dict[str, Any]]:
        for chosen in itertools.product(*self.values.values()):
            yield dict(zip(self.values, chosen, strict=True))


@dataclass(frozen=True)
class Plan:
    """A named system: which decoder, what stays fixed, what is tuned."""

    system: str
    fixed: Mapping[str, Any]
    stages: tuple[Stage, ...]


BONUS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5)

PLANS: dict[str, Plan] = {
    "ours": Plan(
        "ours",
        {},
        (
            Stage("f1", {"bonus": BONUS, "adaptive": [0.0, 0.25, 0.5]}),
            Stage("f1", {"adaptive": [0.25, 0.5, 0.75], "adaptive_cap": [2.0, 4.0, 8.0]}),
            Stage("f1", {"bonus": BONUS}),
        ),
    ),
    "ours + LM": Plan(
        "ours",
        {"lm": True},
        (
            Stage("wer", {"lm_weight": [0.3, 0.5, 0.8], "word_bonus": [0.0, 1.0, 2.0], "unknown_penalty": [-20, -15]}),
            Stage("f1", {"bonus": BONUS, "adaptive": [0.0, 0.25, 0.5]}),
            Stage("f1", {"adaptive": [0.25, 0.5], "adaptive_cap": [4.0, 8.0], "unigram": [0.0, 1.0]}),
            Stage("f1", {"bonus": BONUS, "list_prior": [0.0, 0.5, 1.0]}),
        ),
    ),
    # On an earlier starter: token_min_logp -8 lost 2 points of F1 for four times the time, beam_prune_logp -15 changed
    # nothing, and unk_score_offset -4 or -1 lost 6 to 15 points of WER.
    "pyctcdecode": Plan(
        "pyctcdecode",
        {},
        (
            Stage("f1", {"hotword_weight": [2.0, 3.0, 4.5, 6.0, 8.0, 10.5]}),
            Stage("f1", {"token_min_logp": [-5.0, -6.5]}),
        ),
    ),
    "pyctcdecode + LM": Plan(
        "pyctcdecode",
        {"lm": True},
        (
            Stage("wer", {"alpha": [0.4, 0.6, 0.8], "beta": [0.0, 1.0, 2.0], "unk_score_offset": [-10.0]}),
            Stage("f1", {"hotword_weight": [3.0, 5.0, 7.0, 10.0, 13.0, 17.0]}),
            Stage("f1", {"token_min_logp": [-5.0, -6.5]}),
            Stage("f1", {"unk_score_offset": [-15.0, -10.0, -6.0], "alpha": [0.4, 0.7]}),
        ),
    ),
    "flashlight": Plan(
        "flashlight",
        {},
        (
            Stage("wer", {"word_score": [-3.0, -1.5, 0.0], "fold_repeats": [True, False]}),
            Stage("f1", {"list_score": [1.0, 2.0, 4.0, 6.0, 8.0]}),
        ),
    ),
    "flashlight + LM": Plan(
        "flashlight",
        {"lm": True},
        (
            Stage("wer", {"lm_weight": [0.8, 1.5, 2.2], "word_score": [-1.0, 0.5, 2.0], "fold_repeats": [True, False]}),
            Stage("f1", {"list_score": [-4.0, -3.0, -2.0, -1.0, 0.0]}),
            Stage("f1", {"lm_weight": [0.8, 1.5, 2.2, 3.0], "word_score": [0.5, 2.0, 3.5]}),
            Stage("f1", {"list_score": [-3.0, -2.0, -1.0, 0.0]}),
            Stage("f1", {"segmentations": [1, 3]}),
        ),
    ),
    # On an earlier starter: beam_threshold 12 gained 0.3 points of F1 over 8 for four times the time, three
    # segmentations of each phrase lost 3 to 5, intersection_threshold 15 or 50 changed nothing.
    "spotter": Plan(
        "spotter",
        {},
        (
            Stage("f1", {"cb_weight": [2.5, 3.0, 3.5], "ctc_ali_token_weight": [0.0, 1.0, 2.0],
                         "keyword_threshold": [1.0, 4.0, 7.0], "beam_threshold": [8.0]}),
            Stage("f1", {"cb_weight": [2.0, 2.5, 3.0, 3.5, 4.0], "keyword_threshold": [0.0, 2.0, 3.0, 5.0, 7.0, 10.0]}),
            Stage("f1", {"ctc_ali_token_weight": [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]}),
            Stage("f1", {"beam_threshold": [5.0, 8.0, 11.0]}),
        ),
    ),
}  # fmt: skip
