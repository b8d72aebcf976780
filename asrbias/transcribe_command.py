"""`asrbias transcribe`: recordings, or a manifest of them, to text."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from asrbias.audio_blocks import file_seconds
from asrbias.decoder import UnusableEntityWarning
from asrbias.entities import EntityList
from asrbias.errors import sentence
from asrbias.exports import ENDINGS, FORMATS, export
from asrbias.files import write_whole
from asrbias.foreign import is_foreign
from asrbias.joint import JointOptions
from asrbias.loading import OWN_LM, STARTER, find_language_model, find_model, load, own_decode_options, read_options
from asrbias.longform import join
from asrbias.recognizer import Recognizer
from asrbias.transcript import Transcript

if TYPE_CHECKING:
    from asrbias.manifest import Transcriber


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias transcribe` to a parser."""
    parser.description = "Transcribe recordings; names from the list are written as the list writes them."
    parser.add_argument("audio", nargs="*", type=Path, metavar="AUDIO", help="wav, flac, mp3, ogg, opus, m4a, ...")
    parser.add_argument(
        "--entities", type=Path, metavar="FILE", help="the list; with --manifest it is added to each line's own"
    )
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="JSON lines with `audio`, optionally `id`, `entities`, `list`"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="with --manifest: JSON lines with the hypotheses")
    parser.add_argument("--no-list", action="store_true", help="use no list at all, not even those of the manifest")
    add_model_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a recording, with word times and n-best")
    parser.add_argument("--format", choices=FORMATS, help="subtitles (srt, vtt), ctm, json or text (the default)")
    parser.add_argument(
        "--output-folder", type=Path, metavar="FOLDER", help="write a file a recording, named like it, in that format"
    )
    ray = parser.add_argument_group("many machines (Ray)")
    ray.add_argument(
        "--ray", metavar="ADDRESS", help="with --manifest: local, auto, HOST:PORT or ray://HOST:PORT of a cluster"
    )
    ray.add_argument(
        "--ray-workers",
        type=int,
        metavar="N",
        help="workers, each with a model (default: as many as there is room for)",
    )
    ray.add_argument("--ray-cpus", type=int, default=1, metavar="N", help="CPUs for each (default: %(default)s)")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """What `make_recognizer` reads."""
    parser.add_argument("--model", default=STARTER, metavar="NAME", help="model folder or name (default: %(default)s)")
    parser.add_argument(
        "--adapter", type=Path, metavar="FOLDER", help="contextual adapter of the model (default: its own, if any)"
    )
    parser.add_argument("--lm", type=Path, metavar="FILE", help="language model (default: the model's own, if any)")
    parser.add_argument("--no-lm", action="store_true", help="use no language model, not even the model's own")
    parser.add_argument(
        "--options", type=Path, metavar="FILE", help="decode.json of `asrbias tune` (default: the model's own)"
    )
    parser.add_argument("--device", default="cpu", metavar="cpu|cuda", help="default: %(default)s")
    parser.add_argument("--beam", type=int, metavar="N", help="hypotheses kept (default: 32)")
    parser.add_argument(
        "--bias", type=float, metavar="0..2", help="strength of the list: 0 off, 1 safe (default), 2 strong"
    )
    parser.add_argument(
        "--bonus", type=float, metavar="NATS", help="nats per character of a listed phrase, at --bias 1"
    )


def run(arguments: argparse.Namespace) -> int:
    """Transcribe files to standard output, or a manifest to a file; status 2 if a recording could not be."""
    if bool(arguments.audio) == bool(arguments.manifest):
        raise ValueError("Give recordings or --manifest FILE, one of the two.")
    if bool(arguments.manifest) != bool(arguments.output):
        raise ValueError("--manifest and --output go together; give both.")
    if arguments.manifest and (arguments.format or arguments.output_folder or arguments.json):
        raise ValueError(
            "--json, --format and --output-folder are for recordings; --manifest writes JSON lines to --output."
        )
    if arguments.ray is not None and not arguments.manifest:
        raise ValueError("--ray is for --manifest; recordings are transcribed here.")
    if arguments.json and arguments.format not in (None, "json"):
        raise ValueError(f"--json and --format {arguments.format} contradict each other; give one of them.")
    if arguments.format in ("srt", "vtt") and len(arguments.audio) > 1 and not arguments.output_folder:
        raise ValueError(f"--format {arguments.format} is a file a recording; for several give --output-folder.")
    if arguments.no_list and arguments.entities:
        raise ValueError("--no-list and --entities contradict each other; give one of them.")
    if arguments.no_lm and arguments.lm:
        raise ValueError("--no-lm and --lm contradict each other; give one of them.")
    entities = EntityList.read(arguments.entities) if arguments.entities else None
    if arguments.manifest:
        from asrbias.manifest import transcribe_manifest

        remark_on_list(entities, None)
        failed = transcribe_manifest(
            arguments.manifest, arguments.output, _transcriber(arguments), entities,
            no_list=arguments.no_list,
            settings={"model": _fingerprint(arguments), "beam": arguments.beam, "bonus": arguments.bonus}
            | ({} if arguments.bias is None else {"bias": arguments.bias})
            | ({} if arguments.options is None else {"options": read_options(arguments.options).to_json()}),
        )  # fmt: skip
        return 2 if failed else 0
    recognizer = make_recognizer(arguments)
    remark_on_list(entities, recognizer.decoder.labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusableEntityWarning)  # each was just named, with its reason
        form = "json" if arguments.json else arguments.format
        return _transcribe_files(recognizer, arguments.audio, entities, form, arguments.output_folder)


