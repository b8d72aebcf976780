"""The command line: `asrbias transcribe | score | ablate | ...`, each command in its own module."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Sequence

from asrbias import __version__
from asrbias.errors import sentence

COMMANDS = {
    "transcribe": ("asrbias.transcribe_command", "recordings to text, with a list of names"),
    "explain": ("asrbias.explain_command", "a page that shows what a list did to a recording"),
    "score": ("asrbias.score_command", "WER, U-WER and B-WER, entity precision, recall and F1"),
    "ablate": ("asrbias.ablate_command", "what each technique of biasing does, alone and together"),
    "tune": ("asrbias.tune_command", "all weights of biasing, found on held-out speech"),
    "entities": ("asrbias.entities_command", "what a list can do: used, dropped, risky, and why"),
    "train": ("asrbias.train_command", "train a base model"),
    "train-adapter": ("asrbias.train_adapter_command", "train a contextual adapter for a frozen model"),
    "lm": ("asrbias.lm_command", "a word n-gram model from text"),
    "pack": ("asrbias.pack_command", "decode a manifest's recordings once, for training"),
}


def build_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The parser; only the chosen command's module is imported, so that --help and errors are quick."""
    parser = argparse.ArgumentParser(
        prog="asrbias", description="CTC speech recognition that writes the names on your list, without retraining."
    )
    parser.add_argument("--version", action="version", version=f"asrbias {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name == chosen:
            importlib.import_module(module).add_arguments(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; bad input ends with one sentence on standard error and status 2, never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:2] == ["train", "adapter"]:
        given[:2] = ["train-adapter"]
    chosen = next((word for word in given if word in COMMANDS), None)
    parsed = build_parser(chosen).parse_args(given)

    def say(message: Warning | str, *_: object, **__: object) -> None:
        print(f"asrbias {parsed.command}: {message}", file=sys.stderr)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = say  # without the line of code that Python shows
            status: int = importlib.import_module(COMMANDS[parsed.command][0]).run(parsed)
            return status
    except BrokenPipeError:  # whoever read the output has enough of it, as `head` has
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (else Python complains once more at its end)
        return 141
    except (ValueError, TypeError, OSError, MemoryError) as error:
        say(sentence(error))
        return 2
    except KeyboardInterrupt:
        say("stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main())
