"""``wsf call`` and ``wsf listen`` as programs: what comes out, where, and how they end."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Protocol

import pytest

from stocks import Exchange, StockExchange
from tests.certificates import Certificates
from tests.json_rpc import json_rpc_binding
from tests.serving import ROOT, Echo, EchoCallback, Program, program, serving, until, web_socket_address
from tests.terminal import at_terminal
from wsf import (
    FaultException,
    InstanceContextMode,
    Message,
    MessageType,
    OperationContext,
    callback_contract,
    channel_of,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.__main__ import main
from wsf.commands.streams import values_of
from wsf.communication_object import CloseStatus
from wsf.errors import AuthenticationError
from wsf.host import ServiceHost
from wsf.transports import UpgradeRequest

Q = '{"order": {"symbol": "BOLT", "shares": 5}}'


@callback_contract
class Answering(Protocol):
    @operation_contract
    async def ask(self, question: str) -> Any: ...

    @operation_contract(is_one_way=True)
    async def tell(self, what: Any) -> None: ...


@service_contract(callback_contract=Answering)
class Curious(Protocol):
    @operation_contract
    async def wonder(self, question: str = "?") -> Any: ...

    @operation_contract
    async def wait(self) -> None: ...

    @operation_contract
    async def hang_up(self) -> None: ...

    @operation_contract
    def count(self, to: int) -> AsyncIterator[int]: ...


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class CuriousService(Curious):
    """Answers what it is answered, waits for ever, and hangs up, as it is asked."""

    def __init__(self) -> None:
        self.clients: list[Answering] = []
        self.is_waiting = False

    async def wonder(self, question: str = "?") -> Any:
        client = OperationContext.current().get_callback_channel(Answering)
        self.clients.append(client)
        return [await client.ask(question)]

    async def wait(self) -> None:
        self.is_waiting = True
        await asyncio.Event().wait()

    async def hang_up(self) -> None:
        OperationContext.current().channel.abort()

    async def count(self, to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number
        raise FaultException("that is all")


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class EchoService(Echo):
    """Says again what it hears, to the latest who has said something."""

    client: EchoCallback

    async def say(self, message: Message) -> None:
        self.client = OperationContext.current().get_callback_channel(EchoCallback)
        await self.client.hear(message)


@contextlib.asynccontextmanager
async def exchange() -> AsyncIterator[tuple[StockExchange, str]]:
    service = StockExchange()
    async with serving(service, Exchange, json_rpc_binding()) as host:
        yield service, web_socket_address(host)


@contextlib.asynccontextmanager
async def curious(**settings: Any) -> AsyncIterator[tuple[CuriousService, ServiceHost]]:
    service = CuriousService()
    async with serving(service, Curious, json_rpc_binding(), **settings) as host:
        yield service, host


def wsf(*arguments: str) -> contextlib.AbstractAsyncContextManager[Program]:
    return program(*arguments, module="wsf")


async def outcome(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command that ends by itself."""
    async with wsf(*arguments) as running:
        status, out, err = await running.end()
    assert "Traceback" not in err
    return status, out, err


