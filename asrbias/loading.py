"""A name or a folder -> a recognizer: finds the model, what was tuned for it, and its language model."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from asrbias.adapting import AdapterOptions
from asrbias.decoder import DecodeOptions
from asrbias.files import read_object
from asrbias.foreign import ForeignModel, is_foreign, load_foreign
from asrbias.joint import JointOptions
from asrbias.lm import LanguageModel
from asrbias.pyctcdecode_decoder import PyctcdecodeOptions
from asrbias.recognizer import Options, RecognizeOptions, Recognizer, torch_device

if TYPE_CHECKING:
    import torch

    from asrbias.model import Model

MODELS = Path(__file__).parent / "models"
STARTER = "starter"
OPTIONS = "decode.json"  # in a model's folder: what was tuned for it
OWN_LM = "model"  # the language model that comes with the model


def find_model(name: str | Path) -> Path:
    """The folder of a model that comes with the package, or `name` itself if it is a folder.

    Raises `ModelError` if there is no such model.
    """
    from asrbias.model import ModelError

    if not isinstance(name, (str, PathLike)):
        raise TypeError(f"A model is named by a str or a path, not {type(name).__name__}; give its folder or name.")
    for folder in (Path(name), MODELS / name):
        if folder.is_dir():
            return folder
    if is_foreign(name):
        raise ModelError(f"{name} is no model of asrbias' own, which is needed here; give a model folder.")
    shipped = sorted(path.name for path in MODELS.iterdir() if path.is_dir()) if MODELS.is_dir() else []
    raise ModelError(f"There is no model {str(name)!r}; give a model folder or one of {shipped}.")


def load(
    name: str | Path = STARTER,
    *,
    device: str | torch.device = "cpu",
    lm: LanguageModel | str | Path | None = OWN_LM,
    decode: Options | str | Path | None = None,
    bias: float | None = None,
    options: RecognizeOptions | None = None,
    adapter: str | Path | None = None,
) -> Recognizer:
    """A recognizer from a model folder, or from the name of a model that comes with the package ("starter").

    `device` is "cpu", "cuda" or "cuda:N". `lm` is a language model or its file; "model" is the one that lies in the
    model's folder, if any, and None uses none. "hf:NAME", "torchaudio:NAME" and "onnx:FOLDER" are models of others
    (foreign.py); what is not there yet of the first two is downloaded then. `decode` is by default what was tuned for
    the model (decode.json), or such a file, or the folder that it is in; with DecodeOptions the search alone is done,
    with PyctcdecodeOptions that of pyctcdecode. `bias`, 0 to 2, is the dial for the strength of all lists
    (DecodeOptions.bias). `adapter` is the folder of an adapter that was trained for the model (docs/adapter.md); None
    uses the one in the model's own folder, if any.
    Raises `ModelError` if there is no such model, or it cannot be read, and `LanguageModelError` for a language model
    that cannot be.
    """
    from asrbias.model import load_model

    if options is not None and not isinstance(options, RecognizeOptions):
        raise TypeError(f"options is {type(options).__name__}; give a RecognizeOptions.")
    if is_foreign(name):
        made = load_foreign(str(name), str(torch_device(device)))
        if adapter is not None:
            from asrbias.foreign_adapting import use_adapter

            use_adapter(made, Path(adapter))
        return _foreign(made, device=device, lm=lm, decode=decode, bias=bias, options=options)
    folder = find_model(name)
    if decode is None or isinstance(decode, (str, PathLike)):
        decode = own_decode_options(folder) if decode is None else read_options(decode)
        if decode is not None and options is not None:  # what is asked for must not be capped by what was tuned
            nbest = max(decode.decode.nbest, options.nbest)
            decode = replace(decode, decode=replace(decode.decode, nbest=nbest))
    if bias is not None:
        decode = _with_bias(decode, bias)
    model = load_model(folder)
    if adapter is not None:
        decode = _with_adapter(model, Path(adapter), decode)
    return Recognizer(model, device=device, lm=_language_model(folder, lm), decode=decode, options=options)


def _with_adapter(model: Model, folder: Path, options: Options | None) -> JointOptions:
    """Gives the model that adapter; the options with it on."""
    from asrbias.adapter_files import load_adapter

    if isinstance(options, PyctcdecodeOptions):
        raise TypeError("An adapter is no part of PyctcdecodeOptions; leave it out, or decode with JointOptions.")
    model.adapter = load_adapter(folder, model.encoder)
    joint = JointOptions(decode=options) if isinstance(options, DecodeOptions) else options or JointOptions()
    return replace(joint, adapter=joint.adapter or AdapterOptions())


def _foreign(
    model: ForeignModel,
    *,
    device: str | torch.device,
    lm: LanguageModel | str | Path | None,
    decode: Options | str | Path | None,
    bias: float | None,
    options: RecognizeOptions | None,
) -> Recognizer:
    """A model of others has neither options nor a language model of its own."""
    if decode is None or isinstance(decode, (str, PathLike)):
        decode = None if decode is None else read_options(decode)
    if bias is not None:
        from asrbias.foreign_options import usual_options

        decode = _with_bias(decode or usual_options(model, options.nbest if options else 1), bias)
    words = None if lm == OWN_LM else _language_model(Path(), lm)
    return Recognizer(model, device=device, lm=words, decode=decode, options=options)


def _with_bias(options: Options | None, bias: float) -> Options:
    if isinstance(options, DecodeOptions):
        return replace(options, bias=bias)
    if not isinstance(options, JointOptions | None):
        raise TypeError(f"bias is no option of {type(options).__name__}; leave it out, or decode with JointOptions.")
    joint = options or JointOptions()
    return replace(joint, decode=replace(joint.decode, bias=bias))


def own_decode_options(folder: Path) -> JointOptions | None:
    """What was tuned for a model: decode.json in its folder, if any. Raises ModelError if it is damaged."""
    path = folder / OPTIONS
    return read_options(path) if path.is_file() else None


def read_options(path: str | Path) -> JointOptions:
    """Options in a file such as `asrbias tune` writes, or in the decode.json of a folder.

    Raises ModelError if it is damaged, OSError if it cannot be read.
    """
    from asrbias.model import ModelError

    path = Path(path) / OPTIONS if Path(path).is_dir() else Path(path)
    try:
        return JointOptions.from_json(read_object(path))
    except (TypeError, ValueError) as error:
        what = str(error).rstrip(".")
        raise ModelError(f"{path} cannot be used ({what}); correct it, or take it anew from where it came.") from error


def find_language_model(folder: Path) -> Path | None:
    """The language model that lies in a model's folder, if any."""
    return next((path for path in sorted(folder.glob("lm.*")) if path.is_file()), None)


def _language_model(folder: Path, lm: LanguageModel | str | Path | None) -> LanguageModel | None:
    if lm is None or isinstance(lm, LanguageModel):
        return lm
    if not isinstance(lm, (str, PathLike)):
        raise TypeError(f"lm is {type(lm).__name__}; give a LanguageModel, its file, {OWN_LM!r} or None.")
    path = find_language_model(folder) if lm == OWN_LM else Path(lm)
    return LanguageModel.read(path) if path is not None else None
