"""DuplexChannelFactory: the same contracts from the other side.

Made, it has checked everything that can be known without the service: contract, callback object, binding,
address. WCF: DuplexChannelFactory<T>.
"""

import ssl
from os import PathLike
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

import attrs

from wsf.behaviors import CallbackSettings, OutboxSettings, ServiceThrottling, StreamSettings
from wsf.bindings import Binding
from wsf.client.client_channel import ClientChannel
from wsf.client.configured import endpoint_of, tls_of
from wsf.client.counters import ClientCounters, ClientMeter
from wsf.client.endpoint import ClientEndpoint
from wsf.client.mirror import instancing_of, mirrored, service_contract_of
from wsf.client.tokens import TokenProvider, check_asynchronous
from wsf.concurrency import pump_waits
from wsf.configuration import Configuration
from wsf.configuration.addresses import HTTP_SCHEMES, connectable
from wsf.dispatcher import Dispatcher
from wsf.errors import ContractError
from wsf.families import word_of
from wsf.flushing import FlushSchedule
from wsf.pump import MessagePump
from wsf.reconnecting import ReconnectSettings
from wsf.service_runtime import ServiceRuntime
from wsf.throttling import Gate

if TYPE_CHECKING:
    from typing_extensions import TypeForm

__all__ = ("DuplexChannelFactory",)

T = TypeVar("T")
C = TypeVar("C")


class DuplexChannelFactory(Generic[T]):
    """Makes channels to one service. WCF: DuplexChannelFactory.

    ::

        factory = DuplexChannelFactory(StockTicker, Watcher(), binding, "ws://localhost:8004/ticker")
        async with factory.create_channel() as ticker:
            await ticker.subscribe("MSFT")

    Args:
        contract: The service's contract: what channels are typed as.
        callback: The one object that serves the service's calls, of all channels; None if the contract has
            no callback contract. ``@service_behavior(concurrency_mode=...)`` of its class says how many of
            its operations run at a time.
        binding: The service's; nothing that only a host does is done.
        address: ``ws://`` or ``wss://``.
        token_provider: Asked before each handshake for what the service's ``authenticate`` wants to see.
        tls: How the service's certificate is checked, and a certificate of ours; None: as the system does.
        reconnect: None: a channel whose link was lost is FAULTED.
        outbox, callbacks: The bounds of what waits for the service, and of calls to it.
        streams: The bounds of streams that the service reads here.

    Raises:
        ContractError: The contract, the object or the address does not fit; says what to change.
    """

    def __init__(
        self,
        contract: "TypeForm[T]",
        callback: object,
        binding: Binding,
        address: str,
        *,
        token_provider: TokenProvider | None = None,
        tls: ssl.SSLContext | None = None,
        reconnect: ReconnectSettings | None = None,
        outbox: OutboxSettings | None = None,
        callbacks: CallbackSettings | None = None,
        streams: StreamSettings | None = None,
    ) -> None:
        promised = service_contract_of(contract)
        instancing, mode = instancing_of(promised, callback)
        mirror = mirrored(promised, binding)
        if token_provider is not None:
            check_asynchronous(token_provider)
        meter = ClientMeter()
        settings: Any = binding
        self.endpoint = ClientEndpoint(
            contract=mirror,
            address=_address(address, binding),
            binding=attrs.evolve(settings, transport=binding.transport.for_client()),
            token_provider=token_provider,
            tls=tls,
            reconnect=reconnect,
            meter=meter,
        )
        served = promised.contract_type if callback is None else type(callback)
        self._runtime = ServiceRuntime(
            f"{served.__module__}.{served.__qualname__}",
            instancing,
            pump_waits(mode),
            Gate(ServiceThrottling().max_concurrent_calls),
            outbox or OutboxSettings(),
            meter,
            callbacks or CallbackSettings(),
            streams=streams or StreamSettings(),
        )
        self._wire = object()
        self._dispatcher()  # what a channel could not be made of is said now

    @classmethod
    def from_configuration(
        cls: "type[DuplexChannelFactory[Any]]",
        contract: "TypeForm[C]",
        callback: object,
        configuration: Configuration | str | PathLike[str],
        name: str = "",
        *,
        token_provider: TokenProvider | None = None,
    ) -> "DuplexChannelFactory[C]":
        """A factory for an endpoint of a file's ``client``.

        Args:
            contract, callback, token_provider: As above.
            configuration: The file's path, or what ``wsf.configuration.load`` made of it.
            name: The endpoint's; needed where the contract has several.

        Raises:
            ConfigurationError: The file is not right, or has no such endpoint; with file, line and column.
            ContractError: As above.

        WCF: ``new DuplexChannelFactory<T>(context, endpointConfigurationName)``.
        """
        endpoint = endpoint_of(configuration, service_contract_of(contract), name)
        behavior = endpoint.behavior
        return cls(
            contract,
            callback,
            endpoint.binding,
            endpoint.address,
            token_provider=token_provider,
            tls=tls_of(endpoint),
            reconnect=behavior.reconnect,
            outbox=behavior.outbox,
            callbacks=behavior.callbacks,
        )

    def create_channel(self) -> ClientChannel[T]:
        """A channel that is not open yet. WCF: ``CreateChannel``."""
        return ClientChannel(self.endpoint, self._dispatcher())

    def counters(self) -> ClientCounters:
        """What happened on all its channels so far."""
        return self.endpoint.meter.snapshot()

    def _dispatcher(self) -> Dispatcher:
        # a factory may outlive an event loop, and what waited or rested in that one
        runtime = attrs.evolve(
            self._runtime, schedule=FlushSchedule(self._runtime.outbox.linger), pump=MessagePump()
        )
        return Dispatcher(self.endpoint.contract, self.endpoint.binding, self._wire, runtime)


def _address(address: str, binding: Binding) -> str:
    try:
        found = connectable(address)
    except ValueError as error:
        raise ContractError(f"address: {error}") from None
    scheme = urlsplit(found).scheme
    if HTTP_SCHEMES[scheme] != binding.transport.scheme:
        speaks = {listens: connects for connects, listens in HTTP_SCHEMES.items()}
        raise ContractError(
            f"address: {found.partition('?')[0]!r} begins with {scheme}://, but the binding's "
            f"{word_of(type(binding.transport))} speaks {speaks[binding.transport.scheme]}://"
        )
    return found
