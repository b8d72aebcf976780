"""Stages of a recipe: run one, some or all; what is finished is not done again.

A finished stage leaves WORK/done/NAME.json with the settings that it was made with and the stages that it was made
from. Given again, it does nothing; if its settings or an earlier stage have changed since, it says so and stops, for
hours of training are not thrown away unasked: `--again` makes the stages named anew.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.errors import RecipeError

from asrbias.errors import sentence
from asrbias.files import write_whole


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a recipe that is run as a whole."""

    name: str
    about: str
    run: Callable[[], None]
    settings: Mapping[str, Any]  # JSON; what of the config its result depends on
    after: tuple[str, ...] = ()  # stages whose results it reads
    makes: tuple[str, ...] = ()  # files and folders below WORK that --again removes first
    keeps_parts: bool = False  # what a stopped run leaves does not fit other settings


class Stages:
    """The stages of a recipe in one working folder, in their order."""

    def __init__(self, work: Path, stages: Sequence[Stage]) -> None:
        self.work, self.stages = work, {stage.name: stage for stage in stages}

    def run(self, names: Sequence[str] = (), *, again: bool = False) -> None:
        """Run the stages named, or all, in the order of the recipe. Raises RecipeError."""
        if unknown := [name for name in names if name not in self.stages]:
            raise RecipeError(f"There is no stage {unknown[0]!r}; the stages are {', '.join(self.stages)}.")
        self.work.mkdir(parents=True, exist_ok=True)
        with self._alone():
            for stage in self.stages.values():
                if not names or stage.name in names:
                    self._run(stage, again)

    def _run(self, stage: Stage, again: bool) -> None:
        for earlier in stage.after:
            if self._check(self.stages[earlier]) is None:
                raise RecipeError(f"The stage {stage.name} needs {earlier}, which is not finished; run it first.")
        if again:
            for path in (self._marker(stage), self._begun(stage), *(self.work / name for name in stage.makes)):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        elif finished := self._check(stage):
            say(f"{stage.name}: finished {finished}; nothing to do")
            return
        say(f"{stage.name}: {stage.about}")
        made = {"settings": stage.settings, "after": {name: self._digest(self.stages[name]) for name in stage.after}}
        if stage.keeps_parts and self._begun(stage).is_file():
            self._compare(stage, self._begun(stage), "begun")
        _write(self._begun(stage), made)
        since = time.time()
        stage.run()
        seconds = round(time.time() - since, 1)
        _write(self._marker(stage), {"finished": time.strftime("%Y-%m-%d %H:%M:%S"), "seconds": seconds, **made})
        self._begun(stage).unlink()

    def _marker(self, stage: Stage) -> Path:
        return self.work / "done" / f"{stage.name}.json"

    def _begun(self, stage: Stage) -> Path:
        return self.work / "done" / f"{stage.name}.begun.json"

    def _digest(self, stage: Stage) -> str:
        return hashlib.sha256(self._marker(stage).read_bytes()).hexdigest()

    def _check(self, stage: Stage) -> str | None:
        """When it was finished, or None; RecipeError if what it was made with or from is another by now."""
        marker = self._marker(stage)
        return str(self._compare(stage, marker, "finished")["finished"]) if marker.is_file() else None

    def _compare(self, stage: Stage, marker: Path, what: str) -> dict[str, Any]:
        """What a marker says, if it is of these settings and earlier stages; RecipeError otherwise."""
        content: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8"))
        remedy = f"give `{stage.name} --again` to make it anew"
        changed = _difference(content["settings"], json.loads(json.dumps(stage.settings)))
        if changed:
            raise RecipeError(f"The stage {stage.name} was {what} with other settings ({changed}); {remedy}.")
        for name, digest in content["after"].items():
            if self._check(self.stages[name]) is None or self._digest(self.stages[name]) != digest:
                raise RecipeError(f"The stage {stage.name} was {what} from {name}, which is newer by now; {remedy}.")
        return content

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two runs in one folder would write into each other's files."""
        with open(self.work / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RecipeError(
                    f"Another run is at work in {self.work}; wait for it, or use another folder."
                ) from None
            yield


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


def _difference(old: Any, new: Any, place: str = "") -> str:
    """The first place where two JSON values differ, with both; "" if they are equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if found := _difference(old.get(key), new.get(key), f"{place}.{key}" if place else key):
                return found
        return ""
    return "" if old == new else f"{place} was {json.dumps(old)}, is {json.dumps(new)}"


def once(done: Path, make: Callable[[], None]) -> None:
    """A part of a stage: skipped where its last file is there already."""
    if done.exists():
        say(f"  {done}: there already")
        return
    make()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(make: Callable[[Path, Path | None], Stages], about: str) -> int:
    """The command line of a recipe: WORK [STAGE...] [--config FILE] [--again]."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, metavar="WORK", help="folder for everything that the recipe makes")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="default: all, in their order")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings that differ from config.toml")
    parser.add_argument("--again", action="store_true", help="make the stages named anew")
    given = parser.parse_args()
    try:
        if given.again and not given.stages:
            raise RecipeError("--again needs the names of stages; what is to be made anew?")
        make(given.work.resolve(), given.config).run(given.stages, again=given.again)
    except (RecipeError, ValueError, OSError) as error:
        say(sentence(error))
        return 2
    except KeyboardInterrupt:
        say("stopped; the same command goes on")
        return 130
    return 0
