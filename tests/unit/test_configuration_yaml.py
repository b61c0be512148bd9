"""YAML files become trees of text, and every thing in them keeps its place."""

import pytest
import yaml

from wsf.configuration import yaml as notation
from wsf.configuration.document import Document, Entry, Place
from wsf.errors import ConfigurationError


def read(text: str | bytes) -> Document:
    return notation.read(text, "app.yaml")


def problems(text: str) -> list[str]:
    return [problem.line("app.yaml") for problem in read(text).problems]


def refusal(text: str | bytes) -> str:
    with pytest.raises(ConfigurationError) as raised:
        read(text)
    (line,) = raised.value.problems
    return line


@pytest.mark.parametrize(
    "scalar",
    [
        "true",
        "yes",
        "on",
        "8004",
        "010",
        "0x1F",
        "1:30",
        "00:01:00",
        "~",
        "null",
        "1e3",
        ".inf",
        "2026-11-22",
        "=",
        "a:b",
    ],
)
def test_every_scalar_stays_the_text_that_was_written(scalar: str) -> None:
    assert read(f"key: {scalar}\n").tree == {"key": scalar}


def test_quotes_and_blocks_are_only_ways_to_write_text() -> None:
    assert read("a: 'x'\nb: \"x\"\nc: |\n  x\nd: >\n  x\n").tree == {
        "a": "x",
        "b": "x",
        "c": "x\n",
        "d": "x\n",
    }


def test_a_key_with_nothing_behind_it_has_empty_text() -> None:
    assert read("key:\n").tree == {"key": ""}


def test_flow_and_block_style_are_one_tree() -> None:
    assert read("a: {b: [c, {d: e}]}").tree == read("a:\n  b:\n    - c\n    - d: e\n").tree


def test_empty_mappings_and_empty_lists_stay_apart() -> None:
    assert read("a: {}\nb: []\n").tree == {"a": {}, "b": []}


def test_keys_values_and_items_know_line_and_column_from_one() -> None:
    entries = read("services:\n  - name: é\n    port: 1\n").entries
    assert entries["services",] == Entry("key", Place(1, 1), Place(2, 3))
    assert entries["services", 0] == Entry("item", Place(2, 5), Place(2, 5))
    assert entries["services", 0, "name"] == Entry("key", Place(2, 5), Place(2, 11))
    assert entries["services", 0, "port"] == Entry("key", Place(3, 5), Place(3, 11))


def test_columns_count_characters_not_bytes() -> None:
    assert read("{éé: 1, 漢😀: x}").entries["漢😀",] == Entry("key", Place(1, 9), Place(1, 13))


def test_a_byte_order_mark_is_not_text() -> None:
    document = read("\ufeffkey: x".encode())
    assert document.tree == {"key": "x"}
    assert document.entries["key",].key == Place(1, 1)


def test_lines_may_end_as_windows_ends_them() -> None:
    document = read(b"a: 1\r\nb: 2\r\n")
    assert document.tree == {"a": "1", "b": "2"}
    assert document.entries["b",].key == Place(2, 1)


def test_an_alias_is_what_its_anchor_stands_for_at_its_own_path() -> None:
    document = read("a: &x {k: v}\nb: *x\n")
    assert document.tree == {"a": {"k": "v"}, "b": {"k": "v"}}
    assert document.entries["b",] == Entry("key", Place(2, 1), Place(1, 4))
    assert document.entries["b", "k"] == document.entries["a", "k"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "app.yaml:3:1: duplicate key 'a' (first in line 1)"),
        ("a:\n  b: 1\n  'b': 2\n", "app.yaml:3:3: duplicate key 'b' (first in line 2)"),
        ("a: !!int 3\n", "app.yaml:1:4: tags are not read: 'tag:yaml.org,2002:int'"),
        ("a: ! x\n", "app.yaml:1:4: tags are not read: '!'"),
        ("a: !mine {}\n", "app.yaml:1:4: tags are not read: '!mine'"),
        ("a: &x {k: v}\nb:\n  <<: *x\n", "app.yaml:3:3: merge keys are not read: write the keys out"),
        ("? [a, b]\n: 1\n", "app.yaml:1:3: a key must be a word"),
        ("{? {a: b} : 1}\n", "app.yaml:1:4: a key must be a word"),
        ("'': 1\n", "app.yaml:1:1: a key must be a word"),
        ("a: &x 1\nb: &x 2\n", "app.yaml:2:4: a second anchor '&x'"),
    ],
)
def test_a_mistake_that_leaves_the_rest_readable_is_noted(text: str, line: str) -> None:
    assert problems(text) == [line]


def test_the_first_of_two_equal_keys_counts() -> None:
    assert read("a: 1\na: {b: 2}\n").tree == {"a": "1"}


def test_all_mistakes_of_a_file_are_noted() -> None:
    assert len(problems("a: !t 1\na: 2\n<<: 3\n? []\n: 4\nb: {c: 1, c: !t 2}\n")) == 6


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "app.yaml:1:1: the file is empty"),
        ("# nothing\n", "app.yaml:1:1: the file is empty"),
        ("- a\n", "app.yaml:1:1: the file must be a mapping: services, bindings, behaviors"),
        ("text\n", "app.yaml:1:1: the file must be a mapping: services, bindings, behaviors"),
        ("a: 1\n---\nb: 2\n", "app.yaml:2:1: a second document: one file is one model"),
        ("a: *x\n", "app.yaml:1:4: no anchor ends before the alias '*x'"),
        ("a: &x [*x]\n", "app.yaml:1:8: no anchor ends before the alias '*x'"),
        ("a: &x {b: {c: *x}}\n", "app.yaml:1:15: no anchor ends before the alias '*x'"),
        ("a:\n\tb: 1\n", "app.yaml:2:1: a tab is not allowed: indent with spaces"),
        ("a: 'b\x07'\n", "app.yaml:1:6: '\\x07' is not allowed"),
        ("a: b\u2028c: d\n", "app.yaml:1:5: '\\u2028' is not allowed"),
        ("a: b\x85c: d\n", "app.yaml:1:5: '\\x85' is not allowed"),
        (b"a: \xff\n", "app.yaml:1:4: byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbfa: 1\nb: \xc3(\n", "app.yaml:2:4: byte 0xc3 is not UTF-8"),
        ("a: 1".encode("utf-16"), "app.yaml:1:1: byte 0xff is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_to_its_end_is_refused_with_one_place(
    text: str | bytes, line: str
) -> None:
    assert refusal(text) == line


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: b: c\n", "1:5"),
        ("a: [1\n", "2:1"),
        ("a: 'x\n", "2:1"),
        ("a: 1\n b: 2\n", "2:3"),
        ("@\n", "1:1"),
        ("a: }\n", "1:4"),
    ],
)
def test_what_is_not_yaml_is_refused_where_the_parser_stopped(text: str, place: str) -> None:
    assert refusal(text).startswith(f"app.yaml:{place}: not YAML: ")


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb:\n  - c: {d: [e, f]}\n    é: 漢\n",
        "a: &x {k: v}\nb: *x\nc: !t x\na: y\n",
        "a: |\n  text\n\n  more\nb: >-\n  x\n  y\nc:\n",
        "{a: 'it''s', b: \"\\u00e9\", ? c : d}\n",
    ],
)
def test_both_of_pyyamls_parsers_make_the_same_document(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notation, "_LOADER", yaml.BaseLoader)
    pure = read(text)
    monkeypatch.setattr(notation, "_LOADER", getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    assert read(text) == pure