def _transcriber(arguments: argparse.Namespace) -> Transcriber:
    """Who transcribes a manifest: this process, or a cluster's workers."""
    if arguments.ray is None:
        from asrbias.manifest import in_process

        return in_process(lambda: make_recognizer(arguments))
    from asrbias.ray_cluster import RayOptions
    from asrbias.ray_manifest import on_ray

    if arguments.device not in ("cpu", "cuda"):
        raise ValueError(
            f"--device {arguments.device} is one machine's; with --ray give cpu, or cuda for a GPU a worker."
        )
    given = {"address": arguments.ray, "workers": arguments.ray_workers, "cpus": arguments.ray_cpus}
    options = RayOptions(**given, gpu=arguments.device == "cuda")
    return on_ray(partial(make_recognizer, arguments), partial(_fingerprint, arguments), options)


def _fingerprint(arguments: argparse.Namespace) -> str:
    """Tells models from others that had their names: an earlier training's, an earlier language model."""
    found, adapter = hashlib.sha256(), arguments.adapter and arguments.adapter / "adapter.safetensors"
    if is_foreign(arguments.model):
        found.update(arguments.model.encode() + (adapter.read_bytes() if adapter and adapter.is_file() else b""))
        return found.hexdigest()
    folder = find_model(arguments.model)
    lm = None if arguments.no_lm else arguments.lm or find_language_model(folder)
    for path in (folder / "model.safetensors", adapter or folder / "adapter.safetensors", folder / "decode.json", lm):
        found.update(hashlib.sha256(path.read_bytes() if path is not None and path.is_file() else b"").digest())
    return found.hexdigest()


def make_recognizer(arguments: argparse.Namespace) -> Recognizer:
    """The recognizer that the command line asks for. Raises what `load` raises."""
    given = {key: getattr(arguments, key) for key in ("beam", "bias", "bonus") if getattr(arguments, key) is not None}
    file = arguments.options
    own = None if file or is_foreign(arguments.model) else own_decode_options(find_model(arguments.model))
    tuned = read_options(file) if file else own or JointOptions()
    return load(
        arguments.model,
        device=arguments.device,
        lm=None if arguments.no_lm else arguments.lm or OWN_LM,
        decode=replace(tuned, decode=replace(tuned.decode, **given)) if given else file,
        adapter=arguments.adapter,
    )


def remark_on_list(entities: EntityList | None, labels: Sequence[str] | None) -> None:
    """Say on standard error what of the list is not used, and what was odd about its file."""
    if entities is None:
        return
    report = entities.report(labels)
    for note in report.notes:
        print(note, file=sys.stderr)
    for row in report.rows:
        if row.status in ("dropped", "merged"):
            what = "not used" if row.status == "dropped" else "shown as another"
            print(f"{what}: {row.entity.phrase!r}: {row.reason}", file=sys.stderr)


def _transcribe_files(
    recognizer: Recognizer, paths: list[Path], entities: EntityList | None, form: str | None, folder: Path | None
) -> int:
    console = Console(soft_wrap=True, highlight=False)
    named = _output_names(paths, form or "text", folder)
    status = 0
    for path in paths:
        try:
            transcript = _transcribe_file(recognizer, path, entities)
        except (OSError, ValueError) as error:  # one bad file must not lose the others
            print(f"asrbias transcribe: {sentence(error)}", file=sys.stderr)
            status = 2
            continue
        if folder is not None:
            write_whole(named[path], export(transcript, form or "text", name=path.stem).encode())
            print(named[path], flush=True)
        elif form == "json":
            print(json.dumps({"audio": str(path), **transcript.as_dict()}, ensure_ascii=False), flush=True)
        elif form not in (None, "text"):
            print(export(transcript, str(form), name=path.stem), end="", flush=True)
        elif len(paths) > 1:
            console.print(Text(f"{path}\t") + coloured(transcript))
        else:
            console.print(coloured(transcript))
    return status


def _output_names(paths: list[Path], form: str, folder: Path | None) -> dict[Path, Path]:
    """The file for each recording; makes the folder. Raises ValueError where two would be the same."""
    if folder is None:
        return {}
    names = {path: folder / (path.stem + ENDINGS[form]) for path in paths}
    taken: dict[Path, Path] = {}
    for path, name in names.items():
        if name in taken:
            raise ValueError(f"{taken[name]} and {path} would both be written to {name}; transcribe them apart.")
        taken[name] = path
    folder.mkdir(parents=True, exist_ok=True)
    return names


def _transcribe_file(recognizer: Recognizer, path: Path, entities: EntityList | None) -> Transcript:
    """With a progress bar where it takes long."""
    if (wave := recognizer.whole(path)) is not None:
        return recognizer.transcribe(wave, entities)
    total = file_seconds(path)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(path.name, total=total)
        heard = [0.0]

        def tell(seconds: float) -> None:
            heard.append(seconds)
            progress.update(task, completed=seconds)

        return join(list(recognizer.segments(path, entities, tell)), heard[-1])


def coloured(transcript: Transcript) -> Text:
    """The text with words from the list in colour (in a terminal)."""
    parts: list[Any] = []
    for word in transcript.words:
        parts += [(word.text, "bold green" if word.entity is not None else ""), " "]
    return Text.assemble(*parts[:-1])
