"""What an operation knows of its call, over real sockets, and what it gives to the answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Protocol, cast

import attrs
import pytest
from websockets.asyncio.client import connect

from tests.clock import Clock
from tests.json_rpc import Peer, Refused, json_rpc_binding, peers, serving_json_rpc
from tests.serving import DEADLINE, until, web_socket_address
from wsf import (
    ConcurrencyMode,
    FaultException,
    InvalidOperationError,
    Message,
    OperationContext,
    callback_contract,
    channel_of,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.channel import DuplexSessionChannel
from wsf.communication_object import Event
from wsf.extensions import DispatchRuntime, MessageInspector
from wsf.host import ServiceHost
from wsf.idle import IdleWatch, Watched
from wsf.message import WebSocketMessageProperty


@callback_contract
class DeskCallback(Protocol):
    @operation_contract(is_one_way=True)
    async def told(self, text: str) -> None: ...
    @operation_contract
    async def asked(self) -> int: ...


@service_contract(callback_contract=DeskCallback)
class Desk(Protocol):
    @operation_contract
    async def work(self, what: str) -> str: ...


Operation = Any


class Seen(MessageInspector):
    """Notes the properties of each message on its way out."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, object]]] = []

    def sending(self, message: Message, channel: DuplexSessionChannel) -> Message:
        kind = message.action or ("fault" if message.is_fault else "reply")
        ours = {name: value for name, value in message.properties.items() if name.islower()}
        self.sent.append((channel.session_id, kind, ours))
        return message

    def validate(self, description: object) -> None: ...

    def apply(self, runtime: DispatchRuntime) -> None:
        runtime.message_inspectors.append(self)


def desk(work: Operation, mode: ConcurrencyMode = ConcurrencyMode.SINGLE) -> type[Desk]:
    """A service whose one operation is that function."""

    @service_behavior(concurrency_mode=mode)
    class DeskService(Desk):
        async def work(self, what: str) -> str:
            return str(await work(what))

    return DeskService


class TestOutgoingProperties:
    async def test_they_go_with_the_reply_and_with_callbacks_to_this_client_only(self) -> None:
        seen, room = Seen(), list[Any]()

        async def work(what: str) -> str:
            context = OperationContext.current()
            room.append(context.get_callback_channel(DeskCallback))
            context.outgoing_message_properties[what] = 1
            for callback in room:
                await callback.told(what)
            return what

        async with serving_json_rpc(desk(work), Desk, 2, behaviors=[seen]) as (_, (one, other)):
            await one.call("work", "first")
            await other.call("work", "second")
            await one.hears("told")
        mine, others = seen.sent[0][0], seen.sent[-1][0]
        assert mine != others
        assert seen.sent == [
            (mine, "told", {"first": 1}),
            (mine, "reply", {"first": 1}),
            (mine, "told", {}),
            (others, "told", {"second": 1}),
            (others, "reply", {"second": 1}),
        ]

    async def test_they_go_with_a_fault_and_with_a_call_that_is_answered(self) -> None:
        seen = Seen()

        async def work(what: str) -> str:
            context = OperationContext.current()
            context.outgoing_message_properties["trace"] = what
            await asyncio.create_task(context.get_callback_channel(DeskCallback).asked())
            raise FaultException("no")

        async with serving_json_rpc(desk(work), Desk, behaviors=[seen]) as (_, (peer,)):
            peer.handlers["asked"] = answer_3
            with pytest.raises(Refused):
                await peer.call("work", "x")
        assert [(kind, properties) for _, kind, properties in seen.sent] == [
            ("asked", {"trace": "x"}),
            ("fault", {"trace": "x"}),
        ]


async def answer_3() -> int:
    return 3


