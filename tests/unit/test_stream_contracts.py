"""What a contract may say of a result that streams, and what it may not."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Any, Protocol

import pytest

from wsf import ContractError, Message, callback_contract, operation_contract, service_contract
from wsf.behaviors import OutboxSettings
from wsf.callback import callback_operations
from wsf.encodings.byte_stream import ByteStreamMessageEncoding
from wsf.encodings.json_rpc import JsonRpcMessageEncoding
from wsf.implementation import implementation_of
from wsf.reflection import describe


@service_contract
class Streams(Protocol):
    @operation_contract
    def values(self) -> AsyncIterator[int]: ...
    @operation_contract
    async def awaited(self) -> AsyncGenerator[int, None]: ...
    @operation_contract
    def iterable(self) -> AsyncIterable[int]: ...


def test_the_result_of_what_streams_is_one_value() -> None:
    for operation in describe(Streams).operations:
        assert (operation.is_streaming, operation.result) == (True, int)
        assert operation.is_coroutine == (operation.method == "awaited")


def test_a_stream_may_be_of_nothing_but_moments() -> None:
    @service_contract
    class Beats(Protocol):
        @operation_contract
        def beats(self) -> AsyncIterator[None]: ...

    (operation,) = describe(Beats).operations
    assert operation.result is type(None)


def refused(result: Any, **attributes: Any) -> str:
    class Wrong(Protocol):
        def values(self) -> Any: ...

    Wrong.values.__annotations__["return"] = result
    Wrong.values = operation_contract(**attributes)(Wrong.values)  # type: ignore[method-assign]
    with pytest.raises(ContractError, match=r"Wrong\.values \(.*test_stream_contracts\.py:\d+\)") as caught:
        describe(service_contract(Wrong))
    return str(caught.value)


@pytest.mark.parametrize(
    ("result", "attributes", "words"),
    [
        (AsyncIterator[int], {"is_one_way": True}, "one-way"),
        (AsyncIterator[int], {"is_terminating": True}, "terminating"),
        (AsyncIterator, {}, "does not say what"),
        (AsyncGenerator[int, str], {}, "AsyncGenerator[..., None]"),
        (list[int], {}, "must be an 'async def'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_remedy(
    result: Any, attributes: dict[str, Any], words: str
) -> None:
    assert words in refused(result, **attributes)


@pytest.mark.parametrize("encoding", [ByteStreamMessageEncoding, JsonRpcMessageEncoding])
@pytest.mark.parametrize("direction", ["service", "callback"])
def test_a_byte_stream_carries_no_streams(encoding: Any, direction: str) -> None:
    class Values(Protocol):
        @operation_contract(action="*" if direction == "service" else None)
        def values(self, message: Message) -> AsyncIterator[int]: ...

    if direction == "service":
        contract = describe(service_contract(Values))
    else:

        @service_contract(callback_contract=callback_contract(Values))
        class Outer(Protocol): ...

        contract = describe(Outer)
    if encoding is JsonRpcMessageEncoding:
        encoding().check(contract)
        return
    with pytest.raises(ContractError, match=r"Values\.values.*streams.*jsonRpcMessageEncoding") as caught:
        encoding().check(contract)
    assert "\n" not in str(caught.value)


def test_a_stream_has_no_messages() -> None:
    @callback_contract
    class Values(Protocol):
        @operation_contract
        def values(self) -> AsyncIterator[Message]: ...

    with pytest.raises(ContractError, match=r"Values\.values.*no wsf\.Message"):
        callback_operations(describe(Values), JsonRpcMessageEncoding(), OutboxSettings())


class Good(Streams):
    async def values(self) -> AsyncIterator[int]:
        yield 1

    async def awaited(self) -> AsyncGenerator[int, None]:
        return self._more()

    def iterable(self) -> AsyncIterable[int]:
        return self._more()

    async def _more(self) -> AsyncGenerator[int, None]:
        yield 1


def test_an_implementation_yields_or_returns_an_iterator_as_its_contract_is_awaited() -> None:
    implementation_of(Good, describe(Streams))

    class Yields(Good):
        async def awaited(self) -> AsyncGenerator[int, None]:  # type: ignore[override]
            yield 1

    with pytest.raises(ContractError, match=r"Yields\.awaited .*must return an async iterator, not yield"):
        implementation_of(Yields, describe(Streams))

    class Returns(Good):
        async def values(self) -> AsyncIterator[int]:  # type: ignore[override]
            return self._more()

    with pytest.raises(ContractError, match=r"Returns\.values .*must yield"):
        implementation_of(Returns, describe(Streams))

    class Lacks(Streams): ...

    with pytest.raises(ContractError, match=r"write 'async def values\(self\) -> AsyncIterator\[int\]'"):
        implementation_of(Lacks, describe(Streams))
