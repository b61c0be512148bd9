"""The laws of what is declared: names, required, order, defaults; known types and unions; surrogates."""

import dataclasses
import subprocess
import sys
from abc import ABC, abstractmethod
from typing import Any

import attrs
import pytest
from attrs import define, field, frozen

from tests.data_contracts import Closed, refusal
from wsf.data_contracts import (
    ExtensionData,
    check,
    data_contract,
    data_member,
    read,
    read_value,
    surrogates,
    write,
    write_value,
)
from wsf.errors import ContractError, SerializationError


class TestMembers:
    def test_a_name_is_exactly_what_stands_in_json(self) -> None:
        @define
        class Named:
            price: int = field(metadata=data_member(name="Unit-Price"))
            class_: str = field(default="", metadata=data_member(name="class"))

        assert write(Named(1)) == b'{"Unit-Price":1,"class":""}'
        assert read(Named, b'{"class":"c","Unit-Price":2}') == Named(2, "c")
        assert refusal(Named, b'{"price":1}') == "Named: required member 'Unit-Price' is missing"
        assert refusal(Named, b'{"Unit-Price":""}').startswith("Named: $['Unit-Price']: expected an integer")
        assert (
            refusal(Named, b'{"Unit-Price":1,"Unit-Price":1}') == "Named: member 'Unit-Price' appears twice"
        )

    def test_a_dataclass_says_the_same_in_its_metadata(self) -> None:
        @dataclasses.dataclass
        class Named:
            price: int = dataclasses.field(metadata=data_member(name="Price"))

        assert write(read(Named, b'{"Price":1}')) == b'{"Price":1}'

    def test_members_without_an_order_come_first_then_by_order_then_by_name(self) -> None:
        @define
        class Ordered:
            a: int = field(default=1, metadata=data_member(order=2))
            b: int = field(default=2, metadata=data_member(order=1))
            z: int = field(default=3)
            c: int = field(default=4, metadata=data_member(order=1))
            y: int = field(default=5, metadata=data_member(name="A", order=0))

        @define
        class Derived(Ordered):
            a0: int = 9

        assert write(Ordered()) == b'{"z":3,"A":5,"b":2,"c":4,"a":1}'
        assert write(Derived()) == b'{"z":3,"A":5,"b":2,"c":4,"a":1,"a0":9}'

    def test_required_overrides_what_the_default_says(self) -> None:
        @define
        class Must:
            a: int = field(default=0, metadata=data_member(required=True))

        assert refusal(Must, b"{}") == "Must: required member 'a' is missing"
        assert read(Must, b'{"a":1}') == Must(1)

    def test_a_default_is_left_out_where_it_need_not_be_emitted(self) -> None:
        @define
        class Sparse:
            a: int = field(default=0, metadata=data_member(emit_default=False))
            b: list[int] = field(factory=list, metadata=data_member(emit_default=False))
            c: str | None = field(default=None, metadata=data_member(emit_default=False))
            d: int = 0
            extension_data: ExtensionData = field(factory=ExtensionData)

        assert write(Sparse()) == b'{"d":0}'
        assert write(Sparse(1, [1], "c", 1)) == b'{"a":1,"b":[1],"c":"c","d":1}'
        assert write(Sparse(a=False)) == b'{"a":false,"d":0}'
        assert write(read(Sparse, b'{"a":0,"u":1,"b":[]}')) == b'{"u":1,"d":0}'

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ({"name": ""}, "may not be empty"),
            ({"name": "__type"}, "__type"),
            ({"order": -1}, "may not be negative"),
        ],
    )
    def test_a_declaration_that_says_nothing_sensible_is_refused_at_once(
        self, given: dict[str, Any], problem: str
    ) -> None:
        with pytest.raises(ContractError, match=problem):
            data_member(**given)

    @pytest.mark.parametrize(
        ("made", "problem"),
        [
            (field(type=int, metadata=data_member(required=False)), "required=False needs a default"),
            (field(type=int, metadata=data_member(emit_default=False)), "a required member must be written"),
            (
                field(type=int, default=0, metadata=data_member(required=True, emit_default=False)),
                "a required member must be written",
            ),
            (
                field(
                    type=int,
                    default=attrs.Factory(lambda self: 0, takes_self=True),
                    metadata=data_member(emit_default=False),
                ),
                "the same for every instance",
            ),
        ],
    )
    def test_a_declaration_against_its_field_is_refused_when_it_is_checked(
        self, made: Any, problem: str
    ) -> None:
        with pytest.raises(ContractError, match=rf"Contract\.m: .*{problem}"):
            check(attrs.make_class("Contract", {"m": made}))

    def test_two_members_may_not_have_one_name(self) -> None:
        @define
        class Twice:
            a: int = 0
            b: int = field(default=0, metadata=data_member(name="a"))

        with pytest.raises(ContractError, match=r"Twice has two members called 'a'"):
            check(Twice)

    def test_a_constructor_must_be_content_with_the_members(self) -> None:
        @dataclasses.dataclass
        class Hungry:
            a: int
            more: dataclasses.InitVar[int]

        with pytest.raises(ContractError, match=r"Hungry: its constructor needs 'more'"):
            check(Hungry)

    def test_a_constructor_may_have_its_own_names(self) -> None:
        @define
        class Aliased:
            _secret: int
            other: int = field(alias="given")

        assert write(read(Aliased, b'{"_secret":1,"other":2}')) == b'{"_secret":1,"other":2}'

    def test_converters_run_as_in_any_other_call(self) -> None:
        @define
        class Converted:
            name: str = field(converter=str.strip)

        assert read(Converted, b'{"name":" n "}') == Converted("n")


