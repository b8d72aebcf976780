"""The lists of a manifest: that for all lines, and each line's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrbias.entities import EntityError, EntityList, EntityTypeError
from asrbias.errors import sentence
from asrbias.manifestlines import ManifestError, ManifestLine

if TYPE_CHECKING:
    from asrbias.decoder import Decoder
    from asrbias.joint import JointDecoder
    from asrbias.phrases import Unusable

MOST_NAMED = 5  # unusable phrases that are named at a line


class ManifestLists:
    """The list for each line: the one for all lines and the line's own, a file read once. Checks all at the start."""

    def __init__(self, manifest: Path, common: EntityList | None, lines: list[ManifestLine], *, no_list: bool) -> None:
        self.manifest, self.common, self.no_list = manifest, common, no_list
        self.files: dict[Path, EntityList] = {}
        self._told: set[str] = set()  # phrases that were said to be unusable
        if not no_list:
            for line in lines:
                self._own(line)

    def of(self, line: ManifestLine) -> EntityList | None:
        if self.no_list:
            return None
        own = self._own(line)
        if own is None or self.common is None:
            return self.common if own is None else own
        return EntityList([*self.common, *own])

    def unusable(self, line: ManifestLine, listed: EntityList | None, decoder: Decoder | JointDecoder) -> str | None:
        """What of a line's list cannot be found, each phrase at the first line that has it; None if nothing."""
        return self.said_unusable(line, decoder.compile(listed).unusable) if listed else None

    def said_unusable(self, line: ManifestLine, unusable: Sequence[Unusable]) -> str | None:
        """The same, of what a decoder could not use of the line's list."""
        new = [one for one in unusable if one.phrase not in self._told]
        if not new:
            return None
        self._told.update(one.phrase for one in new)
        some = "; ".join(f"{one.phrase!r:.80}: {one.reason}" for one in new[:MOST_NAMED])
        more = f"; and {len(new) - MOST_NAMED} more" if len(new) > MOST_NAMED else ""
        return f"{self.manifest}:{line.number}: not used: {some}{more}"

    def _own(self, line: ManifestLine) -> EntityList | None:
        if line.entities is None:
            return None
        try:
            if isinstance(line.entities, list):
                return EntityList(line.entities)
            if line.entities not in self.files:
                self.files[line.entities] = EntityList.read(line.entities)
            return self.files[line.entities]
        except OSError as error:
            place = f"{self.manifest}:{line.number}"
            raise ManifestError(f"{place}: the list {sentence(error)}") from error
        except (EntityError, EntityTypeError) as error:
            raise ManifestError(f"{self.manifest}:{line.number}: {error}") from error

    @property
    def digests(self) -> list[Any]:
        """What tells them from others; lists that stand in the manifest's lines are told by these."""
        files = sorted((str(path), entities.digest) for path, entities in self.files.items())
        return [self.no_list, self.common.digest if self.common is not None else None, files]
