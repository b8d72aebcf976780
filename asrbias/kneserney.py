"""Interpolated modified Kneser-Ney estimation (Chen & Goodman 1998, section 3; as lmplz does it, Heafield et al. 2013).

    model = estimate(["the cat sat", "the dog sat"], order=3)
    model.write_arpa("model.arpa.gz")

With a(hw) the count of the n-gram hw in the highest order, and below it the number of different words before hw (all of
an n-gram that begins with <s>, which nothing precedes):

    P(w | h) = (a(hw) - D(a(hw))) / a(h.) + g(h) P(w | h'),        h' = h without its first word
    g(h)     = 1 - the sum of the first terms over the words kept after h
    P(w)     = (a(w) - D(a(w))) / a(.) + g() / V                   V words, <unk> and </s> among them, without <s>

D is one of three discounts for a = 1, 2, and 3 or more, from the order's counts of counts t1..t4:

    Y = t1 / (t1 + 2 t2),   D1 = 1 - 2 Y t2/t1,   D2 = 2 - 3 Y t3/t2,   D3 = 3 - 4 Y t4/t3

An n-gram that is pruned leaves its mass to g(h), so the probabilities after any history still sum to one.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asrbias.arpa import BEGIN, END, NEVER, SPECIAL, UNKNOWN, ArpaModel, Floats, Integers, LanguageModelError, NGrams

MAX_ORDER = 6
FALL_BACK = (0.5, 1.0, 1.5)  # D1, D2, D3 where counts of counts give none, as in lmplz


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """The N different n-grams of one order, sorted by history, then word."""

    history: Integers  # [N] place in the order below; zeros for order 1
    word: Integers  # [N]
    suffix: Integers  # [N] place of the n-gram without its first word in the order below
    count: Integers  # [N] occurrences
    from_begin: npt.NDArray[np.bool_]  # [N] whether it begins with <s>


def estimate(
    sentences: Iterable[str],
    order: int = 3,
    *,
    prune: Sequence[int] = (),
    vocabulary: int | Iterable[str] | None = None,
) -> ArpaModel:
    """A model of `sentences`, each a string of words apart by white space, without <s> and </s>.

    order       words of the longest n-grams, 1 to 6
    prune       for each order the highest count that is dropped; the last one holds for what follows, (0, 0, 1) drops
                n-grams of three and more words that were seen once; never falling, 0 for single words
    vocabulary  how many of the most frequent words to keep, or which words the model shall know, seen or not; others
                count as <unk>. None keeps all

    Raises LanguageModelError for no words at all, and for options out of range.
    """
    if isinstance(sentences, str) or not isinstance(sentences, Iterable):
        raise LanguageModelError(
            f"sentences is one {type(sentences).__name__}; give a list of strings, one a sentence."
        )
    cutoffs = _cutoffs(order, prune)
    lines = [_split(sentence) for sentence in sentences]
    words = _vocabulary(lines, vocabulary)
    counted = _count(*_tokens(lines, words), order, len(words))
    kept = [counts.count > cutoff for counts, cutoff in zip(counted, cutoffs, strict=True)]
    kept[0][:] = True
    probabilities: list[Floats] = []
    back_offs: list[Floats] = []  # of each order's histories
    lower = np.full(1, 1 / (len(words) - 1))  # the uniform distribution below order 1
    for n, counts in enumerate(counted, 1):
        adjusted = counts.count if n == order else _adjusted(counts, counted[n])
        terms, back_off = _discounted(counts.history, adjusted, kept[n - 1], n, len(lower))
        lower = terms + back_off[counts.history] * lower[counts.suffix]
        probabilities.append(lower)
        back_offs.append(back_off)
    orders: list[NGrams] = []
    place = np.zeros(1, np.int64)  # of the n-grams of the order below, without those that are pruned
    for n, (counts, keep) in enumerate(zip(counted, kept, strict=True), 1):
        log10 = np.log10(probabilities[n - 1][keep])
        if n == 1:
            log10[SPECIAL.index(BEGIN)] = NEVER
        back_off = np.log10(back_offs[n][keep]) if n < order else np.zeros(len(log10))
        history = place[counts.history[keep]]
        orders.append(NGrams(history=history, word=counts.word[keep], probability=log10, back_off=back_off))
        place = np.cumsum(keep) - 1
    return ArpaModel(words=words, orders=tuple(orders))


def _split(sentence: str) -> list[str]:
    if not isinstance(sentence, str):
        raise LanguageModelError(f"A sentence is {sentence!r:.60}; give a list of strings, one a sentence.")
    return sentence.split()


def _cutoffs(order: int, prune: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(order, int) or not 1 <= order <= MAX_ORDER:
        raise LanguageModelError(f"The order is {order!r:.60}; give 1 to {MAX_ORDER}.")
    if not isinstance(prune, Sequence) or not all(isinstance(count, int) for count in prune):
        raise LanguageModelError(f"prune is {prune!r:.60}; give a list of whole numbers, as in (0, 0, 1).")
    given = list(prune) or [0]
    if len(given) > order or min(given) < 0 or given[0] != 0 or given != sorted(given):
        raise LanguageModelError(
            f"prune is {' '.join(map(str, given))}; give at most {order} counts for order {order}, the first 0 (to "
            "drop words, limit the vocabulary), none smaller than the one before, as in 0 0 1."
        )
    return tuple(given + given[-1:] * (order - len(given)))


def _vocabulary(lines: Sequence[Sequence[str]], wanted: int | Iterable[str] | None) -> tuple[str, ...]:
    """All words of the model, <unk>, <s> and </s> first, then by the alphabet."""
    seen = Counter(word for line in lines for word in line)
    if BEGIN in seen or END in seen:
        raise LanguageModelError(f"The text holds {BEGIN} or {END}; leave them out, every line is taken as a sentence.")
    if not seen:
        raise LanguageModelError("There is no word in the text; give at least one sentence.")
    if wanted is None:
        words = set(seen)
    elif isinstance(wanted, int):
        if wanted < 1:
            raise LanguageModelError(f"vocabulary is {wanted}; give how many words to keep, 1 or more.")
        words = set(sorted(seen.keys() - set(SPECIAL), key=lambda word: (-seen[word], word))[:wanted])
    else:
        words = set(wanted)
        bad = next((word for word in words if word.split() != [word]), None)
        if bad is not None:
            raise LanguageModelError(f"The vocabulary holds {bad!r}; words are not empty and hold no white space.")
    return (*SPECIAL, *sorted(words - set(SPECIAL)))


def _tokens(lines: Sequence[Sequence[str]], words: Sequence[str]) -> tuple[Integers, Integers]:
    """All sentences in a row as numbers of words, with <s> and </s>; and each one's place in its sentence."""
    number = {word: i for i, word in enumerate(words)}
    begin, end, unknown = number[BEGIN], number[END], number[UNKNOWN]
    tokens: list[int] = []
    lengths: list[int] = []
    for line in lines:
        if line:
            tokens.append(begin)
            tokens.extend([number.get(word, unknown) for word in line])
            tokens.append(end)
            lengths.append(len(line) + 2)
    starts = np.cumsum([0, *lengths[:-1]])
    return np.array(tokens, np.int64), np.arange(len(tokens)) - np.repeat(starts, lengths)


