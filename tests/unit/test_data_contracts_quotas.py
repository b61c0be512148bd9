"""The laws of quotas: each just below, at and just above, for parts that nobody knows as well."""

import json
import sys
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from attrs import define, field, frozen

from tests.data_contracts import Closed, Inner, refusal
from wsf.data_contracts import ExtensionData, JsonQuotas, read, read_value
from wsf.data_contracts._quotas import excess
from wsf.errors import SerializationError


@define
class Numbers:
    i: int = 0
    f: float = 0.0
    extension_data: ExtensionData = field(factory=ExtensionData)


@frozen
class Key:
    a: int


def deep(levels: int) -> bytes:
    """Arrays inside one another."""
    return b"[" * levels + b"]" * levels


def is_read(hint: Any, text: bytes, quotas: JsonQuotas) -> bool:
    try:
        read_value(hint, text, quotas)
    except SerializationError:
        return False
    return True


@pytest.mark.parametrize(("levels", "passes"), [(63, True), (64, True), (65, False)])
def test_depth_is_bounded_in_what_is_known_and_what_is_not(levels: int, passes: bool) -> None:
    quotas = JsonQuotas()
    assert is_read(Any, deep(levels), quotas) is passes
    assert is_read(Inner, b'{"next":' * (levels - 1) + b"{}" + b"}" * (levels - 1), quotas) is passes
    assert is_read(Closed, b'{"nickname":"n","x":' + deep(levels - 1) + b"}", quotas) is passes
    assert is_read(Inner, b'{"u":' + deep(levels - 1) + b"}", quotas) is passes


@pytest.mark.parametrize(("most", "passes"), [(3, False), (4, True), (5, True)])
def test_depth_counts_the_outermost_as_the_first(most: int, passes: bool) -> None:
    assert is_read(list[list[Numbers]], b'[[{"x":[]}]]', JsonQuotas(max_depth=most)) is passes
    assert is_read(list[list[dict[str, list[int]]]], b'[[{"x":[]}]]', JsonQuotas(max_depth=most)) is passes


def test_brackets_side_by_side_or_in_strings_are_not_deep() -> None:
    assert read_value(Any, b"[" + b"[],{}," * 100 + b"1]", JsonQuotas(max_depth=2))
    assert read_value(Any, b'["' + b"[" * 100 + b'\\"{{{{"]', JsonQuotas(max_depth=1))


#: seven values: the object, an array and its three, an object, and null
SEVEN = b'{"a" : [ 1 , "x,[{:" , [ ] ], "b": { }, "c": null }'


@pytest.mark.parametrize(("most", "passes"), [(6, False), (7, True), (8, True)])
def test_items_are_every_value_in_the_text(most: int, passes: bool) -> None:
    assert is_read(dict[str, Any], SEVEN, JsonQuotas(max_items_in_object_graph=most)) is passes
    assert is_read(Numbers, SEVEN, JsonQuotas(max_items_in_object_graph=most)) is passes


def test_items_are_not_bounded_unless_somebody_says_so() -> None:
    assert len(read_value(list[int], b"[" + b"1," * 100_000 + b"1]")) == 100_001


@pytest.mark.parametrize("most", [2, 3, 4])
def test_items_are_bounded_for_what_is_read_at_once_as_well(most: int) -> None:
    assert is_read(Numbers, b'{"i":1,"f":2}', JsonQuotas(max_items_in_object_graph=most)) is (most >= 3)


@pytest.mark.parametrize(("length", "passes"), [(999, True), (1000, True), (1001, False)])
def test_a_number_is_bounded_in_its_characters(length: int, passes: bool) -> None:
    quotas = JsonQuotas()
    assert is_read(Numbers, b'{"i":-' + b"1" * (length - 1) + b"}", quotas) is passes
    assert is_read(Numbers, b'{"f":0.' + b"1" * (length - 2) + b"}", quotas) is passes
    assert is_read(Numbers, b'{"f":0e-' + b"0" * (length - 3) + b"}", quotas) is passes
    assert is_read(Numbers, b'{"x":' + b"1" * length + b"}", quotas) is passes
    assert is_read(Any, b"1" * length, quotas) is passes


