"""The laws of unknown members: kept byte for byte, where they stood."""

import attrs
import pytest
from attrs import define, field, frozen

from tests.data_contracts import Chatter, Closed
from wsf.data_contracts import ExtensionData, read, write


def test_unknown_members_stand_behind_the_known_member_that_they_followed() -> None:
    received = b'{"big":1,"room":"r","zzz":{},"nickname":"n","e":[],"message":"m","date":"d","aaa":null}'
    expected = b'{"big":1,"message":"m","date":"d","aaa":null,"nickname":"n","e":[],"room":"r","zzz":{}}'
    assert write(read(Chatter, received)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "12345678901234567890123",
        "1.10",
        "1e400",
        "-0",
        '{"__type":"T:#urn","a":[1, 2.50,\n\tnull]}',
        r'"\/\u0041"',
    ],
)
def test_unknown_values_survive_to_the_byte(value: str) -> None:
    received = f'{{"message":"m","nickname":"n","x":{value},"room":"r"}}'.encode()
    assert write(read(Chatter, received)) == received


def test_unknown_members_that_come_twice_are_both_kept() -> None:
    received = b'{"x":0,"message":"m","x":1,"x":2,"nickname":"n","room":"r","x":1}'
    assert write(read(Chatter, received)) == received


def test_a_type_hint_is_an_unknown_member_and_makes_no_instance() -> None:
    received = b'{"__type":"os.system","message":"m","nickname":"n","room":"r"}'
    assert write(read(Chatter, received)) == received


def test_without_a_field_for_them_unknown_members_are_dropped() -> None:
    assert write(read(Closed, b'{"a":1,"nickname":"n","b":2}')) == b'{"nickname":"n"}'


def test_extension_data_follows_a_copy_and_is_lost_with_a_new_instance() -> None:
    received = read(Chatter, b'{"nickname":"n","room":"r","message":"m","date":"d"}')
    copy = attrs.evolve(received, message="M")
    assert write(copy) == b'{"message":"M","date":"d","nickname":"n","room":"r"}'
    assert write(Chatter("n", "r", "M")) == b'{"message":"M","nickname":"n","room":"r"}'


def test_extension_data_handed_to_a_class_that_knows_the_member_does_not_write_it_twice() -> None:
    @define
    class Dated:
        nickname: str
        date: str
        extension_data: ExtensionData = field(factory=ExtensionData)

    received = read(Chatter, b'{"nickname":"n","room":"r","x":1,"message":"m","date":"d","y":2}')
    assert (
        write(Dated("n", "today", received.extension_data)) == b'{"y":2,"x":1,"date":"today","nickname":"n"}'
    )


def test_extension_data_is_an_immutable_value() -> None:
    one = read(Chatter, b'{"nickname":"n","room":"r","message":"m","x":1}').extension_data
    same = read(Chatter, b'{"message":"m","x":1,"nickname":"n","room":"r"}').extension_data
    other = read(Chatter, b'{"message":"m","x":2,"nickname":"n","room":"r"}').extension_data
    assert one == same != other
    assert hash(one) == hash(same)
    assert (len(one), len(ExtensionData())) == (1, 0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one._members = ()  # type: ignore[misc]


def test_extension_data_shows_names_and_only_a_few() -> None:
    received = read(Chatter, b'{"nickname":"n","room":"r","message":"m","a":1,"b\\u0000":2,"c":3,"d":4}')
    assert repr(received.extension_data) == r"ExtensionData('a', 'b\x00', 'c', 1 more)"
    assert repr(ExtensionData()) == "ExtensionData()"


def test_a_frozen_contract_and_a_keyword_only_field_for_the_unknown_will_do() -> None:
    @frozen
    class Base:
        id: int
        extension_data: ExtensionData = field(factory=ExtensionData, kw_only=True)

    @frozen
    class Derived(Base):
        extra: str

    received = b'{"id":1,"extra":"e","u":0}'
    assert write(read(Derived, received)) == received
    assert len({read(Derived, received), read(Derived, received)}) == 1
