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


async def test_who_gives_up_may_still_deal_with_the_answer_whenever_it_comes() -> None:
    pending, late = PendingCalls(2), list[Message]()
    before, after = pending.add("watch", None, 0), pending.add("watch", None, 0)
    pending.resolve(Message(b"1", relates_to=before.message_id))
    for call in (before, after):
        pending.take_late(call, late.append)
    assert (len(pending), [message.body for message in late]) == (0, [b"1"])
    pending.resolve(Message(b"2", relates_to=after.message_id))
    assert [message.body for message in late] == [b"1", b"2"]
    assert pending.unrelated == 0
    pending.resolve(Message(b"2", relates_to=after.message_id))
    assert pending.unrelated == 1


async def test_answers_that_never_come_are_not_waited_for_without_bound() -> None:
    pending, late = PendingCalls(2), list[Message]()
    calls = [pending.add("watch", None, 0) for _ in range(2)]
    for call in calls:
        pending.take_late(call, late.append)
    pending.take_late(pending.add("watch", None, 0), late.append)
    for call in calls:
        pending.resolve(Message(b"1", relates_to=call.message_id))
    assert (len(late), pending.unrelated) == (1, 1)
