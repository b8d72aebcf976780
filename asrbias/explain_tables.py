"""What a page of an explanation says in words and tables, as markup; every text in it is escaped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import Any

from asrbias.explain_strips import short
from asrbias.explanation import ATTENDED, CHANGES, ENTITIES, LEAST_CHANGE, LEAST_WEIGHT, Explanation
from asrbias.transcript import Transcript, TranscriptWord

NAME = 60  # characters of a name in a table
SPANS = 6  # stretches of attention named in a table


def heading(explanation: Explanation) -> str:
    """One line: how long, how many words, how many of them from the list."""
    words = explanation.transcript.words
    taken = sum(word.entity is not None for word in words)
    return (
        f"{explanation.duration:.2f} s of audio, {_count(len(words), 'word')}, {taken} of them from a list of "
        f"{_count(explanation.list_size, 'entity', 'entities')}."
    )


def notes(explanation: Explanation, first: int, last: int) -> list[str]:
    """What is not on the page, and why."""
    said = []
    step, frames = explanation.seconds_per_frame, len(explanation.log_probs)
    if (first, last) != (0, frames):
        said.append(
            f"Drawn: {first * step:.2f} to {min(last * step, explanation.duration):.2f} s of "
            f"{explanation.duration:.2f} s; --from and --to choose others. The readings are of the whole recording."
        )
    if explanation.attention is None:
        said.append(
            "No contextual adapter was at work (the model has none in use, the list is empty, or --bias is 0), so "
            "there is no attention: what differs between the readings is the decoder's work."
        )
    elif not explanation.adapted:
        said.append("The adapter changed no posterior: what differs between the readings is the decoder's work.")
    if explanation.attention is not None:
        attended, shown = len(explanation.entities), explanation.top(first, last, ENTITIES + 1)
        if attended < explanation.list_size:
            said.append(
                f"Of {explanation.list_size:,} entities the adapter attended to {attended:,}: those that "
                "can be spelled and, of a long list, that the recording may hold by its sounds."
            )
        if len(shown) > ENTITIES:
            said.append(f"Of {attended:,} entities each strip shows those {ENTITIES} with its largest weights.")
    return said


def text(transcript: Transcript, differing: Collection[int], tag: str) -> str:
    """The words; those that differ in `tag`, those from the list marked."""
    return (
        " ".join(_word(word, number in differing, tag) for number, word in enumerate(transcript.words)) or "(no words)"
    )


def _word(word: TranscriptWord, differs: bool, tag: str) -> str:
    shown = escape(word.text)
    if word.entity is not None:
        shown = f'<b class="listed">{shown}</b>'
    return f"<{tag}>{shown}</{tag}>" if differs else shown


def attention_table(explanation: Explanation, summary: dict[str, Any]) -> str:
    """The entities with the largest weights, and when; nothing without an adapter."""
    attention = summary["attention"]
    if attention is None:
        return ""
    taken = {word.entity.shown for word in explanation.transcript.words if word.entity is not None}
    rows = [
        [
            _name(row["entity"]),
            f"{row['largest']:.2f}",
            f"{row['time']:.2f} s",
            f"{100 * row['share']:.2f} %",
            _spans(explanation, row["frames"]),
            "yes" if row["entity"] in taken else "no",
        ]
        for row in attention["entities"]
    ]
    columns = ["entity", "largest weight", "at", "share", f"weight of {ATTENDED:g} or more", "in the text"]
    caption = (
        f"Share: mean weight over all frames; that of &lt;no-bias&gt; is {100 * attention['no_bias']:.1f} %. At most "
        f"{ENTITIES} entities, none whose weight stays below {LEAST_WEIGHT:g}."
    )
    return _table("Entities attended to", columns, rows, caption, text_columns=(0, 4, 5))


def changes_table(explanation: Explanation, summary: dict[str, Any]) -> str:
    """The frames whose best label's probability changed most; nothing where no adapter changed anything."""
    if not explanation.adapted:
        return ""
    rows = []
    for change in summary["changes"]:
        same = change["was"] == change["label"]
        moved = f"{change['was_before']:.2f} → {change['was_after']:.2f}"
        rows.append(
            [
                f"{change['time']:.2f} s",
                _label(explanation, change["label"]),
                f"{change['before']:.2f} → {change['after']:.2f}",
                "the same" if same else _label(explanation, change["was"]),
                "" if same else moved,
                "" if change["entity"] is None else f"{_name(change['entity'])} {change['weight']:.2f}",
            ]
        )
    columns = ["time", "best label", "probability", "best without adapter", "probability", "attended to most"]
    caption = (
        f"Probability without → with the adapter. At most {CHANGES} frames of "
        f"{explanation.seconds_per_frame * 1000:.0f} ms, the largest change first, none of less than {LEAST_CHANGE:g}."
    )
    return _table("What the adapter changed", columns, rows, caption, text_columns=(1, 3, 5))


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str, *, text_columns: Sequence[int]
) -> str:
    """Cells are markup already."""

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = ((' class="text"' if k in text_columns else "") for k in range(len(cells)))
        scope = ' scope="col"' if tag == "th" else ""
        return "".join(f"<{tag}{scope}{kind}>{cell}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    table = (
        f"<table><thead><tr>{line(columns, 'th')}</tr></thead><tbody>{body}</tbody></table>" if rows else "<p>None.</p>"
    )
    return f'<section><h2>{title}</h2><div class="scroll">{table}</div><p>{caption}</p></section>'


def _spans(explanation: Explanation, frames: Sequence[Sequence[int]]) -> str:
    shown = [f"{explanation.seconds(a):.2f}–{explanation.seconds(b + 1):.2f}" for a, b in frames[:SPANS]]
    more = [f"and {len(frames) - SPANS} more"] if len(frames) > SPANS else []
    return ", ".join(shown + more) + (" s" if shown else "")


def _label(explanation: Explanation, label: str) -> str:
    return "<i>blank</i>" if label == explanation.labels[0] else f"'{escape(label)}'"


def _name(name: str) -> str:
    return f'<span title="{escape(name)}">{escape(short(name, NAME))}</span>'


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
