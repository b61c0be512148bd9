"""Laws of the message: frozen, reusable, empty only without a body."""

import weakref
from collections.abc import Callable

import pytest
from attrs import define
from msgspec.structs import replace

from chatservice import ChatServiceCallback
from tests.doubles import FakeConnection, web_socket_binding
from wsf.callback import create_callback
from wsf.channel import DuplexSessionChannel
from wsf.counters import Meter
from wsf.errors import ContractError, FaultCode, InvalidOperationError, SerializationError
from wsf.message import Message, MessageFault, MessageType
from wsf.reflection import describe


@define
class Greeting:
    text: str


def test_a_message_without_body_is_empty() -> None:
    assert Message().is_empty


def test_a_frame_of_zero_bytes_is_not_empty() -> None:
    assert not Message(b"").is_empty
    assert Message(b"").get_body(bytes) == b""


def test_an_empty_message_has_no_body_to_get() -> None:
    with pytest.raises(InvalidOperationError, match="is_empty"):
        Message().get_body(bytes)


def test_the_default_type_is_binary_as_in_wcf() -> None:
    assert Message(b"x").message_type is MessageType.BINARY


def test_a_fault_is_text() -> None:
    """Clients of every encoding that carries faults read text; a browser gives BINARY as a Blob."""
    assert Message(fault=MessageFault(FaultCode.SENDER, "no")).message_type is MessageType.TEXT


def test_a_body_can_be_read_as_often_as_one_likes() -> None:
    message = Message(b'{"text": "hi"}', MessageType.TEXT)
    assert message.get_body(Greeting) == message.get_body(Greeting) == Greeting("hi")
    assert message.get_body(bytes) == b'{"text": "hi"}'


def test_a_body_that_the_data_contract_refuses_is_the_peers_fault() -> None:
    with pytest.raises(SerializationError, match="text"):
        Message(b"{}").get_body(Greeting)


def test_a_body_type_that_is_no_data_contract_is_the_authors_fault() -> None:
    with pytest.raises(ContractError):
        Message(b"{}").get_body(int)


@pytest.mark.parametrize(
    ("body", "expected"), [(b"x", b"x"), ("ü", "ü".encode()), (Greeting("hi"), b'{"text":"hi"}')]
)
def test_a_message_is_made_of_bytes_text_or_a_data_contract(body: object, expected: bytes) -> None:
    assert Message.create(body) == Message(expected, MessageType.TEXT)


@pytest.mark.parametrize("body", ["text", bytearray(b"x"), {}, Greeting("hi")])
def test_a_body_is_bytes(body: object) -> None:
    with pytest.raises(TypeError, match=r"Message\.create"):
        Message(body)  # type: ignore[arg-type]


def test_a_message_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Message(b"x").body = b"y"  # type: ignore[misc]


def test_messages_are_equal_by_content_whatever_was_sent() -> None:
    sent, fresh = Message(b"x"), Message(b"x")
    sent.encoded_once("wire", lambda message: b"frame")
    assert sent == fresh
    assert hash(sent) == hash(fresh)
    assert repr(sent) == repr(fresh) == "Message(body=b'x', message_type=<MessageType.BINARY: 'Binary'>)"
    assert repr(Message(b"")) == "Message(body=b'', message_type=<MessageType.BINARY: 'Binary'>)"
    assert sent != Message(b"y")
    assert sent != Message(b"x", properties={"of": "the transport"})
    assert sent != b"x"
    assert weakref.ref(sent)() is sent


def body_of(message: Message) -> bytes:
    assert message.body is not None
    return message.body


@pytest.mark.parametrize("is_sent", [True, False], ids=["sent before", "not sent yet"])
@pytest.mark.parametrize(
    "change",
    [lambda message, body: message.replace(body=body), lambda message, body: replace(message, body=body)],
)
def test_a_copy_with_changes_is_sent_as_itself(
    is_sent: bool, change: Callable[[Message, bytes], Message]
) -> None:
    message = Message(b"x")
    if is_sent:
        message.encoded_once("wire", body_of)
    copies = [change(message, b"y"), change(message, b"z"), change(change(message, b"y"), b"x")]
    assert [copy.encoded_once("wire", body_of) for copy in copies] == [b"y", b"z", b"x"]
    assert message.encoded_once("wire", body_of) == b"x"


class Stamped(Message):
    """A user's own."""

    stamp: int = 0


def test_a_subclass_says_more() -> None:
    assert Stamped(b"x", stamp=1) == Stamped(b"x", stamp=1)
    assert Stamped(b"x", stamp=1) != Stamped(b"x", stamp=2)
    assert Stamped(b"x") != Message(b"x")
    assert repr(Stamped(stamp=1)) == "Stamped(message_type=<MessageType.BINARY: 'Binary'>, stamp=1)"


def test_a_copy_is_checked_as_well() -> None:
    sent = Message(b"x")
    with pytest.raises(TypeError, match="body of a Message is bytes, not str"):
        sent.replace(body="y")  # type: ignore[arg-type]


def test_an_answer_is_not_sent_as_what_it_was_made_of() -> None:
    message = Message(b"x")
    answer = message.with_ids(relates_to=b"1")
    assert answer.encoded_once("wire", lambda one: repr(one.relates_to).encode()) == b"b'1'"
    assert message.encoded_once("wire", lambda one: repr(one.relates_to).encode()) == b"None"


def test_an_encoding_is_made_once_for_each_wire() -> None:
    message, made = Message(b"x"), []

    def encode(message: Message) -> bytes:
        made.append(message)
        return b"frame"

    assert message.encoded_once(1, encode) is message.encoded_once(1, encode)
    message.encoded_once(2, encode)
    assert len(made) == 2


async def test_a_property_with_the_name_transaction_flow_property_already_exists() -> None:
    """The blog's pesky error: one Message instance, sent to several callbacks. Here it cannot happen."""
    message = Message(b"to all", MessageType.TEXT)
    contract = describe(ChatServiceCallback)
    binding, wire, connections = web_socket_binding(), object(), [FakeConnection() for _ in range(3)]
    channels = [DuplexSessionChannel(connection, binding, wire, Meter()) for connection in connections]
    for channel in channels:
        channel.open()
        callback = create_callback(contract, channel)
        await callback.receive_message(message)
        await callback.receive_message(message)
        channel.outbox.flush()
    assert [connection.written for connection in connections] == [[b"to allto all"]] * 3
    assert sum(connection.frames_made for connection in connections) == 1
    for channel in channels:
        channel.abort()
