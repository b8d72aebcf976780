"""Types of the native core (native/bindings.cpp)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
# frame at which it begins, frame after its last, confidence; row of the phrase or -1, its first and last word
SpokenWord = tuple[float, float, float, int, int, int]

class Vocabulary:
    def __init__(self, spelled: Sequence[str], blank: int, shown: Sequence[str] = ()) -> None: ...

class Automaton:
    def __init__(
        self,
        vocabulary: Vocabulary,
        phrases: str,
        *,
        bonus: Float64,
        adaptive: Float64,
        share: Float64,
        length: Float64,
        common: Float64,
    ) -> None: ...
    @property
    def unusable(self) -> list[int]: ...
    @property
    def empty(self) -> bool: ...
    @property
    def bytes(self) -> int: ...
    def __len__(self) -> int: ...

class LmTrie:
    def __init__(self, vocabulary: Vocabulary, model: NGram, words: str, boost: int) -> None: ...
    def __len__(self) -> int: ...

class SearchOptions:
    def __init__(
        self,
        *,
        beam: int,
        nbest: int,
        top_k: int,
        token_threshold: float,
        phrase_threshold: float,
        beam_threshold: float,
        bonus: float,
        adaptive: float,
        unigram: float,
        gap_cap: float,
        gap_top_k: int,
        gap_prefix: bool,
        lm_weight: float,
        word_bonus: float,
        unknown_penalty: float,
        list_prior: float,
        settled_beam: int,
        guard_character: float,
        guard_list: float,
        guard_common: float,
    ) -> None: ...

def decode(
    vocabulary: Vocabulary,
    options: SearchOptions,
    items: Sequence[Float32],
    automata: list[Automaton | None],
    lm: LmTrie | None,
    threads: int,
) -> list[NBest]: ...

class NBest:
    def __len__(self) -> int: ...
    @property
    def scores(self) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]: ...  # acoustic, bias, lm
    @property
    def distinct(self) -> list[str]: ...  # words of all texts, each once
    def text_scores(self, frames: Frames, graphs: Sequence[LabelGraph]) -> list[float]: ...  # graphs: of these words
    @property
    def phrases(self) -> list[int]: ...  # rows that words of any of them belong to, each once
    def text(self, number: int) -> str: ...
    def tokens(self, number: int) -> tuple[int, ...]: ...
    def frames(self, number: int) -> tuple[tuple[int, int], ...]: ...  # first and last of each token
    def words(self, number: int) -> tuple[SpokenWord, ...]: ...

class Stream:
    def __init__(
        self, vocabulary: Vocabulary, options: SearchOptions, automaton: Automaton | None, lm: LmTrie | None
    ) -> None: ...
    def push(self, log_probs: Float32) -> None: ...
    def best(self) -> list[int]: ...
    def finish(self) -> NBest: ...

def align(
    log_probs: Float32, tokens: Sequence[int], blank: int
) -> tuple[list[int], list[int], list[float], list[float], float]: ...

class NGram:
    @staticmethod
    def from_arpa(text: Bytes) -> NGram: ...
    @staticmethod
    def from_arrays(words: Sequence[str], orders: Sequence[tuple[Int32, Float32, Float32]]) -> NGram: ...
    @staticmethod
    def from_kenlm(content: Bytes) -> NGram: ...
    @property
    def order(self) -> int: ...
    @property
    def unknown(self) -> int: ...
    @property
    def has_strings(self) -> bool: ...
    @property
    def counts(self) -> list[int]: ...
    def __len__(self) -> int: ...
    def find(self, word: str) -> int: ...
    def word(self, id: int) -> bytes: ...
    def unigram(self, id: int) -> float: ...
    def sentence(self, words: Sequence[str]) -> list[float]: ...

# --- words as graphs of labels (native/phone_bindings.cpp) ---

# first and last word, the graphs of the words put in, first and last frame of their labels
Swap = tuple[int, int, Sequence[LabelGraph], int, int]

class LabelGraph:
    def __init__(self, nodes: int, arcs: Sequence[tuple[int, int, int]]) -> None: ...
    @property
    def empty(self) -> bool: ...

class Frames:
    def __init__(self, log_probs: Float32, blank: int) -> None: ...
    def __len__(self) -> int: ...

def text_scores(frames: Frames, texts: Sequence[Sequence[LabelGraph]]) -> list[float]: ...
def best_way(frames: Frames, words: Sequence[LabelGraph]) -> tuple[list[int], list[int], list[list[int]], float]: ...

class Exchange:
    def __init__(self, frames: Frames, words: Sequence[LabelGraph]) -> None: ...
    @property
    def score(self) -> float: ...
    def exchanged(self, swaps: Sequence[Swap]) -> list[float]: ...
    def places(
        self, starts: Sequence[float], ends: Sequence[float], leads: bool, first: Int32, last: Int32,
        forms: Sequence[Forms], edges: int, margin: int,
    ) -> tuple[Float64, Int32, Int32, Int32]: ...  # gain, form, first and last word  # fmt: skip

class Forms:
    # of several texts, within another text and at its beginning: each text's words, None for what cannot be spelled
    def __init__(
        self, inside: Sequence[Sequence[LabelGraph] | None], leading: Sequence[Sequence[LabelGraph] | None]
    ) -> None: ...

def near_boundaries(
    starts: Sequence[float], ends: Sequence[float], frame: float, edges: int, margin: int
) -> list[int]: ...

class LabelTree:
    def __init__(
        self, labels: Sequence[int], offsets: Sequence[int], owners: Sequence[int], reward: Sequence[float]
    ) -> None: ...
    @property
    def nodes(self) -> int: ...
    def spot(
        self, log_probs: Float32, blank: int, cost: float, slack: float, keep: int
    ) -> tuple[Int32, Int32, Int32, Float32]: ...  # row, first and last frame, nats

# --- the shortlist and the adapter's attention (native/adapter_bindings.cpp) ---

def fit_sequences(
    stay: Float32, move: Float32, floor: float, passing: float, first: float,
    labels: Labels, offsets: Int32, rows: Int32, scores: Float32,
) -> None: ...  # fmt: skip

def fit_runs(
    odds: Float32, presence: Float32, insertion: float, deletion: float,
    labels: Labels, offsets: Int32, rows: Int32, scores: Float32,
) -> None: ...  # fmt: skip

def keep_best(owners: Int32, rows: Int32, scores: Float32, most: int, kept: Int32) -> int: ...

class PhoneGrams:
    def __init__(self, labels: Labels, offsets: Int32, phones: int) -> None: ...
    @property
    def nbytes(self) -> int: ...
    def scores(self, odds: Float32, presence: Float32, insertion: float, scores: Float32) -> None: ...
    def best(self, odds: Float32, presence: Float32, insertion: float, rows: Int32) -> int: ...

def attend(
    keys: Float32, query: Float32, nothing: Float32, written: Float32, heard: Float32, values: Float32, sizes: Int64,
    nats: Float32, covered: Float32, votes: Float32, caution: float, least: float,
    highest: float, early: float, usual: float, around: int, bias: Float32, attention: Float32,
) -> None: ...  # fmt: skip
