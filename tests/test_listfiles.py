"""Entity lists in files: every format, every encoding, and what is said of a bad file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asrbias.entities import Entity, EntityError, EntityList
from asrbias.ipa import to_arpabet


@pytest.fixture
def read(tmp_path: Path):  # type: ignore[no-untyped-def]
    """read("a.txt", content) -> the EntityList of a file with this content."""

    def write_and_read(name: str, content: str | bytes) -> EntityList:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return EntityList.read(path)

    return write_and_read


def test_plain_text(read) -> None:  # type: ignore[no-untyped-def]
    listed = read("names.txt", "# people\nZelenskyy\n\n  São Paulo  \n#metoo\nParis, Texas\n")
    assert list(listed) == [Entity("Zelenskyy"), Entity("São Paulo"), Entity("#metoo"), Entity("Paris, Texas")]
    assert "1 comment lines (starting with '# ') skipped." in str(listed.report())


def test_marks_of_sherpa_onnx(read) -> None:  # type: ignore[no-untyped-def]
    listed = read(
        "hotwords.txt", "SPEECH RECOGNITION :2.5\n▁HE LL O ▁WORLD :1 #0.35 @Hello_World\nWe're #1\n#metoo :-1\n"
    )
    assert list(listed) == [
        Entity("SPEECH RECOGNITION", weight=2.5),
        Entity("HELLO WORLD", display="Hello World"),
        Entity("We're #1"),
        Entity("#metoo", weight=-1),
    ]
    reasons = [row.reason for row in listed.report().rows]
    assert "threshold #0.35 has no effect" in reasons[1] and "'@Hello_World' is taken as the display form" in reasons[1]


@pytest.mark.parametrize(
    ("line", "remark"), [("Kyiv:2.0", "write a space before the colon"), ("Kyiv, Oslo, Rome", "several")]
)
def test_slips_in_plain_text_are_remarked_on(read, line: str, remark: str) -> None:  # type: ignore[no-untyped-def]
    assert remark in read("names.txt", line).report().rows[0].reason


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("name", "comma"), [("a.tsv", "\t"), ("a.csv", ","), ("a.csv", ";"), ("a.txt", "\t"), ("a.txt", ",")]
)
def test_tables(read, name: str, comma: str, ending: str) -> None:  # type: ignore[no-untyped-def]
    rows = [
        "Weight,phrase,sounds_like,pronunciation,display",
        "2,kyiv,keev|kiev,K IY1 V,Kyiv",
        ",Oslo,,,",
        "",
        "-1,AT&T",
    ]
    listed = read(name, ending.join(row.replace(",", comma) for row in rows))
    assert list(listed) == [
        Entity("kyiv", display="Kyiv", weight=2, sounds_like=("keev", "kiev"), pronunciation=("K IY1 V",)),
        Entity("Oslo"),
        Entity("AT&T", weight=-1),
    ]


def test_quotes_in_tables(read) -> None:  # type: ignore[no-untyped-def]
    csv = 'phrase,weight\n"Paris, Texas",2\n"Say ""hi""",1\n"two\nlines",1\nlast,x\n'
    with pytest.raises(EntityError, match=r"a.csv, line 6: the weight 'x' is no number"):
        read("a.csv", csv)
    assert [e.phrase for e in read("a.csv", csv.replace(",x", ",1"))] == [
        "Paris, Texas",
        'Say "hi"',
        "two lines",
        "last",
    ]
    tsv = 'phrase\tweight\n"Weird Al" Yankovic\t1\n"Say ""hi"""\t2\n'
    assert [e.phrase for e in read("a.tsv", tsv)] == ['"Weird Al" Yankovic', 'Say "hi"']


def test_the_table_of_aws_transcribe(read) -> None:  # type: ignore[no-untyped-def]
    listed = read(
        "aws.txt",
        "Phrase\tSoundsLike\tIPA\tDisplayAs\n"
        "Los-Angeles\t\tl ɔ s æ n ʤ ə l ə s\tLos Angeles\n"
        "Etienne\teh-tee-en\t\t\n"
        "A.W.S.\t\t\tAWS\n"
        "F.\t\tʘ a\t\n",
    )
    assert list(listed) == [
        Entity("Los Angeles", pronunciation="L AO S AE N JH AH L AH S", display="Los Angeles"),
        Entity("Etienne", sounds_like=("eh tee en", "ehteeen")),
        Entity("A.W.S.", display="AWS"),
        Entity("F."),
    ]
    assert [form for form in listed.forms().texts if form[0] == "a"] == ["a w s", "aws"]
    assert "IPA 'ʘ a' is left out: no English phone for ʘ" in listed.report().rows[3].reason