class TestCall:
    async def test_a_pipe_holds_the_result_and_what_the_service_calls_is_beside_it(self) -> None:
        async with exchange() as (_, address):
            status, out, err = await outcome("call", address, "buy", Q, "--answer", "true")
        assert status == 0
        assert out == '{"order":{"shares":5,"symbol":"BOLT"},"total":"4.75"}\n'
        assert err == '{"method":"confirm","params":[{"shares":5,"symbol":"BOLT"},"4.75"],"answer":true}\n'

    async def test_a_fault_is_beside_the_pipe_and_status_1(self) -> None:
        async with exchange() as (_, address):
            status, out, err = await outcome("call", address, "Exchange.subscribe", '["NONE"]')
        assert (status, out) == (1, "")
        assert err == '{"code":1,"message":"unknown symbol","data":{"known":["ACME","BOLT"]}}\n'

    @pytest.mark.parametrize(
        ("given", "answer"), [([], None), (["--answer", '{"a": [1.50, "\u20ac"]}'], {"a": [1.50, "\u20ac"]})]
    )
    async def test_a_question_of_the_service_is_answered_with_what_it_is_told_to(
        self, given: list[str], answer: Any
    ) -> None:
        async with curious() as (_, host):
            address = host.endpoints[0].address  # http:// is as good
            status, out, err = await outcome("call", address, "wonder", *given)
        assert (status, json.loads(out)) == (0, [answer])
        assert json.loads(err) == {"method": "ask", "params": ["?"], "answer": answer}

    async def test_what_is_no_ascii_is_utf_8_in_a_pipe_whatever_the_locale(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
        async with curious() as (_, host):
            _, out, err = await outcome("call", web_socket_address(host), "wonder", '["\u20ac"]')
        assert (out, json.loads(err)["params"]) == ("[null]\n", ["\u20ac"])

    async def test_no_answer_in_time_is_one_line_and_status_2(self) -> None:
        async with curious(close_timeout=0.1) as (_, host):
            address = web_socket_address(host)
            assert await outcome("call", address, "wait", "--timeout", "0.1") == (
                2,
                "",
                "error: wait: no answer within 0.1 s (--timeout)\n",
            )

    async def test_a_lost_connection_is_one_line_and_status_2(self) -> None:
        async with curious() as (_, host):
            status, out, err = await outcome("call", web_socket_address(host), "hang_up")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("error: ")

    async def test_ctrl_c_hangs_up_and_is_status_130(self) -> None:
        async with curious(close_timeout=0.1) as (service, host):
            async with wsf("call", web_socket_address(host), "wait") as running:
                await until(lambda: service.is_waiting)
                running.process.send_signal(signal.SIGINT)
                assert await running.end() == (130, "", "")

    async def test_headers_and_a_subprotocol_are_sent_with_the_handshake(self) -> None:
        async def authenticate(request: UpgradeRequest) -> object:
            if request.headers.get("authorization") != "Bearer t" or request.sub_protocols != ("rpc.v1",):
                raise AuthenticationError("nobody we know")
            return "ann"

        binding = json_rpc_binding(settings={"sub_protocol": "rpc.v1"})
        async with serving(StockExchange(), Exchange, binding, authenticate=authenticate) as host:
            call = ["call", web_socket_address(host), "subscribe", '["ACME"]', "--sub-protocol", "rpc.v1"]
            assert (await outcome(*call, "--header", "Authorization: Bearer t"))[0] == 0
            status, out, err = await outcome(*call)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "401" in err


class TestStreams:
    async def test_each_value_is_a_line_when_it_comes_until_nobody_reads(self) -> None:
        async with exchange() as (service, address):
            async with wsf("call", address, "watch", '["ACME"]') as running:
                for price in ("17.20", "17.30", "17.40"):
                    assert await running.line(price) == f'{{"price":"{price}","symbol":"ACME"}}\n'
                    await service.move("ACME", Decimal("0.10"))
                running.process.send_signal(signal.SIGINT)
                status, _, err = await running.end()
        assert (status, err) == (130, "")

    async def test_a_fault_after_some_values_is_beside_them(self) -> None:
        async with curious() as (_, host):
            assert await outcome("call", web_socket_address(host), "count", "[300]") == (
                1,
                "".join(f"{number}\n" for number in range(300)),
                '{"code":-32010,"message":"that is all"}\n',
            )

    @pytest.mark.parametrize(
        "result", [{"token": "t"}, {"token": 1, "values": [], "more": 1}, {"values": [1]}, [1], None]
    )
    async def test_what_only_resembles_a_stream_is_a_result(self, result: Any) -> None:
        async def ask(*_: object) -> bytes:
            raise AssertionError("nothing is asked")

        text = json.dumps(result).encode()
        assert [value async for value in values_of(text, ask)] == [text]

    async def test_a_stream_may_bring_its_first_values_and_a_token_of_any_kind(self) -> None:
        asked: list[tuple[str, bytes]] = []

        async def ask(*question: Any) -> bytes:
            asked.append(question)
            return b'{"values":[3],"finished":true}'

        opened = b'{"token":"a","values":[1,2]}'
        assert [value async for value in values_of(opened, ask)] == [b"1", b"2", b"3"]
        assert [parameters for _, parameters in asked] == [b'["a"]']


class TestNoConnection:
    async def test_nobody_listens(self) -> None:
        status, out, err = await outcome("call", "ws://127.0.0.1:1/x", "y")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("error: nobody listens at ws://127.0.0.1:1/x")

    async def test_over_tls_an_authority_is_trusted_that_is_named(self, certificates: Certificates) -> None:
        import tests.serving

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tests.serving, "secure", certificates)
            async with serving(StockExchange(), Exchange, json_rpc_binding()) as host:
                call = ["call", web_socket_address(host), "subscribe", '["ACME"]']
                trusted = await outcome(*call, "--ca", str(certificates.authority_file))
                status, out, err = await outcome(*call)
        assert trusted == (0, '{"price":"17.20","symbol":"ACME"}\n', "")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "TLS failed" in err

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["ftp://x/y", "z"], "'ftp://x/y' is no address: ws://host:port/path"),
            (["ws:///y", "z"], "is no address"),
            (["ws://x:99999/y", "z"], "is no address"),
            (["ws://x/y"], "OPERATION"),
            (["ws://x/y", "z", "{"], "'{' is not JSON"),
            (["ws://x/y", "z", "1"], "neither an object nor an array: write [1] for one argument"),
            (["ws://x/y", "z", "--answer", "yes"], "'yes' is not JSON"),
            (["ws://x/y", "z", "--timeout", "0"], "no number of seconds above 0"),
            (["ws://x/y", "z", "--timeout", "nan"], "no number of seconds above 0"),
            (["ws://x/y", "z", "--header", "x"], "'x' is no header: 'Name: value'"),
            (["ws://x/y", "z", "--header", "Upgrade: x"], "the handshake's own"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
        self, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["call", *arguments])
        assert ended.value.code == 2
        assert words in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--count", "0"], "'0' is no number above 0"),
            (["--send", "x"], "add --raw"),
            (["--raw", "say"], "a byte stream has no operations"),
        ],
    )
    def test_so_is_what_cannot_be_listened_to(
        self, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["listen", "ws://x/y", *arguments])
        assert ended.value.code == 2
        assert words in capsys.readouterr().err