class TestCurrent:
    async def test_it_is_each_calls_own_across_awaits_tasks_and_calls_to_the_client(self) -> None:
        seen: dict[str, set[int]] = {}
        arrived = asyncio.Barrier(2)

        async def work(what: str) -> str:
            def note() -> None:
                seen.setdefault(what, set()).add(id(OperationContext.current()))

            note()
            await arrived.wait()  # both run side by side
            await asyncio.gather(*(asyncio.to_thread(note) for _ in range(2)))
            await OperationContext.current().get_callback_channel(DeskCallback).asked()
            note()
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.wait_for(note_soon(note), 5))
            return what

        async def note_soon(note: Any) -> None:
            await asyncio.sleep(0)
            note()

        async with serving_json_rpc(desk(work, ConcurrencyMode.MULTIPLE), Desk, 2) as (_, both):
            for peer in both:
                peer.handlers["asked"] = answer_3
            await asyncio.gather(*(peer.call("work", str(n)) for n, peer in enumerate(both)))
        assert [len(ids) for ids in seen.values()] == [1, 1]
        with pytest.raises(InvalidOperationError):
            OperationContext.current()

    async def test_it_knows_host_session_client_handshake_and_object(self) -> None:
        found: dict[str, Any] = {}

        async def work(what: str) -> str:
            context = OperationContext.current()
            assert context.instance_context is not None
            found.update(
                host=context.host, session_id=context.session_id, headers=context.request_headers,
                cookies=context.request_cookies, principal=context.principal, name=context.operation.name,
                remote=context.remote_endpoint, channel=context.channel, of=context.instance_context.host,
                instance=context.instance_context.instance, properties=context.incoming_message_properties,
            )  # fmt: skip
            return what

        service = desk(work)
        async with serving_json_rpc(service, Desk, 0) as (host, _):
            socket = await connect(
                web_socket_address(host), additional_headers={"X-Who": "me", "Cookie": 'a=1; b="two words"'}
            )
            peer = Peer(socket)
            await peer.call("work", "x")
            assert found["host"] is found["of"] is host
            assert found["channel"].session_id == found["session_id"]
            assert (found["remote"].address, found["remote"].port) == socket.local_address
            assert found["headers"]["x-who"] == "me"
            assert found["cookies"] == {"a": "1", "b": "two words"}
            assert found["principal"] is None
            assert found["name"] == "work"
            assert isinstance(found["instance"], service)
            assert found["properties"]
            await peer.end()

    async def test_cookies_and_principal_are_the_transports_if_it_has_them(self) -> None:
        found: list[object] = []

        class Authenticating(Seen):
            def received(self, message: Message, context: OperationContext) -> Message:
                noted = Authenticated(None, "/", {"cookie": "a=2"}, cookies={"a": "1"}, principal="ann")
                return message.replace(properties={Authenticated.name: noted})

        async def work(what: str) -> str:
            context = OperationContext.current()
            found.extend((context.request_cookies, context.principal))
            return what

        async with serving_json_rpc(desk(work), Desk, behaviors=[Authenticating()]) as (_, (peer,)):
            await peer.call("work", "x")
        assert found == [{"a": "1"}, "ann"]


@attrs.frozen
class Authenticated(WebSocketMessageProperty):
    """What a transport notes that knows who its clients are."""

    cookies: Any = attrs.field(default=None, kw_only=True)
    principal: Any = attrs.field(default=None, kw_only=True)


class TestExtensions:
    async def test_each_owner_keeps_its_own_as_long_as_it_lives(self) -> None:
        class Count:
            def __init__(self) -> None:
                self.calls = 0

        async def work(what: str) -> str:
            context = OperationContext.current()
            counts = []
            assert context.instance_context is not None
            for owner in (context.host, context.channel, context.instance_context, context):
                count = owner.extensions.find(Count)
                if count is None:
                    owner.extensions.add(count := Count())
                count.calls += 1
                counts.append(str(count.calls))
            return "".join(counts)

        async with serving_json_rpc(desk(work), Desk, 2) as (host, (one, other)):
            assert [await peer.call("work", "") for peer in (one, one, other)] == ["1111", "2221", "3111"]
            assert host.extensions.find(Count) is not None