@pytest.mark.parametrize(
    "content",
    [
        ["Kyiv", "Oslo"],
        {"Kyiv": 1, "Oslo": 1.0},
        [{"phrase": "Kyiv"}, "Oslo"],
        {"Kyiv": {"display": None}, "Oslo": {"weight": 1}},
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.txt"])
def test_json(read, name: str, content: object) -> None:  # type: ignore[no-untyped-def]
    assert list(read(name, json.dumps(content, indent=1))) == [Entity("Kyiv"), Entity("Oslo")]


def test_json_lines(read) -> None:  # type: ignore[no-untyped-def]
    assert list(read("a.jsonl", '{"phrase": "Kyiv", "weight": 2}\n\n"Oslo"\n')) == [
        Entity("Kyiv", weight=2),
        Entity("Oslo"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(read, encoding: str) -> None:  # type: ignore[no-untyped-def]
    listed = read("a.tsv", "phrase\tweight\nŁódź\t2\n".encode(encoding))
    assert list(listed) == [Entity("Łódź", weight=2)] and listed.report().notes == ()


def test_windows_1252_is_said(read) -> None:  # type: ignore[no-untyped-def]
    listed = read("a.txt", "Oslo\nSão Paulo\n".encode("latin-1"))
    assert listed[1] == Entity("São Paulo")
    assert "not UTF-8 (line 2): read as Windows-1252" in listed.report().notes[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"RIFF\x00\x00WAVE", "not a text file"),
        ("a.txt", b"\xff\xfea", "starts as UTF-16 but is not"),
        ("a.txt", "Kyiv\t2\n", "line 1: a tab in a plain list"),
        ("a.txt", "Oslo\nKyiv :high\n", "line 2: ':high' is no weight"),
        ("a.txt", "Oslo\nKyiv :99\n", "line 2: The weight of 'Kyiv' is 99.0; it must be"),
        ("a.tsv", "Kyiv\t2\n", "line 1: a TSV list needs a header with the column 'phrase'"),
        ("a.csv", "Kyiv\nOslo\n", "name the file .txt"),
        ("a.csv", "phrase,boost\nKyiv,2\n", "unknown column 'boost'; the columns are phrase, display, weight"),
        ("a.csv", "phrase,weight,phrase\n", "column 'phrase' stands twice"),
        ("a.tsv", "Phrase\tIPA\tDisplayAs\tweight\n", "the columns are Phrase, SoundsLike, IPA, DisplayAs"),
        ("a.csv", "phrase,weight\nParis, Texas,2\n", "line 2: 3 cells, but the header has 2 columns"),
        ("a.csv", "phrase,weight\n,2\n", "line 2: the column 'phrase' is empty"),
        ("a.csv", "phrase,weight\nKyiv,nan\n", "line 2: the weight 'nan' is no number"),
        ("a.csv", "phrase,pronunciation\nKyiv,K Q\n", "line 2: 'Kyiv': 'Q'"),
        ("a.csv", 'phrase,weight\n"Kyiv,2\n', "line 2: not valid CSV"),
        ("a.json", '["Kyiv",\n}', "line 2: no valid JSON"),
        ("a.json", '"Kyiv"', "not str"),
        ("a.json", '["Kyiv", 3]', "item 2: 3 is no entity"),
        ("a.json", '{"Kyiv": "high"}', "'Kyiv': The weight of 'Kyiv' is 'high'"),
        ("a.json", '[{"phrase": "Kyiv", "boost": 2}]', "item 1: Unknown field 'boost'"),
        ("a.json", '[{"phrase": "Kyiv", "phrase": "Oslo"}]', "item 1: a field stands twice"),
        ("a.json", '[{"phrase": null}]', "item 1: An entity's phrase is text"),
        ("a.json", "[" * 100_000, "no usable JSON|no valid JSON"),
        ("a.json", '["\\ud800"]', "item 1: .*half a character"),
    ],
)
def test_bad_files_say_where_and_what_is_allowed(read, name: str, content: str | bytes, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(EntityError, match=message) as caught:
        read(name, content)
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", ""), ("a.tsv", "phrase\tweight\n"), ("a.json", "[]"), ("a.csv", " \n")]
)
def test_a_file_without_entities_is_said(read, name: str, content: str) -> None:  # type: ignore[no-untyped-def]
    listed = read(name, content)
    assert len(listed) == 0 and "has no entities" in str(listed.report())


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        EntityList.read(tmp_path / "none.txt")


def test_duplicates_in_a_file_keep_their_remarks(read) -> None:  # type: ignore[no-untyped-def]
    (row,) = read("a.txt", "Kyiv :1 @KYIV\nKyiv :2 @KYIV\n").report().rows
    assert row.entity == Entity("Kyiv", display="KYIV", weight=2)
    assert row.reasons == (
        "Listed 2 times; merged into one, with the largest weight, 2.",
        "'@KYIV' is taken as the display form.",
    )


@pytest.mark.parametrize(
    ("ipa", "arpabet", "lost"),
    [
        ("k iː v", "K IY V", ""),
        ("ˈkiːʊ", "K IY UH", ""),
        ("eɪ", "EY", ""),
        ("t͡ʃ ɜː tʃ", "CH ER CH", ""),
        ("ç ʌ", "HH AH", ""),
        ("ʘ", "", "ʘ"),
    ],
)
def test_ipa(ipa: str, arpabet: str, lost: str) -> None:
    assert to_arpabet(ipa) == (arpabet, lost)