class TestListen:
    async def test_each_call_is_a_line_at_once_and_the_services_end_is_a_clean_end(self) -> None:
        async with exchange() as (service, address):
            async with wsf("listen", address, "subscribe", '["ACME"]') as running:
                assert json.loads(await running.line("subscribe")) == {
                    "method": "subscribe",
                    "params": ["ACME"],
                    "result": {"symbol": "ACME", "price": "17.20"},
                }
                await service.traders["ACME"].price(service.quote("ACME"))
                line = await running.line("price.*17.20")
                assert line == '{"method":"price","params":[{"price":"17.20","symbol":"ACME"}]}\n'
                ending = asyncio.create_task(running.end())
                await asyncio.sleep(0)  # it is read from now on
                (channel,) = service.traders["ACME"]
                await channel_of(channel).close(1001, "shutting down")
                status, _, err = await ending
        assert (status, err) == (0, "closed: 1001 shutting down\n")

    async def test_after_so_many_calls_it_has_answered_and_hangs_up(self) -> None:
        async with curious() as (service, host):
            listening = wsf("listen", web_socket_address(host), "wonder", "--count", "2", "--answer", "7")
            async with listening as running:
                assert json.loads(await running.line('"result"'))["result"] == [7]
                asked = await service.clients[0].ask("again?")
                status, out, err = await running.end()
        assert (asked, status, err) == (7, 0, "")
        assert [json.loads(line)["method"] for line in out.splitlines()] == ["ask", "wonder", "ask"]

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    async def test_a_signal_hangs_up_and_is_a_clean_end(self, number: signal.Signals) -> None:
        async with curious() as (service, host):
            async with wsf("listen", web_socket_address(host), "wonder") as running:
                await running.line('"result"')
                running.process.send_signal(number)
                status, _, err = await running.end()
            await until(lambda: channel_of(service.clients[0]).close_status)
            assert channel_of(service.clients[0]).close_status == CloseStatus(1000, "", "client")
        assert (status, err) == (0, "")

    @pytest.mark.parametrize("stop", ["abort", "refuse"])
    async def test_a_lost_connection_or_a_complaint_is_one_line_and_status_2(self, stop: str) -> None:
        async with curious() as (service, host):
            async with wsf("listen", web_socket_address(host), "wonder") as running:
                await running.line('"result"')
                channel = channel_of(service.clients[0])
                if stop == "abort":
                    channel.abort()
                else:
                    await channel.close(4000, "go \x1b[31maway")
                status, _, err = await running.end()
        assert (status, err.count("\n"), "\x1b" in err) == (2, 1, False)
        assert ("4000 go " in err) is (stop == "refuse")

    async def test_when_nobody_reads_any_more_it_ends_without_a_word(self) -> None:
        async with exchange() as (service, address):
            command = f"{sys.executable} -m wsf listen {address} subscribe '[\"ACME\"]' | head -1"
            listening = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", command, stdout=PIPE, stderr=PIPE, cwd=ROOT
            )
            await until(lambda: len(service.traders["ACME"]))
            while len(service.traders["ACME"]):
                await service.traders["ACME"].price(service.quote("ACME"))
                await asyncio.sleep(0.01)  # the time that head needs to end
            out, err = await listening.communicate()
        assert (out.count(b"\n"), err) == (1, b"")

    async def test_a_byte_stream_is_lines_of_text_and_base64(self) -> None:
        service = EchoService()
        async with serving(service) as host:
            said = ["--send", "h\u00ef", "--send", '{"a": 1}']
            async with wsf("listen", "--raw", web_socket_address(host), *said, "--count", "3") as running:
                await running.line("a")
                await service.client.hear(Message(b"\xff\x00", MessageType.BINARY))
                status, out, err = await running.end()
        assert (status, out, err) == (0, 'h\u00ef\n{"a": 1}\n/wA=\n', "")


