"""Laws of service objects: who makes one, when it ends, how many live, and what becomes of errors."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from tests.doubles import DEADLINE
from tests.unit.test_dispatcher import Callback, Served, Service, running
from wsf import ConcurrencyMode, InstanceContextMode, InvalidOperationError, Message, OperationContext
from wsf.errors import FaultException
from wsf.instancing import ClassInstanceProvider, InstanceContext, Single
from wsf.throttling import Gate

PER_SESSION, PER_CALL = InstanceContextMode.PER_SESSION, InstanceContextMode.PER_CALL


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0)


class Logged(Service):
    """Notes what happens to its objects."""

    log: list[str]

    def __init__(self) -> None:
        self.log.append("made")

    async def say(self, message: Message) -> None:
        self.log.append(message.get_body(bytes).decode())


class TestLife:
    async def test_a_silent_session_has_no_object(self) -> None:
        class Implementation(Logged): ...

        Implementation.log = []
        served = Served(create=Implementation, mode=PER_SESSION)
        served.connect().leave()
        await served.end()
        assert Implementation.log == []
        assert served.instances.active == 0

    @pytest.mark.parametrize("mode", [PER_SESSION, PER_CALL])
    @pytest.mark.parametrize("way", ["close", "aclose", "both", "context"])
    async def test_it_is_released_in_the_way_it_offers(self, mode: InstanceContextMode, way: str) -> None:
        log: list[str] = []

        class Implementation(Logged): ...

        Implementation.log = log

        async def released(self: Any, *_: object) -> None:
            await asyncio.sleep(0)
            log.append("released")

        async def entered(self: Any) -> None:
            log.append("entered")

        if way in ("aclose", "both", "context"):
            Implementation.aclose = released  # type: ignore[attr-defined]
        if way in ("close", "both", "context"):
            name = "released" if way == "close" else "twice"
            Implementation.close = lambda self: log.append(name)  # type: ignore[attr-defined]
        if way == "context":
            Implementation.__aenter__, Implementation.__aexit__ = entered, released  # type: ignore[attr-defined]
            Implementation.aclose = lambda self: log.append("twice")  # type: ignore[attr-defined]
        served = Served(create=Implementation, mode=mode)
        served.connect(b"1", b"2").leave()
        await served.end()
        begin = ["made", "entered"] if way == "context" else ["made"]
        expected = {
            PER_SESSION: [*begin, "1", "2", "released"],
            PER_CALL: [*begin, "1", "released", *begin, "2", "released"],
        }
        assert log == expected[mode]
        assert served.instances.active == 0

    async def test_a_session_object_outlives_the_operations_that_still_run(self) -> None:
        may_end, log = asyncio.Event(), list[str]()

        class Implementation(Service):
            async def say(self, message: Message) -> None:
                await may_end.wait()
                log.append("ended")

            def close(self) -> None:
                log.append("released")

        served = Served(create=Implementation, mode=PER_SESSION, concurrency=ConcurrencyMode.MULTIPLE)
        connection = served.connect(b"1", b"2")
        await until(lambda: served.calls.active == 2)
        connection.leave()
        await asyncio.sleep(0)
        may_end.set()
        await served.end()
        assert log == ["ended", "ended", "released"]

    @pytest.mark.parametrize("mode", [PER_SESSION, PER_CALL])
    async def test_an_error_in_its_release_is_logged_and_hurts_nobody(
        self, mode: InstanceContextMode, caplog: pytest.LogCaptureFixture
    ) -> None:
        heard: list[bytes] = []

        class Implementation(Service):
            async def say(self, message: Message) -> None:
                heard.append(message.get_body(bytes))

            def close(self) -> None:
                raise ZeroDivisionError("in close")

        served = Served(create=Implementation, mode=mode)
        connections = [served.connect(b"1", b"2") for _ in range(2)]
        for connection in connections:
            connection.leave()
        await served.end()
        assert len(heard) == 4
        assert all(connection.closed_with is None for connection in connections)
        assert "ZeroDivisionError: in close" in caplog.text
        assert (served.instances.active, served.calls.active) == (0, 0)
        assert served.meter.sessions_closed == 2

    @pytest.mark.parametrize("mode", [PER_SESSION, PER_CALL])
    @pytest.mark.parametrize("where", ["__init__", "__aenter__"])
    async def test_one_that_cannot_be_made_is_the_services_own_error(
        self, mode: InstanceContextMode, where: str
    ) -> None:
        class Implementation(Service):
            def __init__(self) -> None:
                if where == "__init__":
                    raise ZeroDivisionError("secret")

            async def say(self, message: Message) -> None:
                raise AssertionError

            async def __aenter__(self) -> None:
                raise ZeroDivisionError("secret")

            async def __aexit__(self, *_: object) -> None:
                raise AssertionError("it was never entered")

        served = Served(create=Implementation, mode=mode)
        connection = served.connect(b"x")
        await served.end()
        assert connection.closed_with is not None
        assert connection.closed_with[0] == 1011
        assert "secret" not in connection.closed_with[1]
        assert (served.instances.active, served.calls.active) == (0, 0)

    async def test_one_that_refuses_with_a_fault_is_asked_again_by_the_next_call(self) -> None:
        made: list[int] = []

        class Implementation(Service):
            def __init__(self) -> None:
                made.append(1)
                if len(made) == 1:
                    raise FaultException("not yet")

            async def say(self, message: Message) -> None:
                made.append(2)

        served = Served(create=Implementation, mode=PER_SESSION)
        served.connect(b"1", b"2").leave()
        await served.end()
        assert made == [1, 1, 2]


class TestSingle:
    class Entered:
        def __init__(self) -> None:
            self.log: list[str] = []

        async def __aenter__(self) -> None:
            self.log.append("entered")

        async def __aexit__(self, *_: object) -> None:
            self.log.append("left")

    def single(self, cls: type[Any], given: object = None) -> tuple[Single, Any]:
        single = Single(ClassInstanceProvider(cls), ConcurrencyMode.SINGLE, Gate(1), instance=given)
        return single, single.for_call(None).instance

    async def test_a_context_manager_is_entered_and_left_with_its_host(self) -> None:
        single, instance = self.single(self.Entered)
        assert instance.log == []
        await single.start()
        await single.end_of_host()
        await single.end_of_host()
        assert instance.log == ["entered", "left"]

    async def test_one_whose_host_never_opened_is_not_left(self) -> None:
        single, instance = self.single(self.Entered)
        await single.end_of_host()
        assert instance.log == []

    async def test_one_that_could_not_be_entered_is_not_left(self) -> None:
        class Failing(self.Entered):  # type: ignore[name-defined, misc]
            async def __aenter__(self) -> None:
                raise ZeroDivisionError

        single, instance = self.single(Failing)
        with pytest.raises(ZeroDivisionError):
            await single.start()
        await single.end_of_host()
        assert instance.log == []

    async def test_a_given_one_is_neither_entered_nor_left(self) -> None:
        given = self.Entered()
        single, instance = self.single(self.Entered, given)
        assert instance is given
        await single.start()
        await single.end_of_host()
        assert given.log == []


class TestThrottle:
    """maxConcurrentInstances: n-1 and n live at once, one more waits, first come, first served."""

    @pytest.mark.parametrize(
        ("mode", "clients", "alive"),
        [(PER_SESSION, 1, 1), (PER_SESSION, 2, 2), (PER_SESSION, 3, 2),
         (PER_CALL, 1, 1), (PER_CALL, 2, 2), (PER_CALL, 3, 2),
         (InstanceContextMode.SINGLE, 1, 1), (InstanceContextMode.SINGLE, 3, 1)],
    )  # fmt: skip
    async def test_no_more_live_than_it_says(
        self, mode: InstanceContextMode, clients: int, alive: int
    ) -> None:
        may_end, heard = asyncio.Event(), list[bytes]()

        async def wait(message: Message) -> None:
            await may_end.wait()
            heard.append(message.get_body(bytes))

        served = Served(wait, mode=mode, concurrency=ConcurrencyMode.MULTIPLE, instances=2)
        connections = [served.connect(b"%d" % number) for number in range(clients)]
        for _ in range(30):
            await asyncio.sleep(0)
        waiting = clients - alive if mode is not InstanceContextMode.SINGLE else 0
        assert (served.instances.active, served.instances.waiting) == (alive, waiting)
        may_end.set()
        for connection in connections:
            connection.leave()
        await served.end()
        assert heard == [b"%d" % number for number in range(clients)]
        if mode is not InstanceContextMode.SINGLE:
            assert served.instances.active == 0

    async def test_sessions_that_wait_are_served_in_their_order(self) -> None:
        heard: list[bytes] = []

        async def listen(message: Message) -> None:
            heard.append(message.get_body(bytes))

        served = Served(listen, mode=PER_SESSION, instances=1)
        connections = [served.connect(b"%d" % number) for number in range(4)]
        await until(lambda: served.instances.waiting == 3)
        for number, connection in enumerate(connections):
            assert heard == [b"%d" % before for before in range(number + 1)]
            connection.leave()
            await until(lambda number=number: len(heard) == min(number + 2, 4))
        await served.end()
        assert (served.instances.active, served.instances.waiting) == (0, 0)

    async def test_what_a_client_said_before_it_left_is_served_and_its_place_goes_on(self) -> None:
        heard: list[bytes] = []

        async def listen(message: Message) -> None:
            heard.append(message.get_body(bytes))

        served = Served(listen, mode=PER_SESSION, instances=1)
        first, gone, third = (served.connect(payload) for payload in (b"1", b"2", b"3"))
        await until(lambda: served.instances.waiting == 2)
        gone.leave(1006, clean=False)
        first.leave()
        await until(lambda: len(heard) == 3)
        third.leave()
        await served.end()
        assert heard == [b"1", b"2", b"3"]
        assert served.instances.active == 0

    async def test_who_is_aborted_while_it_waits_takes_no_place_with_it(self) -> None:
        async def nothing(message: Message) -> None: ...

        async with running(Served(nothing, mode=PER_SESSION, instances=1)) as served:
            for _ in range(3):
                served.connect(b"x")
            await until(lambda: served.instances.waiting == 2)
        assert (served.instances.active, served.instances.waiting, served.calls.active) == (0, 0, 0)

    @pytest.mark.parametrize("mode", list(InstanceContextMode))
    @pytest.mark.parametrize("turns", range(6))
    async def test_aborting_gives_every_place_back_whenever_it_comes(
        self, turns: int, mode: InstanceContextMode
    ) -> None:
        async def hang(message: Message) -> None:
            await asyncio.Event().wait()

        async with running(Served(hang, mode=mode, concurrency=ConcurrencyMode.MULTIPLE)) as served:
            for _ in range(2):
                served.connect(b"1", b"2")
            for _ in range(turns):
                await asyncio.sleep(0)
        alive = 1 if mode is InstanceContextMode.SINGLE else 0
        assert (served.calls.active, served.instances.active) == (0, alive)

    async def test_who_waits_for_an_object_keeps_nobody_from_a_call(self) -> None:
        """One call at a time, one object: the session that has it must be able to go on."""
        heard: list[bytes] = []

        async def listen(message: Message) -> None:
            heard.append(message.get_body(bytes))

        async with running(Served(listen, mode=PER_SESSION, instances=1, calls=1)) as served:
            first = served.connect(b"1")
            await until(lambda: heard == [b"1"])
            served.connect(b"other")
            await until(lambda: served.instances.waiting == 1)
            first.say(b"2")
            await until(lambda: heard == [b"1", b"2"])


async def test_nothing_of_a_session_stays_when_it_has_ended_even_if_its_callback_is_kept() -> None:
    class Thing: ...

    kept: list[weakref.ref[Any]] = []
    room: list[Callback] = []

    class Implementation(Service):
        async def say(self, message: Message) -> None:
            context = OperationContext.current()
            thing = Thing()
            assert isinstance(context.instance_context, InstanceContext)
            for owner in (context, context.instance_context, context.channel):
                owner.extensions.add(thing)
            room.append(context.get_callback_channel(Callback))
            kept.extend(map(weakref.ref, (thing, self)))

    served = Served(create=Implementation, mode=PER_SESSION)
    connection = served.connect(b"x")
    kept.append(weakref.ref(connection))
    connection.leave()
    await served.end()
    served.sessions.clear()
    del connection
    await asyncio.sleep(0)
    gc.collect()
    assert [reference() for reference in kept] == [None] * 3
    with pytest.raises(Exception, match="Closed"):
        await room[0].hear(Message(b"x"))


async def test_a_dead_client_costs_no_encoding() -> None:
    room: list[Any] = []

    async def keep(message: Message) -> None:
        room.append(OperationContext.current().get_callback_channel(Callback))

    served = Served(keep)
    served.connect(b"x").leave()
    await served.end()
    with pytest.raises(Exception, match="the channel is Closed"):  # and no TypeError for what is no message
        await room[0].hear("not looked at")


async def test_there_is_no_operation_outside_of_one() -> None:
    with pytest.raises(InvalidOperationError):
        OperationContext.current()
