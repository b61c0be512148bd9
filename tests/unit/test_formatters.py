"""A body read at once and value by value is one and the same, and so is what is refused."""

from typing import Any, Protocol

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from wsf import operation_contract, service_contract
from wsf.data_contracts import JsonQuotas
from wsf.errors import SerializationError
from wsf.formatters.raw import RawFormatter
from wsf.formatters.wrapped import WrappedFormatter
from wsf.message import TEXT, Message
from wsf.reflection import describe


@frozen
class Order:
    symbol: str
    count: int


@service_contract
class Desk(Protocol):
    @operation_contract()
    async def place(self, order: Order, limit: int | None, note: str = "none") -> Order: ...

    @operation_contract()
    async def ping(self) -> None: ...


PLACE, PING = describe(Desk).operations
arguments = st.sampled_from(
    [
        *('{"symbol":"A","count":1}', '{"symbol":"a:b","count":1}', '{"symbol":"A"}'),
        *('{"symbol":"A","count":1,"count":2}', "1", "null", '"a"', '"a\\":"', "[]", "{", "1e999"),
    ]
)
bodies = st.lists(arguments, max_size=4).map(lambda items: f"[{','.join(items)}]")


@given(bodies)
def test_at_once_and_one_by_one_cannot_differ(body: str) -> None:
    at_once, one_by_one = (WrappedFormatter(PLACE, JsonQuotas()) for _ in range(2))
    one_by_one._read_all = lambda body, quotas: None

    def outcome(formatter: WrappedFormatter) -> Any:
        try:
            return formatter.deserialize_request(Message(body.encode(), TEXT))
        except SerializationError as error:
            return str(error)

    assert outcome(at_once) == outcome(one_by_one)


def test_all_parameters_are_read_at_once() -> None:
    formatter = WrappedFormatter(PLACE, JsonQuotas())
    formatter._in_order = ()  # one by one there would be none
    body = b'[{"symbol":"A","count":1},null,"x"]'
    assert formatter.deserialize_request(Message(body, TEXT)) == (Order("A", 1), None, "x")


@pytest.mark.parametrize("body", [None, b"[]", b" [] ", b"{}"])
def test_no_parameters_are_none(body: bytes | None) -> None:
    assert WrappedFormatter(PING, JsonQuotas()).deserialize_request(Message(body, TEXT)) == ()


def test_a_reply_relates_to_its_call() -> None:
    formatter = WrappedFormatter(PLACE, JsonQuotas())
    reply = formatter.serialize_reply(Order("A", 1), b"7")
    assert (reply.body, reply.relates_to) == (b'{"count":1,"symbol":"A"}', b"7")
    assert formatter.serialize_reply(Order("A", 1)).relates_to is None


@pytest.mark.parametrize("relates_to", [None, b"7"])
def test_a_message_that_came_as_an_answer_is_no_answer_to_another_call(relates_to: bytes | None) -> None:
    came = Message(b"1", TEXT, relates_to="wsf:2")
    assert RawFormatter(takes_message=True).serialize_reply(came, relates_to).relates_to == relates_to
    assert came.relates_to == "wsf:2"
