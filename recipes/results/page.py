"""A results page: docs/results/NAME.md, made whole by one script, with what says where it is from.

A page has blocks, `<!-- block: table -->` to `<!-- end -->`, which show.py puts into README and docs; then how it was
made. Its key tells whether it would come out the same: model, program, script, options, data.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from asrbias.ablate_command import digest, program
from asrbias.files import write_whole
from asrbias.loading import STARTER, find_model

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "results"
MODEL = re.compile(r"^- model: `([^`]+)`, digest `([0-9a-f]+)`", re.MULTILINE)
SCRIPT = re.compile(r"^- command: `(?:python|bash) (\S+)", re.MULTILINE)
BLOCK = re.compile(r"<!-- block: ([\w-]+) -->\n(.*?)<!-- end -->", re.DOTALL)
KEY = re.compile(r"<!-- made from: ([0-9a-f]+) -->")
EARLIER = "**Of an earlier starter, not of the one that is shipped.**\n\n"


def parser(description: str | None, *, limit: bool = True) -> argparse.ArgumentParser:
    """The arguments that every table's script has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("shared", type=Path, metavar="SHARED", help="folder with speech/ and text/, as ../shared")
    made.add_argument("--output", type=Path, default=ROOT / "build" / "results", metavar="FOLDER",
                      help="posteriors and hypotheses, kept for the next table (default: build/results)")  # fmt: skip
    made.add_argument("--model", default=STARTER, help="model folder or name (default: %(default)s)")
    made.add_argument("--threads", type=int, default=1, help="for decoding (default: %(default)s)")
    made.add_argument("--again", action="store_true", help="make the page anew though nothing has changed")
    made.add_argument("--pages", type=Path, default=PAGES, help="where the page goes (default: docs/results)")
    if limit:
        made.add_argument("--limit", type=int, metavar="N", help="a trial with N recordings: the page goes to --output")
    return made


def model_digest(folder: Path) -> str:
    """Of all that decoding reads in a model's folder; the card may change. 12 hexadecimal digits."""
    return digest(path for path in sorted(folder.iterdir()) if path.suffix != ".md")[:12]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a script has found out.

    Args:
        name: of the file; title: its heading.
        blocks: markdown by name; "table" is the one that is shown where nothing else is said.
        about: what was measured, a sentence each.
        drawing: an SVG that stands beside the page.
        more: markdown after the blocks.
    """

    name: str
    title: str
    blocks: Mapping[str, str]
    about: Sequence[str]
    drawing: str | None = None
    more: str = ""


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Where a page is made from, and whether it is made already."""

    name: str
    script: Path
    arguments: argparse.Namespace
    data: Sequence[Path] = ()  # files whose contents count
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return find_model(self.arguments.model)

    @property
    def limited(self) -> bool:
        return bool(getattr(self.arguments, "limit", None))

    @property
    def path(self) -> Path:
        pages: Path = self.arguments.output / "trial" if self.limited else self.arguments.pages
        return pages / f"{self.name}.md"

    @property
    def key(self) -> str:
        content = [model_digest(self.folder), program(), digest([self.script, *self.data]), dict(self.options)]
        content.append(getattr(self.arguments, "limit", None))
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def done(self) -> bool:
        """Whether the page is there and would come out the same; says so."""
        if self.arguments.again or not self.path.is_file():
            return False
        found = KEY.search(self.path.read_text(encoding="utf-8"))
        if found is None or found[1] != self.key:
            return False
        print(f"{self.path} is up to date (--again makes it anew)")
        return True

    def write(self, page: Page) -> None:
        parts = [f"# {page.title}\n"]
        if page.drawing is not None:
            write_whole(self.path.with_suffix(".svg"), page.drawing.encode())
            parts.append(f"![{page.title}]({self.name}.svg)\n")
        parts += [f"<!-- block: {name} -->\n{text.strip()}\n<!-- end -->\n" for name, text in page.blocks.items()]
        if page.more:
            parts.append(f"{page.more.strip()}\n")
        parts.append("## How it was made\n")
        lines = [
            f"- command: `python {self.script.resolve().relative_to(ROOT)} SHARED`"
            + (
                " (all of them: `make results SHARED=...`)"
                if not self.limited
                else f" with --limit {self.arguments.limit}"
            ),
            f"- model: `{self.arguments.model}`, digest `{model_digest(self.folder)}`; program `{program()[:12]}`",
            f"- date: {date.today()}",
            *(f"- {one}" for one in page.about),
        ]
        parts.append("\n".join([*lines, f"\n<!-- made from: {self.key} -->"]))
        write_whole(self.path, ("\n".join(parts) + "\n").encode())
        print(self.path)


def blocks(text: str) -> dict[str, str]:
    """The blocks of a page by their names."""
    return dict(BLOCK.findall(text))


def marked(text: str, shipped: str) -> str:
    """A page beside a model with the digest `shipped`: where it is of another one, each block says so."""
    of = MODEL.search(text)
    text = text.replace(EARLIER, "")
    if of is None or of[2] == shipped:
        return text
    return BLOCK.sub(lambda found: f"<!-- block: {found[1]} -->\n{EARLIER}{found[2]}<!-- end -->", text)


def rows(*table: Sequence[str]) -> str:
    """A markdown table: the header, then its rows; numbers to the right."""
    head, *rest = table
    align = ["---", *["---:"] * (len(head) - 1)]
    return "".join("| " + " | ".join(row) + " |\n" for row in (head, align, *rest))
