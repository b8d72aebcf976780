"""The commands of asrbias and the scripts of other recipes, called as on a command line; a failure is an error."""

from __future__ import annotations

import contextlib
import io
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.config import Machine, flags
from corpus.errors import RecipeError

from asrbias import cli
from asrbias.errors import sentence

RECIPES = Path(__file__).resolve().parents[1]


def asrbias(*arguments: object) -> None:
    """`asrbias ARGUMENTS`, in this process. RecipeError if it fails; it has said why on standard error."""
    given = [str(argument) for argument in arguments]
    try:
        status = cli.main(given)
    except SystemExit as ended:  # argparse, of an option that there is not
        status = int(ended.code or 0)
    if status == 130:
        raise KeyboardInterrupt
    if status:
        raise RecipeError(f"`asrbias {' '.join(given)}` failed with status {status}; what was wrong stands above.")


def asrbias_json(*arguments: object) -> str:
    """What `asrbias ARGUMENTS` prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        asrbias(*arguments)
    return printed.getvalue()


def script(name: str, *arguments: object) -> None:
    """`python recipes/NAME ARGUMENTS`, in this process. RecipeError if it fails."""
    with _arguments([name, *map(str, arguments)]):
        try:
            runpy.run_path(str(RECIPES / name), run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                raise RecipeError(f"recipes/{name}: {ended.code}") from None
        except (ValueError, OSError) as error:
            raise RecipeError(f"recipes/{name}: {sentence(error)}") from error


@contextlib.contextmanager
def _arguments(given: list[str]) -> Iterator[None]:
    earlier, sys.argv = sys.argv, given
    try:
        yield
    finally:
        sys.argv = earlier


def train(machine: Machine, options: dict[str, Any], *arguments: object) -> None:
    """`asrbias train`, by torchrun where there are several processes, each of which takes its share of a batch."""
    shared = options | {
        name: options[name] / machine.processes for name in ("seconds", "text-seconds") if name in options
    }
    given = [*map(str, arguments), *flags(shared), "--device", machine.device, "--workers", str(machine.workers)]
    if machine.processes == 1:
        asrbias("train", *given)
        return
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(machine.processes)]
    command = [sys.executable, *launcher, "-m", "asrbias", "train", *given]
    if status := subprocess.run(command).returncode:
        raise RecipeError(f"`{' '.join(command)}` failed with status {status}; what was wrong stands above.")