def test_digits_in_a_string_are_no_number() -> None:
    assert read(Closed, b'{"nickname":"' + b"1" * 5000 + b'"}').nickname == "1" * 5000
    assert len(read(Closed, b'{"nickname":"\\"' + b"1" * 5000 + b'"}').nickname) == 5001


@pytest.mark.parametrize(
    ("quotas", "text", "line"),
    [
        (JsonQuotas(max_depth=2), b'{"i":[[]]}', "nested deeper than 2"),
        (JsonQuotas(max_items_in_object_graph=2), b'{"i":1,"f":1}', "more than 2 values"),
        (JsonQuotas(max_number_length=3), b'{"i":1234}', "a number of more than 3 characters"),
    ],
    ids=["depth", "items", "number"],
)
def test_a_refusal_names_the_quota(quotas: JsonQuotas, text: bytes, line: str) -> None:
    with pytest.raises(SerializationError, match=f"^Numbers: {line}$"):
        read(Numbers, text, quotas)
    with pytest.raises(SerializationError, match=rf"^\$: {line}$"):
        read_value(Numbers, text, quotas)


@pytest.mark.parametrize("value", ["1e999", "-1e999", "9" * 400])
def test_a_float_beyond_its_range_is_refused(value: str) -> None:
    assert refusal(Numbers, b'{"f":' + value.encode() + b"}") == "Numbers: $.f: the number is out of range"


@pytest.mark.parametrize("name", ["max_depth", "max_items_in_object_graph", "max_number_length"])
def test_a_quota_is_at_least_one(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        JsonQuotas(**{name: 0})


@pytest.mark.parametrize(
    "text",
    [
        b'"' + b'\\"' * 50_000,
        b'"' * 100_000,
        b'"\\' * 50_000,
        b"[" * 100_000,
        b"]" * 100_000,
        b'{"a":' * 20_000,
        b'"' + b" " * 100_000,
        b"1" * 100_000,
        b"[" + b"9" * 999 + b"," + b"9" * 99_000,
        b"-" * 100_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_a_hostile_text_of_100_kb_is_refused(text: bytes) -> None:
    """A quadratic scan would take minutes, and this test its deadline."""
    quotas = JsonQuotas(max_items_in_object_graph=10)
    for hint in (Any, Numbers, dict[str, int], list[Inner]):
        assert not is_read(hint, text, quotas)
    excess(text, quotas)


MODULUS = sys.hash_info.modulus  # numbers that differ by it hash alike


def alike(items: int) -> list[int]:
    return [1 + place * MODULUS for place in range(items)]


@pytest.mark.parametrize(("items", "passes"), [(64, True), (65, True), (66, False), (5000, False)])
@pytest.mark.parametrize("kind", ["ints", "decimals", "contracts", "uuids", "keys"])
def test_items_that_hash_alike_are_bounded(kind: str, items: int, passes: bool) -> None:
    numbers = alike(items)
    hint, value = {
        "ints": (set[int], numbers),
        "decimals": (frozenset[Decimal], [str(number) for number in numbers]),
        "contracts": (set[Key], [{"a": number} for number in numbers]),
        "uuids": (set[UUID], [str(UUID(int=number)) for number in numbers]),
        "keys": (dict[UUID, int], {str(UUID(int=number)): 1 for number in numbers}),
    }[kind]
    assert is_read(hint, json.dumps(value).encode(), JsonQuotas()) is passes


def test_items_that_do_not_hash_alike_are_not_bounded() -> None:
    numbers = list(range(-5000, 5000))
    assert read_value(set[int], json.dumps(numbers).encode()) == set(numbers)
    keys = {str(number): number for number in numbers}
    assert read_value(dict[int, int], json.dumps(keys).encode()) == dict(zip(numbers, numbers, strict=True))
