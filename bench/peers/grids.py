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


SPOTTER = (  # three segmentations of each phrase lost 3 to 5 points of F1 (N = 100, 1,000), and are left out
    Stage("f1", {"cb_weight": [1.5, 2.5, 3.5], "ctc_ali_token_weight": [0.5, 1.5, 2.5]}),
    Stage("f1", {"beam_threshold": [5.0, 8.0, 12.0], "keyword_threshold": [-5.0, 1.0, 4.0, 7.0, 10.0]}),
    Stage("f1", {"cb_weight": [2.5, 3.0, 3.5, 4.0], "ctc_ali_token_weight": [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]}),
    Stage("f1", {"cb_weight": [3.0, 3.5, 4.0, 4.5], "keyword_threshold": [1.0, 3.0, 5.0, 7.0, 10.0]}),
    Stage("f1", {"intersection_threshold": [15.0, 30.0, 50.0]}),
)
BONUS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)

PLANS: dict[str, Plan] = {
    "ours": Plan(
        "ours",
        {},
        (
            Stage("f1", {"bonus": BONUS, "adaptive": [0.0, 0.5, 1.0]}),
            Stage("f1", {"adaptive": [0.25, 0.5, 0.75, 1.0], "adaptive_cap": [2.0, 4.0, 6.0]}),
            Stage("f1", {"bonus": BONUS}),
        ),
    ),
    "ours + LM": Plan(
        "ours",
        {"lm": True},
        (
            Stage(
                "wer",
                {
                    "lm_weight": [0.3, 0.5, 0.8],
                    "word_bonus": [0.0, 1.0, 2.0],
                    "unknown_penalty": [-15.0, -10.0, -6.0, -3.0],
                },
            ),
            Stage("f1", {"bonus": BONUS, "unigram": [0.0, 1.0]}),
            Stage("f1", {"adaptive": [0.0, 0.5, 1.0], "adaptive_cap": [2.0, 4.0, 6.0]}),
            Stage("f1", {"bonus": BONUS, "list_prior": [0.0, 0.5, 1.0]}),
        ),
    ),
    "pyctcdecode": Plan(
        "pyctcdecode",
        {},
        (
            Stage("f1", {"hotword_weight": [3.0, 5.0, 7.0, 9.0, 12.0, 16.0]}),
            Stage("f1", {"hotword_weight": [4.0, 6.0, 8.0, 10.5]}),
            # token_min_logp -8 lost 2 points for four times the time (N = 100), beam_prune_logp -15 changed nothing
        ),
    ),
    "pyctcdecode + LM": Plan(
        "pyctcdecode",
        {"lm": True},
        (
            Stage("wer", {"alpha": [0.2, 0.4, 0.7], "beta": [0.0, 1.5], "unk_score_offset": [-10.0, -4.0, -1.0]}),
            Stage("f1", {"hotword_weight": [5.0, 9.0, 13.0, 18.0]}),
            Stage("f1", {"token_min_logp": [-5.0, -6.5]}),
            Stage("f1", {"unk_score_offset": [-10.0, -4.0, -1.0], "alpha": [0.2, 0.4, 0.7]}),
            Stage("f1", {"hotword_weight": [7.0, 11.0, 15.0]}),
        ),
    ),
    "flashlight": Plan(
        "flashlight",
        {},
        (
            Stage("wer", {"word_score": [-3.0, -1.5, 0.0], "fold_repeats": [True, False]}),
            Stage("f1", {"list_score": [1.0, 2.0, 4.0, 6.0, 8.0]}),
            Stage("f1", {"segmentations": [1, 3]}),
        ),
    ),
    "flashlight + LM": Plan(
        "flashlight",
        {"lm": True},
        (
            Stage("wer", {"lm_weight": [0.8, 1.5, 2.2], "word_score": [-1.0, 0.5, 2.0], "fold_repeats": [True, False]}),
            Stage("f1", {"list_score": [-4.0, -3.0, -2.0, -1.0, 0.0]}),
            Stage("f1", {"lm_weight": [0.8, 1.5, 2.2, 3.0], "word_score": [0.5, 2.0, 3.5]}),
            Stage("f1", {"segmentations": [1, 3]}),
            Stage("f1", {"list_score": [-3.0, -2.0, -1.0, 0.0]}),
        ),
    ),
    "spotter": Plan("spotter", {}, SPOTTER),
}
