"""Put the blocks of docs/results into README.md, docs/*.md and model cards: python recipes/results/show.py [--check]

A document shows a block between two comments, which may name a block other than "table":

    <!-- results: main -->
    ...
    <!-- end -->
    <!-- results: peers/times -->
    ...
    <!-- end -->

Pages that are of another model than the one that is shipped are marked. --check changes nothing, and fails if it would.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from page import PAGES, ROOT, blocks, marked, model_digest

from asrbias.files import write_whole
from asrbias.loading import STARTER, find_model

SHOWN = re.compile(r"<!-- results: ([\w-]+)(?:/([\w-]+))? -->\n.*?<!-- end -->", re.DOTALL)


def filled(text: str, pages: Path) -> str:
    """A document with the blocks that it names as they are now; what a page that is not made yet will show is left.

    Raises SystemExit for a block that its page does not have.
    """

    def block(found: re.Match[str]) -> str:
        path, name = pages / f"{found[1]}.md", found[2] or "table"
        if not path.is_file():
            return found[0]
        known = blocks(path.read_text(encoding="utf-8"))
        if name not in known:
            raise SystemExit(f"{path} has no block {name!r}; it has {', '.join(known) or 'none'}.")
        return f"{found[0].splitlines()[0]}\n{known[name]}<!-- end -->"

    return SHOWN.sub(block, text)


def documents(root: Path = ROOT) -> list[Path]:
    """What may show blocks."""
    cards = (root / "asrbias" / "models").glob("*/README.md")
    return [root / "README.md", *sorted((root / "docs").glob("*.md")), *sorted(cards)]


def changes(shipped: str, pages: Path = PAGES, root: Path = ROOT, *, write: bool = True) -> list[Path]:
    """The files that are not as they must be; with `write` they are after this."""
    found = []
    for path in [*sorted(pages.glob("*.md")), *documents(root)]:
        text = path.read_text(encoding="utf-8")
        new = marked(text, shipped) if path.parent == pages else filled(text, pages)
        if new != text:
            found.append(path)
            if write:
                write_whole(path, new.encode())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 if something would change")
    arguments = parser.parse_args()
    found = changes(model_digest(find_model(STARTER)), write=not arguments.check)
    for path in found:
        print(f"{path.relative_to(ROOT)}: {'not as' if arguments.check else 'now as'} docs/results has it")
    if found and arguments.check:
        sys.exit(1)


if __name__ == "__main__":
    main()
