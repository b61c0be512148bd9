"""A service on a free port, and a client of it, in one line each."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, TypeVar

from wsf import families
from wsf.bindings import Binding
from wsf.bindings.custom import CustomBinding
from wsf.client import ClientChannel, DuplexChannelFactory
from wsf.description import ContractDescription
from wsf.errors import ContractError
from wsf.host import ServiceHost
from wsf.reflection import contracts_of, describe
from wsf.transports.http import HttpTransport, WebSocketSettings, WebSocketTransportUsage

if TYPE_CHECKING:
    from typing_extensions import TypeForm

__all__ = ("ServedAddress", "binding_for", "connect", "serve")

T = TypeVar("T")


class ServedAddress(str):
    """Where a service is: ``ws://127.0.0.1:41234/``.

    Attributes:
        host: The host that serves it: counters, ``close``, ``abort``.
        binding: What a client needs to speak as it does.
    """

    __slots__ = ("binding", "host")

    host: ServiceHost
    binding: Binding

    def at(self, address: str) -> "ServedAddress":
        """The same service at another address: behind a link, say."""
        other = ServedAddress(address)
        other.host, other.binding = self.host, self.binding
        return other


@contextlib.asynccontextmanager
async def serve(
    service: object,
    contract: type[Any] | None = None,
    *,
    binding: Binding | None = None,
    encoding: str = "",
    path: str = "/",
    **settings: Any,
) -> AsyncGenerator[ServedAddress]:
    """Serve a class or an object on a free port of 127.0.0.1; closed at the end.

    Args:
        service: As for ``ServiceHost``.
        contract: Which of its contracts; needed where it has several.
        binding: Its own; else a ``customBinding`` of ``encoding`` over ``httpTransport``.
        encoding: A configuration word, such as ``byteStreamMessageEncoding``; by default
            ``jsonRpcMessageEncoding``, or byte streams where only these can carry the contract.
        path: Of the address.
        settings: Of ``ServiceHost``: ``authenticate``, ``outbox``, ``throttling``...

    Raises:
        ContractError: As ``ServiceHost``; or the service has several contracts, and none is named.
        LookupError: There is no such encoding.
    """
    host = ServiceHost(service, **settings)
    named: Any = contract
    promised = _contract(host.service_type) if contract is None else describe(named)
    chosen: Any = binding or binding_for(promised, encoding)
    host.add_service_endpoint(
        promised.contract_type, chosen, f"{chosen.transport.scheme}://127.0.0.1:0/{path.lstrip('/')}"
    )
    async with host:
        address = ServedAddress(host.endpoints[0].address.replace("http", "ws", 1))
        address.host, address.binding = host, chosen
        yield address


def connect(
    contract: "TypeForm[T]",
    address: str,
    callback: object = None,
    *,
    binding: Binding | None = None,
    **settings: Any,
) -> ClientChannel[T]:
    """A channel to a service: ``async with connect(Ticker, address, Watcher()) as ticker``.

    Args:
        address: What ``serve`` gave, or any.
        callback: The object that serves the service's calls, if the contract has a callback contract.
        binding: By default the one that ``serve`` made, or would make.
        settings: Of ``DuplexChannelFactory``: ``token_provider``, ``reconnect``...

    Raises:
        ContractError: As ``DuplexChannelFactory``.
    """
    named: Any = contract
    chosen: Any = binding or getattr(address, "binding", None) or binding_for(describe(named), "")
    factory: DuplexChannelFactory[T] = DuplexChannelFactory(
        contract, callback, chosen, str(address), **settings
    )
    return factory.create_channel()


def binding_for(contract: ContractDescription, encoding: str) -> CustomBinding:
    """A binding that can carry a contract: the first encoding that does, unless one is named."""
    words = (encoding,) if encoding else ("jsonRpcMessageEncoding", "byteStreamMessageEncoding")
    refusal: ContractError | None = None
    settings = WebSocketSettings(transport_usage=WebSocketTransportUsage.ALWAYS)
    for word in words:
        made = families.find("encodings", word)()
        try:
            made.check(contract)
        except ContractError as error:
            refusal = refusal or error
            continue
        return CustomBinding(encoding=made, transport=HttpTransport(web_socket_settings=settings))
    raise refusal or ContractError("there is no encoding")


def _contract(service: type[Any]) -> ContractDescription:
    contracts = contracts_of(service)
    if len(contracts) > 1:
        names = " or ".join(contract.contract_type.__qualname__ for contract in contracts)
        raise ContractError(f"{service.__qualname__} has several contracts: serve(..., {names})")
    return next(iter(contracts))
