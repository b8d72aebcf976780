"""From files to utterances: one file that holds both texts, or a file of references and one of hypotheses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asrbias.errors import sentence
from asrbias.score_formats import FORMATS, Record, guess_format, lines
from asrbias.score_results import ScoreInputError, Utterance


@dataclass(frozen=True, kw_only=True)
class Run:
    """The utterances of one system, ready to be scored."""

    utterances: tuple[Utterance, ...]
    format: str  # of the references
    notes: tuple[str, ...] = ()  # what was left out


def read_run(
    file: Path,
    refs: Path | None = None,
    *,
    format: str = "auto",
    partial: bool = False,
    common_list: Path | None = None,
) -> Run:
    """Read the output of one system.

    Args:
        file: hypotheses; with the references in it where `refs` is None (jsonl, nemo).
        refs: references, and what else is known of the utterances; in any of the formats, not only that of `file`.
        format: of `file`, and of `refs` if that has no tell-tale first line; auto: told from the first line.
        partial: leave out what one side does not have, instead of refusing it.
        common_list: a file of phrases that the recognizer was given for every utterance, added to the lines' own.

    Raises:
        ScoreInputError: with id and line, whatever is wrong with a file.
    """
    said, said_format = _read(file, format)
    if format not in ("auto", said_format):
        raise ScoreInputError(f"--format is {format}, but {file} is {said_format}; leave --format out.")
    if refs is None:
        if said_format not in ("jsonl", "nemo"):
            raise ScoreInputError(
                f"{file} ({said_format}) holds one text an utterance; give it as --hyps and the references as --refs."
            )
        true, true_format = said, said_format
    else:
        true, true_format = _read(refs, format)
    left_out: list[str] = []
    utterances = []
    phrases = _PhraseFiles(common_list)
    for key in [*true, *(key for key in said if key not in true)]:
        problem = _missing(key, true, said, file, refs)
        if problem is None:
            utterances.append(_utterance(true[key], said[key], refs is not None, phrases))
        elif partial:
            left_out.append(problem)
        else:
            raise ScoreInputError(f"{problem} Add it, or score what both have with --partial.")
    notes = (f"{len(left_out)} utterances were left out; the first: {left_out[0]}",) if left_out else ()
    return Run(utterances=tuple(utterances), format=true_format, notes=(*notes, *_failures(said, utterances)))


def _failures(said: dict[str, Record], scored: Sequence[Utterance]) -> Iterable[str]:
    """A note on recordings that `asrbias transcribe` could not transcribe."""
    failed = [said[one.id].where for one in scored if said[one.id].fields.get("error")]
    if failed:
        yield (
            f"{len(failed)} recordings could not be transcribed (they have an `error`) and count as empty hypotheses, "
            f"the first at {failed[0]}."
        )


def same_utterances(main: Sequence[Utterance], other: Run, partial: bool) -> tuple[tuple[Utterance, ...], ...]:
    """A second system's texts put to the first one's references and lists, so that both are judged alike.

    Returns both, with the utterances that both have, in the order of the first.
    """
    by_id = {utterance.id: utterance for utterance in other.utterances}
    kept = [utterance for utterance in main if utterance.id in by_id]
    if not partial and (len(kept) < len(main) or len(kept) < len(by_id)):
        ids = {utterance.id for utterance in main}
        lone = next(iter([u.id for u in main if u.id not in by_id] + [key for key in by_id if key not in ids]))
        where = "first" if lone in ids else "second"
        raise ScoreInputError(
            f"{lone!r} is in the {where} system's file only; add it to the other, or compare what both have with "
            "--partial."
        )
    for utterance in kept:
        theirs = by_id[utterance.id].reference
        if " ".join(theirs.split()) != " ".join(utterance.reference.split()):
            raise ScoreInputError(
                f"The references of {utterance.id!r} differ between the two systems: {utterance.reference[:60]!r} and "
                f"{theirs[:60]!r}; both must be scored against the same text."
            )
    return tuple(kept), tuple(replace(u, hypothesis=by_id[u.id].hypothesis) for u in kept)


def _read(path: Path, format: str) -> tuple[dict[str, Record], str]:
    rows = lines(path)
    named = guess_format(path, rows) if format == "auto" or _is_json(rows) != (format in ("jsonl", "nemo")) else format
    records: dict[str, Record] = {}
    for record in FORMATS[named](path, rows):
        if record.id in records:
            raise ScoreInputError(
                f"The id {record.id!r} is twice in one file, at {records[record.id].where} and {record.where}; "
                "ids must differ."
            )
        records[record.id] = record
    if not records:
        raise ScoreInputError(f"{path} holds no utterance.")
    return records, named


def _is_json(rows: Iterable[str]) -> bool:
    return next((row for row in rows if row.strip()), "").startswith("{")


def _missing(key: str, true: dict[str, Record], said: dict[str, Record], file: Path, refs: Path | None) -> str | None:
    """One sentence on what the utterance lacks, None if nothing."""
    if key not in said:
        return f"{true[key].where} has a reference, but {file} has no such utterance."
    if key not in true:
        return f"{said[key].where} has a hypothesis, but {refs} has no such utterance."
    if true[key].text is None:
        return f"{true[key].where} has no reference (`text`)."
    if not (true[key].text or "").strip():
        return f"{true[key].where} has an empty reference, so it has no error rate."
    if _hypothesis(said[key], refs is not None) is None:
        return f"{said[key].where} has no hypothesis."
    return None


def _hypothesis(record: Record, separate: bool) -> str | None:
    return record.text if separate and record.hypothesis is None else record.hypothesis


def _utterance(true: Record, said: Record, separate: bool, phrases: _PhraseFiles) -> Utterance:
    listed = true.list if said.list is None else said.list
    return Utterance(
        id=true.id,
        reference=true.text or "",
        hypothesis=_hypothesis(said, separate) or "",
        entities=true.entities if true.entities is not None or not separate else said.entities,
        list=phrases.together(listed, true.where),
        list_size=said.list_size if said.list_size is not None else true.list_size,
        biasing_words=true.biasing_words,
        duration=true.duration if true.duration is not None else said.duration,
        fields={**said.fields, **true.fields} if said is not true else true.fields,
    )


class _PhraseFiles:
    """Lists kept in files: each is read once, and its utterances share it."""

    def __init__(self, common: Path | None) -> None:
        self._known: dict[Path, tuple[str, ...]] = {}
        self._common = None if common is None else self._read(common, "--list")

    def together(self, listed: tuple[str, ...] | Path | None, where: str) -> tuple[str, ...] | None:
        own = self._read(listed, where) if isinstance(listed, Path) else listed
        if self._common is None or own is None:
            return own if self._common is None else self._common
        return own + self._common

    def _read(self, path: Path, where: str) -> tuple[str, ...]:
        if path not in self._known:
            from asrbias.entities import EntityList

            try:
                self._known[path] = tuple(entity.shown for entity in EntityList.read(path))
            except OSError as error:
                raise ScoreInputError(f"The phrase list of {where}: {sentence(error)}") from error
        return self._known[path]
