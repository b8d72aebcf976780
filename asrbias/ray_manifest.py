"""A manifest transcribed by many machines: blocks of its lines go to workers of a Ray cluster (Ray Data).

    transcribe_manifest(manifest, output, on_ray(recognizer, fingerprint, RayOptions(address="auto")), ...)

A block is what one process would batch, and is transcribed as a whole even if some of its lines are written already:
the output is then the same, whoever transcribed, and wherever a run was stopped. It comes in the manifest's order.

A worker that dies is started again, and its block done again. A ledger counts the tries: where workers die of one
block, or while they load the model, the run ends instead of going round for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrbias.manifest import WINDOW, Rows, Transcriber, blocks
from asrbias.manifestlines import ManifestLine
from asrbias.manifestlists import ManifestLists
from asrbias.phrases import Unusable
from asrbias.pipeline import PipelineOptions
from asrbias.ray_cluster import ClusterError, RayOptions, cluster, last_line
from asrbias.ray_worker import DIED, TRIES, Ledger, Work, Worker

if TYPE_CHECKING:
    from asrbias.recognizer import Recognizer

TASKS = 4096  # into which Ray divides the blocks, at most: it keeps a record of each


def on_ray(recognizer: Callable[[], Recognizer], fingerprint: Callable[[], str], options: RayOptions) -> Transcriber:
    """Transcribes on a cluster, each worker with what `recognizer` makes there.

    Its rows raise ClusterError if the cluster cannot be reached, or cannot do the work.
    """

    def rows(
        lines: Sequence[ManifestLine], done: Container[str], lists: ManifestLists, say: Callable[[str], None]
    ) -> Rows:
        window = PipelineOptions().window if options.gpu else WINDOW
        waiting = [list(block) for block in blocks(lines, done, window)]
        paths = [path for line in lines for path in (line.audio, line.entities) if isinstance(path, Path)]
        folder = None if all(path.is_absolute() for path in paths) else Path.cwd()
        work = Work(
            recognizer=recognizer,
            fingerprint=fingerprint,
            expected=fingerprint(),
            manifest=lists.manifest,
            folder=folder,
            entities=lists.common,
            no_list=lists.no_list,
            cpus=options.cpus,
        )
        with cluster(options) as ray:
            for block, answer in zip(waiting, _answers(ray, waiting, work, options), strict=True):
                if answer["failed"]:
                    raise ClusterError(_failure(block, answer["failed"], lists.manifest))
                if answer["tries"] > 1:
                    say(f"{_named(block, lists.manifest)}: done again, as a worker had died")
                unusable = {number: [Unusable(*one) for one in found] for number, found in answer["unusable"]}
                for line, row in zip(block, answer["rows"], strict=True):
                    if said := lists.said_unusable(line, unusable.get(line.number, ())):
                        say(said)
                    if line.id not in done:
                        yield row

    return rows


def _answers(ray: Any, blocks: list[list[ManifestLine]], work: Work, options: RayOptions) -> Iterator[dict[str, Any]]:
    """What a worker made of each block, in order. Raises ClusterError."""
    afar = options.address.startswith("ray://")
    found = _fed(ray, blocks, work, options) if afar else _results(ray, blocks, work, options)
    for block in blocks:
        try:
            answer: dict[str, Any] = json.loads(next(found))
        except Exception as error:  # of Ray, in many classes
            cause = getattr(error, "cause", error)
            if isinstance(cause, ClusterError):
                raise cause from error
            raise ClusterError(
                f"The cluster broke off: {last_line(str(error))}. What is done stays; the same command goes on."
            ) from error
        if answer["first"] != block[0].number:  # Ray keeps the order; a line lost or doubled would not be seen
            raise ClusterError("The cluster's answers are out of order; give the same command again.")
        yield answer


def _results(ray: Any, blocks: list[list[ManifestLine]], work: Work, options: RayOptions) -> Iterator[str]:
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    count = _workers(ray, options, len(blocks))
    ledger = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Ledger).remote()
    items = [{"block": json.dumps([[line.number, line.fields] for line in block])} for block in blocks]
    answers = ray.data.from_items(items, override_num_blocks=min(len(items), TASKS)).map_batches(
        Worker,
        fn_constructor_args=(work, ledger),
        batch_size=1,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=count, initial_size=count),
        num_cpus=options.cpus,
        num_gpus=1 if options.gpu else 0,
    )
    for row in answers.iter_rows():
        yield row["answer"]


class Feed:
    """Where the command is but a client of the cluster (ray://), Ray Data must be used by one of its processes."""

    def __init__(self, blocks: list[list[ManifestLine]], work: Work, options: RayOptions) -> None:
        import ray
        import ray.data

        self.results = _results(ray, blocks, work, options)

    def next(self) -> str:
        return next(self.results)


def _fed(ray: Any, blocks: list[list[ManifestLine]], work: Work, options: RayOptions) -> Iterator[str]:
    feed = ray.remote(num_cpus=0)(Feed).remote(blocks, work, options)
    while True:
        yield ray.get(feed.next.remote())


def _workers(ray: Any, options: RayOptions, blocks: int) -> int:
    """How many workers to start."""
    if options.workers is not None:
        return min(options.workers, blocks)
    have = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    fit = [int(node.get("CPU", 0) // options.cpus) for node in have]
    if options.gpu:
        fit = [min(cpus, int(node.get("GPU", 0))) for cpus, node in zip(fit, have, strict=True)]
    if not sum(fit):
        needs = f"{options.cpus} CPU{'s' * (options.cpus > 1)}" + " and a GPU" * options.gpu
        raise ClusterError(
            f"No machine of the cluster has {needs}, as a worker needs; add one, or with --ray-workers wait for one."
        )
    return min(sum(fit), blocks)


def _named(block: list[ManifestLine], manifest: Path) -> str:
    return f"{manifest}:{block[0].number} to {block[-1].number}"


def _failure(block: list[ManifestLine], failed: str, manifest: Path) -> str:
    if failed != DIED:
        return failed
    return (
        f"{_named(block, manifest)}: {TRIES} workers died of these lines, one after the other; look at their "
        "recordings, and whether the machines have memory enough. What is done stays; the same command goes on."
    )
