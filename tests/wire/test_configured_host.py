"""What a configuration file says of a service is what its host does: no setting is lost on the way."""

import asyncio
import re
from pathlib import Path
from typing import Protocol

import attrs
import pytest

from tests.json_rpc import Refused, peers
from tests.serving import until
from wsf import InstanceContextMode, OperationContext, operation_contract, service_behavior, service_contract
from wsf.communication_object import CommunicationState
from wsf.configuration import load
from wsf.host.configured import hosts_of

TEXT = """\
services:
  - name: NAME
    endpoints:
      - {address: "http://127.0.0.1:0/x", binding: customBinding, contract: NAMEContract}
    host: {timeouts: {openTimeout: OPEN, closeTimeout: 0.06s}}
bindings:
  customBinding:
    - jsonRpcMessageEncoding: {}
      httpTransport: {webSocketSettings: {transportUsage: Always}}
behaviors:
  serviceBehaviors:
    - serviceThrottling: {maxConcurrentCalls: 3, maxConcurrentSessions: 4, maxConcurrentInstances: 5}
      outbox: {maxBytes: 7777, maxMessages: 6}
      callbacks: {maxPendingCalls: 7}
      streams: {maxStreams: 8, maxValues: 9, maxBytes: 1KiB, idleTimeout: 5m}
      serviceDebug: {includeExceptionDetailInFaults: true}
"""


@service_contract(configuration_name="HangingContract")
class Contract(Protocol):
    @operation_contract
    async def outbox(self) -> list[int]: ...
    @operation_contract
    async def streams(self) -> list[float]: ...
    @operation_contract
    async def fail(self) -> None: ...
    @operation_contract
    async def hang(self) -> None: ...


@service_behavior(configuration_name="Hanging")
class Hanging(Contract):
    async def outbox(self) -> list[int]:
        outbox = OperationContext.current().channel.outbox
        return [outbox.max_bytes, outbox.max_messages]

    async def streams(self) -> list[float]:
        return list(attrs.astuple(OperationContext.current().channel.streams.settings))

    async def fail(self) -> None:
        raise ZeroDivisionError("told")

    async def hang(self) -> None:
        await asyncio.Event().wait()


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE, configuration_name="Hanging")
class NeverReady(Hanging):
    async def __aenter__(self) -> None:
        await asyncio.Event().wait()

    async def __aexit__(self, *_: object) -> None: ...


@pytest.fixture
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("configured") / "a.yaml"
    file.write_text(TEXT.replace("NAME", "Hanging").replace("OPEN", "50s"))
    return str(file)


async def test_bounds_timeouts_and_details_are_the_files(text: str, caplog: pytest.LogCaptureFixture) -> None:
    (host,) = hosts_of(load(text), Hanging)
    async with asyncio.timeout(20), host, peers(host) as (peer,):
        counters = host.counters()
        assert (counters.calls_limit, counters.sessions_limit, counters.instances_limit) == (3, 4, 5)
        assert await peer.call("outbox") == [7777, 6]
        assert counters.pending_calls_limit == 7
        assert await peer.call("streams") == [8, 9, 1024, 300]
        assert counters.streams_limit == 8
        with pytest.raises(Refused, match="told"):
            await peer.call("fail")
    caplog.clear()
    (host,) = hosts_of(load(text), Hanging)
    async with asyncio.timeout(20):
        await host.open()
        async with peers(host) as (peer,):
            hanging = asyncio.create_task(peer.call("hang"))
            await until(lambda: host.counters().calls)
            await host.close()
            with pytest.raises(ConnectionError):
                await hanging
    assert "closeTimeout (0.06 s) is over" in caplog.text


async def test_open_timeout_is_the_files(text: str) -> None:
    file = Path(text)
    file.write_text(file.read_text().replace("50s", "0.05s"))
    (host,) = hosts_of(load(text), NeverReady)
    async with asyncio.timeout(20):
        with pytest.raises(TimeoutError):
            await host.open()
    assert host.state is CommunicationState.FAULTED
    await host.close()


XML = """\
<configuration><system.serviceModel><services><service name="Hanging">
  <host><timeouts closeTimeout="41.15:00:00"/><drain batchSize="2" batchInterval="99h"/></host>
  <endpoint address="http://127.0.0.1:0/x" binding="customBinding" contract="HangingContract"/>
</service></services><bindings><customBinding><binding>
  <jsonRpcMessageEncoding/><httpTransport><webSocketSettings transportUsage="Always"/></httpTransport>
</binding></customBinding></bindings></system.serviceModel></configuration>
"""


@pytest.mark.parametrize("name", ["a.yaml", "a.config"])
async def test_the_batches_of_a_host_that_ends_are_the_files(tmp_path: Path, name: str) -> None:
    host_of_the_file = "host: {timeouts: {closeTimeout: 999h}, drain: {batchSize: 2, batchInterval: 99h}}"
    yaml = re.sub(r"host: .*", host_of_the_file, TEXT.replace("NAME", "Hanging"))
    (tmp_path / name).write_text(XML if name == "a.config" else yaml)
    (host,) = hosts_of(load(tmp_path / name), Hanging)
    async with asyncio.timeout(20):
        await host.open()
        async with peers(host, 3):
            closing = asyncio.create_task(host.close())
            while host.counters().sessions > 1:
                await asyncio.sleep(0)
            assert not closing.done()
            await host.abort()
            await closing
    assert (host.counters().sessions_drained, host.counters().sessions_cut) == (2, 1)
