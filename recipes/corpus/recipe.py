"""The seven stages that a corpus goes through: four of its own, and learning between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from corpus.learning import TABLES, Learning
from corpus.stages import Stage, Stages


def seven_stages(
    learning: Learning, own: Mapping[str, Callable[[], None]], settings: Mapping[str, Mapping[str, Any]]
) -> Stages:
    """download, prepare, lm, train, adapter, decode, score; `own` and `settings` have the first two and last two."""
    of = learning.config.options
    learnt = ("shards", "tokens", "base", "bank-base.npz", "sentences.txt.gz", "start", "spelling", "model")

    def stage(name: str, about: str, *, after: tuple[str, ...] = (), makes: tuple[str, ...] = ()) -> Stage:
        return Stage(
            name=name, about=about, run=own[name], settings=settings[name], after=after, makes=makes,
            keeps_parts=name == "decode",
        )  # fmt: skip

    return Stages(
        learning.work,
        [
            stage("download", "archives and annotations"),
            stage("prepare", "manifests and entities", after=("download",), makes=("manifests",)),
            Stage(
                name="lm", about="language model", run=learning.language_model, settings=of("lm"),
                after=("prepare",), makes=("lm.npz",),
            ),
            Stage(
                name="train", about="vocabulary, base, bottleneck", run=learning.train,
                settings={name: of(name) for name in TABLES}, after=("prepare",), makes=learnt, keeps_parts=True,
            ),
            Stage(
                name="adapter", about="contextual adapter, weights of joint decoding", run=learning.adapter,
                settings={"adapter": of("adapter"), "tune": of("tune")},
                after=("lm", "train"), makes=("bank-model.npz", "adapter", "tune"), keeps_parts=True,
            ),
            stage("decode", "test sets without and with lists", after=("adapter",), makes=("lists", "runs")),
            stage("score", "tables", after=("decode",), makes=("results",)),
        ],
    )  # fmt: skip
