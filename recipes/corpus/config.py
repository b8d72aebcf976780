"""The one file of settings of a recipe: TOML tables, some with fields that are checked here, some passed on as options.

python recipes/voxpopuli/run.py WORK --config my.toml      # tables that it leaves out are those of config.toml
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from corpus.errors import RecipeError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, no-redef, unused-ignore]  # of pytest

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the trainings run on."""

    device: str = "cuda"  # cuda or cpu
    processes: int = 1  # of torchrun, a GPU each; a batch's seconds are shared out among them
    workers: int = 4  # processes that cut, read and augment (for each GPU)


class Config:
    """Tables by name. A table of the given file replaces the default's settings one by one."""

    def __init__(self, default: Path, given: Path | None = None) -> None:
        self.path = given or default
        self.tables: dict[str, dict[str, Any]] = _read(default)
        known = set(self.tables)
        for name, table in (_read(given) if given else {}).items():
            if name not in known:
                raise RecipeError(f"{given} has a table [{name}]; the tables are {', '.join(sorted(known))}.")
            self.tables[name] = self.tables[name] | table

    def options(self, table: str) -> dict[str, Any]:
        """A table as it is: options of a command of asrbias."""
        return dict(self.tables[table])

    def fields(self, table: str, kind: type[T]) -> T:
        """A table as a frozen dataclass. Raises RecipeError for a setting that it has not, or of another type."""
        expected = {one.name: type(one.default) for one in fields(kind)}  # type: ignore[arg-type]
        content = self.tables[table]
        if unknown := sorted(set(content) - set(expected)):
            allowed = ", ".join(sorted(expected))
            raise RecipeError(f"{self.path}: [{table}] has {unknown[0]!r}; its settings are {allowed}.")
        values: dict[str, Any] = {}
        for name, value in content.items():
            wanted = expected[name]
            value = tuple(value) if isinstance(value, list) else value
            value = float(value) if wanted is float and type(value) is int else value
            if type(value) is not wanted:
                raise RecipeError(
                    f"{self.path}: {name} in [{table}] is {value!r}; it must be of type {wanted.__name__}."
                )
            values[name] = value
        return kind(**values)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with open(path, "rb") as file:
            tables: dict[str, dict[str, Any]] = tomllib.load(file)
    except OSError as error:
        raise RecipeError(
            f"{path} cannot be read ({error.strerror}); give the recipe's config, or your own."
        ) from error
    except ValueError as error:  # TOML or UTF-8
        raise RecipeError(f"{path} is no TOML ({error}); compare it with the recipe's config.toml.") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise RecipeError(f"{path}: {name} stands outside of a table; put it under [...].")
    return tables


def flags(options: Mapping[str, Any]) -> list[str]:
    """Options as a command line has them: {"steps": 3, "apart": True, "subword-layers": [6, 12]}."""
    line: list[str] = []
    for name, value in options.items():
        if value is False or value == []:
            continue
        line.append(f"--{name}")
        if value is not True:
            line += [str(item) for item in (value if isinstance(value, list) else [value])]
    return line
