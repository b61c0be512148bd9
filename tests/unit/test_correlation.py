"""The law of the table: a reply ends the wait of one call or of none, and the call is in it until then."""

from wsf.correlation import PendingCalls
from wsf.errors import InvalidOperationError
from wsf.message import Message


async def test_an_answer_takes_its_call_out_at_once_and_a_second_one_is_dropped() -> None:
    pending = PendingCalls(1)
    call = pending.add("confirm", None, 0)
    for dropped in (0, 1):
        pending.resolve(Message(b"1", relates_to=call.message_id))
        assert (len(pending), pending.unrelated) == (0, dropped)
    assert (await call.reply).body == b"1"
    pending.add("confirm", None, 0)  # there is room for the next one


async def test_an_answer_to_a_call_that_was_given_up_in_the_same_turn_is_dropped() -> None:
    pending = PendingCalls(1)
    call = pending.add("confirm", None, 0)
    pending.fail(call, InvalidOperationError("given up"))
    pending.resolve(Message(b"1", relates_to=call.message_id))
    assert pending.unrelated == 1
    assert isinstance(call.reply.exception(), InvalidOperationError)