class TestCompleted:
    @pytest.mark.parametrize("ending", ["reply", "fault", "error", "unreadable"])
    async def test_it_happens_once_after_the_answer_is_out_however_the_operation_ends(
        self, ending: str
    ) -> None:
        completed: list[Any] = []

        class Completing(MessageInspector):
            def received(self, message: Message, context: OperationContext) -> Message:
                context.operation_completed += self.note
                context.operation_completed += self.note
                return message

            def note(self, context: OperationContext) -> None:
                completed.append(
                    (context.operation.name, hosts[0].counters().messages_sent, len(context.channel.outbox))
                )

            def validate(self, description: object) -> None: ...

            def apply(self, runtime: DispatchRuntime) -> None:
                runtime.message_inspectors.append(self)

        async def work(what: str) -> str:
            if ending == "fault":
                raise FaultException("no")
            if ending == "error":
                raise ZeroDivisionError
            return what

        hosts: list[ServiceHost] = []
        async with serving_json_rpc(desk(work), Desk, 0, behaviors=[Completing()]) as (host, _):
            hosts.append(host)
            async with peers(host) as (peer,):
                try:
                    await peer.call("work", 3 if ending == "unreadable" else "x")
                except Refused:
                    assert ending != "reply"
                await until(lambda: completed)
        assert completed == [("work", 1, 0)]

    async def test_an_operation_may_subscribe_and_take_back(self) -> None:
        heard: list[object] = []

        async def work(what: str) -> str:
            context = OperationContext.current()
            context.operation_completed += heard.append
            if what == "back":
                context.operation_completed -= heard.append
            assert isinstance(context.operation_completed, Event)
            return what

        async with serving_json_rpc(desk(work), Desk) as (_, (peer,)):
            await peer.call("work", "back")
            await peer.call("work", "stay")
            await until(lambda: heard)
        assert len(heard) == 1
        assert isinstance(heard[0], OperationContext)


#: s; nobody waits for it, and no machine stands still for as long
RECEIVE_TIMEOUT = 3600.0


async def ping(peer: Peer) -> None:
    """A ping of the client's, and its pong: all that was sent before it has arrived."""
    async with asyncio.timeout(DEADLINE):
        await (await peer.socket.ping())


class TestTimeouts:
    """receiveTimeout: messages restart it, either way; pings do not; an operation is no silence."""

    @pytest.mark.parametrize("talk", ["received", "sent"])
    async def test_a_message_either_way_keeps_a_session(self, talk: str, clock: Clock) -> None:
        async with self.desk() as (host, (peer,), callback):
            for _ in range(3):
                clock.forward(RECEIVE_TIMEOUT * 2 / 3)
                if talk == "received":
                    await peer.notify("work", "x")
                else:
                    await callback.told("x")
                await ping(peer)
            assert host.counters().idle_timeouts == 0
            assert channel_of(callback).state.value == "Opened"

    async def test_pings_do_not_and_the_log_says_what_would(
        self, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with self.desk() as (host, (peer,), callback):
            clock.forward(RECEIVE_TIMEOUT * 2 / 3)
            await ping(peer)
            assert channel_of(callback).state.value == "Opened"
            clock.forward(RECEIVE_TIMEOUT * 2 / 3)
            assert await peer.closed() == (1001, "idle (receiveTimeout)")
            assert host.counters().idle_timeouts == 1
            line = next(record for record in caplog.records if "receiveTimeout" in record.getMessage())
            assert line.levelname == "WARNING"
            assert "Infinite" in line.getMessage()

    @contextlib.asynccontextmanager
    async def desk(self) -> AsyncIterator[tuple[ServiceHost, list[Peer], Any]]:
        """A desk, somebody at it, and the way back to them. The host has pings of its own, too."""
        room: list[Any] = []

        async def work(what: str) -> str:
            room.append(OperationContext.current().get_callback_channel(DeskCallback))
            return what

        settings = {"keep_alive_interval": RECEIVE_TIMEOUT / 4}
        binding = json_rpc_binding(receive_timeout=RECEIVE_TIMEOUT, settings=settings)
        async with serving_json_rpc(desk(work), Desk, binding=binding) as (host, connected):
            await connected[0].call("work", "x")
            yield host, connected, room[0]

    @pytest.mark.parametrize("seconds", [600.0, float("inf")])
    async def test_ten_minutes_is_the_default_and_infinite_is_never(self, seconds: float) -> None:
        assert json_rpc_binding().receive_timeout == 600
        watch = IdleWatch(seconds, cast(Watched, None))  # nobody is asked before the time is over
        watch.start()
        assert (watch._timer is None) is (seconds == float("inf"))
        watch.stop()
