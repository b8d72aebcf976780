"""`asrbias lm`: a word n-gram model from text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asrbias.arpa import ArpaModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias lm` to a parser."""
    parser.description = (
        "Estimate a word n-gram model (interpolated modified Kneser-Ney) from text; write it as ARPA or compactly."
    )
    parser.add_argument(
        "text",
        type=Path,
        nargs="+",
        metavar="TEXT",
        help="a sentence a line, or a manifest (.jsonl); either may be .gz",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="MODEL", help="ends in .arpa, .arpa.gz or .npz (compact)"
    )
    parser.add_argument(
        "--order", type=int, default=3, help="words of the longest n-grams, 1 to 6 (default: %(default)s)"
    )
    parser.add_argument(
        "--prune", type=int, nargs="+", default=[], metavar="COUNT",
        help="for each order the highest count that is dropped, as 0 0 1 (default: nothing is dropped)",
    )  # fmt: skip
    parser.add_argument("--vocabulary", type=int, metavar="N", help="keep the N most frequent words (default: all)")
    parser.add_argument(
        "--mix", type=Path, metavar="FILE",
        help="mix the model of all text with one of each TEXT, by the weights that suit FILE's text best",
    )  # fmt: skip
    parser.add_argument("--held-out", type=Path, metavar="FILE", help="measure the perplexity of FILE's text")


def run(arguments: argparse.Namespace) -> int:
    """Estimate, write, and say what was done."""
    from asrbias.arpa import check_ending
    from asrbias.textfiles import read_sentences

    check_ending(arguments.output)
    sources = {str(path): read_sentences(path) for path in arguments.text}
    held_out = read_sentences(arguments.held_out) if arguments.held_out else []
    for path, sentences in sources.items():
        print(f"{path}: {len(sentences)} sentences, {sum(len(s.split()) for s in sentences)} words")
    model = _estimate(arguments, sources)
    model.write(arguments.output)
    counts = ", ".join(f"{count} {n}-grams" for n, count in enumerate(model.counts, 1))
    print(f"{arguments.output}: {counts}, {arguments.output.stat().st_size / 1e6:.2f} MB")
    if held_out:
        from asrbias.perplexity import perplexity

        seen = {sentence for sentences in sources.values() for sentence in sentences}
        print(f"{arguments.held_out}: {perplexity(model.language_model(), held_out)}")
        if both := sum(sentence in seen for sentence in held_out):
            print(f"{arguments.held_out}: {both} of its sentences are in the text too; the perplexity is too good")
    return 0


def _estimate(arguments: argparse.Namespace, sources: dict[str, list[str]]) -> ArpaModel:
    from asrbias.kneserney import estimate
    from asrbias.mixture import estimate_mixture
    from asrbias.textfiles import read_sentences

    options = {"order": arguments.order, "prune": arguments.prune, "vocabulary": arguments.vocabulary}
    if arguments.mix is None:
        return estimate([sentence for sentences in sources.values() for sentence in sentences], **options)
    model, weights = estimate_mixture(sources, read_sentences(arguments.mix), **options)
    for name, weight in weights.items():
        print(f"weight {weight:.3f}  {name}")
    return model
