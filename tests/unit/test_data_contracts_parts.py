"""The laws of what an encoding reads in parts: values with a root, and members split by somebody else."""

import pytest

from tests.data_contracts import Chatter, Closed, Inner
from wsf.data_contracts import JsonQuotas, read_members, reader_of, split_members, write
from wsf.errors import ContractError, SerializationError


def test_a_reader_is_made_once_for_each_type() -> None:
    assert reader_of(list[Inner]) is reader_of(list[Inner])
    assert reader_of(list[Inner])(b'[{"x":1}]') == [Inner(1)]


def test_a_readers_paths_begin_with_its_root() -> None:
    read = reader_of(list[Inner], root="$.params[0]")
    with pytest.raises(SerializationError, match=r"^\$\.params\[0\]\[1\]\.x: expected an integer, got null$"):
        read(b'[{},{"x":null}]')
    with pytest.raises(SerializationError, match=r"^\$\.params\[0\]: expected an array, got an object$"):
        read(b"{}")


def test_split_members_keep_their_order_their_bytes_and_their_twins() -> None:
    text = b' {"b" : [1, 2] , "a":1.10,"\\u0062":null}\n'
    assert split_members(text) == [("b", b"[1, 2]"), ("a", b"1.10"), ("b", b"null")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"[]", "$: expected an object, got an array"),
        (b'{"a":1', "$: not JSON: it ends too early"),
        (b'{"a":"\xff"}', "$: not JSON: invalid UTF-8 at byte 6"),
    ],
)
def test_what_is_no_object_has_no_members(text: bytes, line: str) -> None:
    with pytest.raises(SerializationError) as caught:
        split_members(text)
    assert str(caught.value).startswith(line)


def test_members_that_were_split_are_read_as_if_they_stood_in_one_text() -> None:
    text = b'{"date":1.10,"nickname":"n","room":"r","message":"m","u":[ ]}'
    chatter = read_members(Chatter, split_members(text))
    assert write(chatter) == b'{"date":1.10,"message":"m","u":[ ],"nickname":"n","room":"r"}'


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ([], "$.p: required member 'nickname' is missing"),
        ([("nickname", b"1")], "$.p.nickname: expected a string, got a number"),
        ([("nickname", b'"a"'), ("nickname", b'"b"')], "$.p: member 'nickname' appears twice"),
        ([("nickname", b'"a","x":1')], "$.p.nickname: not JSON: trailing characters"),
        ([("nickname", b'"a"'), ("x", b"[[[]]]")], "$.p: nested deeper than 2"),
        ([("nickname", b'"a"'), ("x", b'"\xff"')], "$.p: not JSON: invalid UTF-8"),
    ],
)
def test_members_that_were_split_are_refused_with_their_place(
    members: list[tuple[str, bytes]], line: str
) -> None:
    with pytest.raises(SerializationError) as caught:
        read_members(Closed, members, JsonQuotas(max_depth=2), root="$.p")
    assert str(caught.value).startswith(line)


def test_only_a_data_contract_has_members() -> None:
    with pytest.raises(ContractError, match="int is no data contract"):
        read_members(int, [])