@data_contract(known_types=lambda: [Circle, Square])
@frozen
class Shape:
    id: int
    extension_data: ExtensionData = field(factory=ExtensionData, kw_only=True)


@data_contract(name="circle")
@frozen
class Circle(Shape):
    radius: int


@data_contract(known_types=lambda: [Cube])
@frozen
class Square(Shape):
    side: int


@frozen
class Cube(Square):
    depth: int = 0


@define
class Drawing:
    shapes: list[Shape]
    best: Circle | Square | None = None


class TestKnownTypes:
    @pytest.mark.parametrize(
        ("shape", "text"),
        [
            (Shape(1), b'{"id":1}'),
            (Circle(1, 2), b'{"__type":"circle","id":1,"radius":2}'),
            (Square(1, 2), b'{"__type":"Square","id":1,"side":2}'),
            (Cube(1, 2, 3), b'{"__type":"Cube","id":1,"side":2,"depth":3}'),
        ],
        ids=["base", "named", "subclass", "its subclass"],
    )
    def test_a_subclass_is_written_with_its_name_and_read_by_it(self, shape: Shape, text: bytes) -> None:
        assert write_value(shape, Shape) == text
        assert read(Shape, text) == shape
        assert read_value(dict[str, list[Shape]], b'{"a":[' + text + b"]}") == {"a": [shape]}

    def test_the_name_may_stand_anywhere_and_is_no_unknown_member(self) -> None:
        circle = read(Shape, b'{"radius":2,"u":1,"__type":"circle","id":1}')
        assert isinstance(circle, Circle)
        assert len(circle.extension_data) == 1
        assert write_value(circle, Shape) == b'{"__type":"circle","id":1,"radius":2,"u":1}'

    def test_without_a_declared_base_the_name_is_required_and_always_written(self) -> None:
        drawing = Drawing([Circle(1, 2)], Square(1, 2))
        text = (
            b'{"best":{"__type":"Square","id":1,"side":2},"shapes":[{"__type":"circle","id":1,"radius":2}]}'
        )
        assert write(drawing) == text
        assert read(Drawing, text) == drawing
        assert (
            refusal(Drawing, b'{"shapes":[],"best":{}}')
            == "Drawing: $.best: required member '__type' is missing"
        )

    @pytest.mark.parametrize(
        ("received", "line"),
        [
            (
                b'{"shapes":[{"__type":"hunter2"}]}',
                "Drawing: $.shapes[0].__type: not one of the known types",
            ),
            (
                b'{"shapes":[{"__type":1}]}',
                "Drawing: $.shapes[0].__type: expected a string, got a number",
            ),
            (
                b'{"shapes":[{"__type":"circle","__type":"circle"}]}',
                "Drawing: $.shapes[0]: member '__type' appears twice",
            ),
            (
                b'{"shapes":[{"__type":"circle","id":1,"radius":""}]}',
                "Drawing: $.shapes[0].radius: expected an integer, got a string",
            ),
            (b'{"shapes":[{"__type":"Closed","nickname":""}]}', "Drawing: $.shapes[0].__type: not one of"),
        ],
        ids=["unknown", "no text", "twice", "in the part", "another contract"],
    )
    def test_a_name_that_nobody_declared_makes_no_instance(self, received: bytes, line: str) -> None:
        assert refusal(Drawing, received).startswith(line)

    def test_a_name_that_was_unknown_where_it_was_read_is_not_written_twice(self) -> None:
        square = read(Square, b'{"__type":"Square","id":1,"side":2}')
        assert write_value(square, Shape).count(b"__type") == 1
        alone = read(Cube, b'{"__type":"other","id":1,"side":2}')
        assert write(alone) == b'{"__type":"other","id":1,"side":2,"depth":0}'

    def test_an_instance_of_another_class_is_not_written(self) -> None:
        with pytest.raises(
            ValueError, match=r"shapes\[0\]: Closed is none of the known types: Shape, circle"
        ):
            write(Drawing([Closed("n")]))  # type: ignore[list-item]

    def test_an_abstract_base_is_no_choice(self) -> None:
        @data_contract(known_types=lambda: [Real])
        @define
        class Idea(ABC):
            @abstractmethod
            def think(self) -> None: ...

        @define
        class Real(Idea):
            a: int

            def think(self) -> None: ...

        assert read(Idea, b'{"__type":"Real","a":1}') == Real(1)  # type: ignore[type-abstract]
        assert write_value(Real(1), Idea) == b'{"__type":"Real","a":1}'
        with pytest.raises(SerializationError, match="required member '__type' is missing"):
            read_value(Idea, b'{"a":1}')

    def test_two_classes_of_one_name_cannot_be_told_apart(self) -> None:
        @data_contract(name="circle")
        @define
        class Ring:
            a: int

        with pytest.raises(ContractError, match=r"are both called 'circle': give one of them another name"):
            check(Circle | Ring)

    def test_a_known_type_must_be_a_subclass(self) -> None:
        @data_contract(known_types=[Closed])
        @define
        class Base:
            pass

        with pytest.raises(ContractError, match=r"Closed is a known type of .*Base, but no subclass of it"):
            check(Base)

    def test_a_contract_has_a_name_or_none(self) -> None:
        with pytest.raises(ContractError, match="the name may not be empty"):
            data_contract(name="")