class TestAtATerminal:
    async def test_a_person_sees_calls_and_values_as_one_reads_them(self) -> None:
        async with exchange() as (_, address):
            async with at_terminal("call", address, "buy", Q, "--answer", "true", NO_COLOR="1") as screen:
                assert await screen.end() == (
                    0,
                    'confirm({"shares": 5, "symbol": "BOLT"}, "4.75") -> true\n'
                    '{"order": {"shares": 5, "symbol": "BOLT"}, "total": "4.75"}\n',
                )
            async with at_terminal("call", address, "subscribe", '["NONE"]') as screen:
                assert await screen.end() == (
                    1,
                    '\x1b[1mfault 1:\x1b[0m unknown symbol\n{"known": ["ACME", "BOLT"]}\n',
                )

    async def test_a_person_listens_until_ctrl_c(self) -> None:
        async with exchange() as (service, address):
            async with at_terminal("listen", address, "subscribe", '["ACME"]', NO_COLOR="1") as screen:
                await screen.shows(r'subscribe\("ACME"\) -> \{"price": "17.20", "symbol": "ACME"\}\n')
                await service.traders["ACME"].price(service.quote("ACME"))
                await screen.shows(r'\nprice\(\{"price": "17.20", "symbol": "ACME"\}\)\n')
                screen.press(b"\x03")
                status, shown = await screen.end()
        assert (status, "Traceback" in shown) == (0, False)


class TestTheProgram:
    def test_its_help_names_every_command_and_loads_none(self) -> None:
        loads = "import sys, wsf.__main__ as m\ntry: m.main(['--help'])\nexcept SystemExit: pass\n"
        loads += "sys.exit(bool({'aiohttp', 'wsf.host', 'wsf.client'} & sys.modules.keys()))"
        finished = subprocess.run(
            [sys.executable, "-c", loads], check=False, capture_output=True, text=True, cwd=ROOT, timeout=30
        )
        assert finished.returncode == 0
        assert all(f"\n    {name}" in finished.stdout for name in ("host", "call", "listen"))

    @pytest.mark.parametrize("command", ["call", "listen"])
    def test_a_commands_help_fits_a_terminal(
        self, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "112")
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 112
