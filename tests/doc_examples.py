"""Reads the examples out of a Markdown page, and runs them as a reader would: in order, in one folder.

    ```python                 run, in one namespace for the whole page
    ```bash, ```sh            run line by line; "# status 1" at a line's end is the status that it must have (else 0)
    ```tsv names.tsv          any language and a file's name: a file, written into the folder as it stands
    ```text                   what the example before it prints; "..." stands for anything, white space counts as one
    <!-- not run: reason -->  before an example: it is not run here, and why
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asrbias.cli import main

RUNNABLE = ("python", "bash", "sh")
OUTPUT = "text"
_FENCE = re.compile(r"^```(\S*)(?: +(\S+))?\s*$")
_MARK = re.compile(r"^<!-- *not run *:? *(.*?) *-->$")
_STATUS = re.compile(r"\s+# status (\d+)\b.*$")
_COMMENT = re.compile(r"(?:^|\s+)#(?: |$).*$")  # "# " outside of quotes: no example here quotes one
_SHELL = re.compile(r"[|><;$&*]")  # what only a shell understands


@dataclass(frozen=True)
class Example:
    """A fenced block of a page."""

    place: str  # page:line
    language: str
    code: str
    file: str | None = None  # the name under which it is written, instead of run
    not_run: str | None = None  # why it is not run; "" where the mark gives no reason
    printed: str | None = None  # what the page shows of its output


def read_examples(page: Path) -> list[Example]:
    """The blocks of a page, each with the output shown for it. Raises ValueError for a fence that is never closed."""
    found: list[Example] = []
    mark: str | None = None
    lines = iter(enumerate(page.read_text(encoding="utf-8").split("\n"), 1))
    for number, line in lines:
        if match := _MARK.match(line.strip()):
            mark = match[1]
        elif fence := _FENCE.match(line):
            code = _until_closed(lines, f"{page.name}:{number}")
            if fence[1] == OUTPUT and not fence[2] and found:
                found[-1] = replace(found[-1], printed=code)
            else:
                found.append(Example(f"{page.name}:{number}", fence[1], code, fence[2], mark))
            mark = None
        elif line.startswith("```"):
            raise ValueError(f"{page.name}:{number}: the fence {line!r} cannot be read.")
    return found


def _until_closed(lines: Iterator[tuple[int, str]], place: str) -> str:
    code = []
    for _, line in lines:
        if line.rstrip() == "```":
            return "\n".join(code) + "\n"
        code.append(line)
    raise ValueError(f"{place}: the fence is never closed.")


def run_examples(examples: list[Example], folder: Path) -> None:
    """Run the examples of a page, the current folder being `folder`; an AssertionError says which failed, and how."""
    namespace: dict[str, Any] = {"__name__": "example"}
    for example in examples:
        if example.file is not None:
            (folder / example.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / example.file).write_text(example.code, encoding="utf-8")
        elif example.not_run is None and example.language in RUNNABLE:
            printed = _python(example, namespace) if example.language == "python" else _shell(example, folder)
            if example.printed is not None:
                _compare(example, printed)


def _compare(example: Example, printed: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    expected = example.printed or ""
    same = doctest.OutputChecker().check_output(expected, printed, flags)
    assert same, f"{example.place}: the page shows\n{expected}\nbut this is printed:\n{printed}"


def _python(example: Example, namespace: dict[str, Any]) -> str:
    with _captured() as printed:
        exec(compile(example.code, example.place, "exec"), namespace)
    return printed.getvalue()


def _shell(example: Example, folder: Path) -> str:
    printed = ""
    for line in example.code.replace("\\\n", " ").split("\n"):
        status = int(match[1]) if (match := _STATUS.search(line)) else 0
        command = _COMMENT.sub("", line).strip()
        if not command:
            continue
        ended, shown = _command(command, folder)
        assert ended == status, f"{example.place}: {command!r} ended with status {ended}, not {status}:\n{shown}"
        printed += shown
    return printed


def _command(command: str, folder: Path) -> tuple[int, str]:
    """Status and output. A plain asrbias command runs in this process: torch is loaded already."""
    if command.startswith("asrbias ") and not _SHELL.search(command):
        with _captured() as printed:
            try:
                status = main(shlex.split(command)[1:])
            except SystemExit as stopped:
                status = int(stopped.code or 0)
        return status, printed.getvalue()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command], cwd=folder, env=environment, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return run.returncode, run.stdout


@contextlib.contextmanager
def _captured() -> Iterator[io.StringIO]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed


# --- options that a text names -----------------------------------------------------------------------------------

_CALL = re.compile(r"\basrbias (train adapter|[a-z][a-z-]*)((?:[^`\n;|#])*)")
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")
_SCRIPT = re.compile(r"([\w./-]+\.py)\b((?:[^`\n;|#])*)")


def calls(text: str, options: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, list[str]]]:
    """(command, its long options) of every call of a known command in a text; lines that go on are joined."""
    for match in _CALL.finditer(text.replace("\\\n", " ")):
        if (command := match[1].replace(" ", "-")) in options:
            yield command, _OPTION.findall(match[2])


def scripts(text: str) -> Iterator[tuple[str, list[str]]]:
    """(script, its long options) of every Python script that a text names."""
    for match in _SCRIPT.finditer(text.replace("\\\n", " ")):
        yield match[1], _OPTION.findall(match[2])
