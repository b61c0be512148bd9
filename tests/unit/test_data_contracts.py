"""The laws of members: their names, their order, which must be there; and what is no data contract."""

import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import attrs
import pytest
from attrs import define, field
from msgspec import Meta

from tests.data_contracts import Chatter, Closed, Inner, body, refusal
from wsf.data_contracts import ExtensionData, read, write
from wsf.errors import ContractError


def test_members_may_come_in_any_order_and_with_any_white_space() -> None:
    received = b' {\n"room" : "r",\t"message":"m" ,"nickname":"n"}\r\n'
    assert read(Chatter, received) == Chatter("n", "r", "m")


def test_members_are_written_by_name_whatever_the_order_of_the_fields() -> None:
    assert write(Chatter("n", "r", "m")) == b'{"message":"m","nickname":"n","room":"r"}'


def test_names_are_ordered_by_code_point_so_capitals_come_first() -> None:
    @define
    class Ordered:
        b: int = 1
        aa: int = 2
        Z: int = 3

    assert write(Ordered()) == b'{"Z":3,"aa":2,"b":1}'


def test_members_of_a_base_class_come_before_those_of_its_subclass() -> None:
    @define
    class Base:
        zz: int = 1

    @define
    class Derived(Base):
        aa: int = 2

    @define
    class Redefined(Derived):
        zz: int = 3

    assert write(Derived()) == b'{"zz":1,"aa":2}'
    assert write(Redefined()) == b'{"aa":2,"zz":3}'


def test_a_field_without_default_is_required_and_one_with_default_is_not() -> None:
    @define
    class Mixed:
        must: str
        may: str = "default"
        many: list[str] = field(factory=list)

    assert read(Mixed, body(must='"x"')) == Mixed("x", "default", [])
    assert refusal(Mixed, body(may='"x"')) == "Mixed: required member 'must' is missing"


def test_missing_members_are_all_named_in_the_order_of_the_contract() -> None:
    assert refusal(Chatter, body(nickname='"n"')) == "Chatter: required members 'message', 'room' are missing"
    assert refusal(Chatter, b"{}") == "Chatter: required members 'message', 'nickname', 'room' are missing"


def test_a_long_list_of_missing_members_is_cut() -> None:
    wide = attrs.make_class("Wide", {f"member_{i:03}": attrs.field(type=str) for i in range(100)})
    expected = "Wide: required members 'member_000', 'member_001', 'member_002' and 97 more are missing"
    assert refusal(wide, b"{}") == expected


def test_required_means_present_and_null_is_a_value_where_the_type_admits_it() -> None:
    @define
    class Nullable:
        text: str | None

    assert read(Nullable, b'{"text":null}') == Nullable(None)
    assert refusal(Nullable, b"{}") == "Nullable: required member 'text' is missing"
    assert write(Nullable(None)) == b'{"text":null}'


def test_names_are_case_sensitive() -> None:
    assert refusal(Closed, b'{"Nickname":"n"}') == "Closed: required member 'nickname' is missing"


def test_a_private_field_keeps_its_underscore_on_the_wire() -> None:
    @define
    class Private:
        _token: str

    assert write(read(Private, b'{"_token":"t"}')) == b'{"_token":"t"}'


def test_a_field_that_the_constructor_does_not_take_is_no_member() -> None:
    @define
    class Counted:
        name: str
        seen: int = field(init=False, default=0)
        extension_data: ExtensionData = field(factory=ExtensionData)

    assert read(Counted, b'{"name":"n","seen":7}').seen == 0
    assert write(Counted("n")) == b'{"name":"n"}'


def test_a_member_called_extension_data_is_an_unknown_member_like_any_other() -> None:
    received = b'{"message":"m","nickname":"n","room":"r","extension_data":{"a":1}}'
    assert write(read(Chatter, received)) == received


@pytest.mark.parametrize("again", [b'"nickname"', rb'"nick\u006eame"', rb'"\u006Eickname"'])
def test_a_known_member_that_comes_twice_is_refused_however_it_is_spelt(again: bytes) -> None:
    received = b'{"nickname":"a",' + again + b':"a"}'
    assert refusal(Closed, received) == "Closed: member 'nickname' appears twice"


def test_a_name_inside_a_value_is_not_a_member() -> None:
    received = b'{"message":"\\"room\\":1","nickname":"room","room":"nickname","x":{"room":1,"room":2}}'
    assert write(read(Chatter, received)) == received


def test_escaped_names_are_the_names_that_they_spell() -> None:
    assert read(Closed, rb'{"\u006e\u0069ckname":"n"}') == Closed("n")


# contracts


def test_a_class_that_is_no_attrs_class_is_the_authors_mistake() -> None:
    class Bare:
        pass

    with pytest.raises(
        ContractError,
        match=r"Bare is neither an attrs class nor a dataclass: decorate it with @attrs\.define",
    ):
        read(Bare, b"{}")
    with pytest.raises(ContractError, match="Bare is neither an attrs class"):
        write(Bare())


def test_a_type_of_python_is_sent_to_the_functions_that_take_it() -> None:
    with pytest.raises(ContractError, match=r"^dict is no data contract: .* write_value\(\)"):
        write({"a": 1})


@pytest.mark.parametrize(
    "hint",
    [
        object,
        complex,
        dict[float, str],
        dict[bool, str],
        dict[Inner, str],
        set[Inner],
        list[object],
        Mapping[str, list[complex]],
        str | UUID,
        str | Decimal,
        Inner | dict[str, int],
        list[Inner] | tuple[int, ...],
        list[int] | tuple[int, ...],
        Literal[1.5],
        Annotated[Inner, Meta(max_length=1)],
    ],
    ids=str,
)
def test_a_member_of_a_type_without_json_form_is_the_authors_mistake(hint: Any) -> None:
    contract = attrs.make_class("Contract", {"member": attrs.field(type=hint)})
    with pytest.raises(ContractError, match=r"Contract\.member: "):
        read(contract, b"{}")


def test_a_mistake_in_a_contract_inside_another_is_still_the_authors() -> None:
    part = attrs.make_class("Part", {"p": attrs.field(type=complex)})
    holder = attrs.make_class("Holder", {"member": attrs.field(type=part)})
    with pytest.raises(ContractError, match=r"Part\.p: complex has no JSON form"):
        read(holder, b'{"member":{}}')


def test_an_annotation_that_cannot_be_resolved_is_the_authors_mistake() -> None:
    @define
    class Lost:
        member: "Nowhere"  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(ContractError, match=r"Lost has an annotation .*Nowhere"):
        read(Lost, b"{}")


def test_there_is_one_place_for_the_unknown() -> None:
    @define
    class Two:
        first: ExtensionData = field(factory=ExtensionData)
        second: ExtensionData = field(factory=ExtensionData)

    with pytest.raises(ContractError, match="Two has 2 fields for its ExtensionData: keep one"):
        read(Two, b"{}")


def test_importing_the_room_loads_neither_cattrs_nor_aiohttp() -> None:
    code = "import sys, wsf.data_contracts; print({'cattrs', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