class Money:
    """A type of somebody else's: neither attrs class nor dataclass."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and self.cents == other.cents

    __hash__ = None  # type: ignore[assignment]


class Coin(Money):
    pass


@define
class Price:
    amount: Money
    before: Money | None = None
    others: list[Money] = field(factory=list)


@pytest.fixture(scope="session", autouse=True)  # hooks are for ever, whatever runs in between
def _money() -> None:
    with pytest.raises(ContractError, match=r"Price\.amount: Money has no JSON form.*surrogates\(\)"):
        check(Price)
    surrogates().register_structure_hook(Money, lambda value, _: Money(value["cents"]))
    surrogates().register_unstructure_hook(Money, lambda money: {"cents": money.cents})


class TestSurrogates:
    def test_a_type_with_hooks_is_a_member_like_any_other(self) -> None:
        price = Price(Money(1), None, [Money(2)])
        text = b'{"amount":{"cents":1},"before":null,"others":[{"cents":2}]}'
        assert write(price) == text
        assert read(Price, text) == price

    @pytest.mark.parametrize("value", ['{"cent":1}', "1", "[]", '"hunter2"'])
    def test_whatever_a_hook_raises_refuses_the_value_and_its_text_stays_here(self, value: str) -> None:
        line = refusal(Price, b'{"amount":' + value.encode() + b"}")
        assert line == "Price: $.amount: not a Money"

    def test_a_null_is_no_value_for_a_hook_unless_it_is_declared(self) -> None:
        assert refusal(Price, b'{"amount":null}') == "Price: $.amount: not a Money"

    def test_a_hook_that_gives_its_own_type_again_is_told_so(self) -> None:
        surrogates().register_unstructure_hook(Coin, lambda coin: coin)
        with pytest.raises(ValueError, match="the unstructure hook of Coin gives no other type"):
            write(Price(Coin(1)))

    def test_cattrs_is_loaded_for_those_who_ask_for_the_door(self) -> None:
        code = (
            "import sys, attrs, wsf\nfrom wsf.data_contracts import read, surrogates\n"
            "C = attrs.make_class('C', {'a': attrs.field(type=int, default=1)})\n"
            "read(C, b'{}'); print('cattrs' in sys.modules)\n"
            "surrogates(); print('cattrs' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False\nTrue\n"