def _count(tokens: Integers, place: Integers, order: int, size: int) -> list[_Counts]:
    """Count the n-grams of each order. Those of an order are numbered as they sort, so a history's number and a word
    are the key of a longer one."""
    nothing = np.zeros(size, np.int64)
    count = np.bincount(tokens, minlength=size)
    count[SPECIAL.index(BEGIN)] = 0  # is given, never predicted
    from_begin = np.arange(size) == SPECIAL.index(BEGIN)
    counted = [_Counts(history=nothing, word=np.arange(size), suffix=nothing, count=count, from_begin=from_begin)]
    number = tokens  # of the n-gram that ends at each token
    for n in range(2, order + 1):
        at = np.flatnonzero(place >= n - 1)
        keys, which, count = np.unique(number[at - 1] * size + tokens[at], return_inverse=True, return_counts=True)
        history, word = np.divmod(keys, size)
        suffix = np.empty(len(keys), np.int64)
        suffix[which] = number[at]
        from_begin = from_begin[history]
        counted.append(_Counts(history=history, word=word, suffix=suffix, count=count, from_begin=from_begin))
        number = np.full(len(tokens), -1)
        number[at] = which
    return counted


def _adjusted(counts: _Counts, longer: _Counts) -> Integers:
    """Different words before each n-gram, or, where it begins with <s>, its occurrences."""
    before = np.bincount(longer.suffix, minlength=len(counts.count))
    return np.where(counts.from_begin, counts.count, before)


def _discounted(
    history: Integers, count: Integers, keep: npt.NDArray[np.bool_], order: int, histories: int
) -> tuple[Floats, Floats]:
    """The first term of P for each n-gram, 0 where it is pruned, and g of each history."""
    discount = np.minimum(np.array([0.0, *_discounts(count, order)])[np.minimum(count, 3)], count)
    lost = np.where(keep, discount, count)
    total = np.bincount(history, count, histories)
    with np.errstate(invalid="ignore"):
        back_off = np.where(total > 0, np.bincount(history, lost, histories) / total, 1.0)
    return (count - lost) / np.maximum(total, 1.0)[history], back_off


def _discounts(count: Integers, order: int) -> tuple[float, float, float]:
    """D1, D2 and D3; FALL_BACK, with a warning, where too few counts give no discounts between 0 and 1, 2, 3."""
    t1, t2, t3, t4 = np.bincount(np.minimum(count, 5), minlength=6)[1:5].tolist()
    if min(t1, t2, t3) > 0:
        y = t1 / (t1 + 2 * t2)
        found = (1 - 2 * y * t2 / t1, 2 - 3 * y * t3 / t2, 3 - 4 * y * t4 / t3)
        if all(0 < d <= k for k, d in enumerate(found, 1)):
            return found
    warnings.warn(
        f"{order}-grams: there is too little text for discounts of its own (counts of counts {t1} {t2} {t3} {t4}); "
        f"{' '.join(map(str, FALL_BACK))} are used.",
        stacklevel=4,
    )
    return FALL_BACK
