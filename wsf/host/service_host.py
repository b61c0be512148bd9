"""ServiceHost: a service class or object, its endpoints, and their life from open to close.

Built, it has checked everything that WCF checks in ``new ServiceHost``; opened, the rest. Closing stops
accepting, lets running operations end, says 1001 to every client and cuts at the deadline.
"""

import logging
import os
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import attrs

from wsf.behaviors import (
    CallbackSettings,
    InstanceContextMode,
    OutboxSettings,
    ServiceDebug,
    ServiceThrottling,
    StreamSettings,
    behavior_of,
)
from wsf.bindings import Binding
from wsf.communication_object import CommunicationState
from wsf.concurrency import pump_waits
from wsf.counters import Counters, Meter, RareWarning
from wsf.credentials import ServiceCredentials
from wsf.description import ServiceDescription
from wsf.dispatcher import Dispatcher
from wsf.draining import DrainSettings
from wsf.errors import (
    ContractError,
)
from wsf.extension_collection import ExtensionCollection
from wsf.extensions import Behavior
from wsf.flushing import FlushSchedule
from wsf.host.construction import (
    check_asynchronous,
    check_creatable,
    check_one_description,
    check_outbox_operations,
    extended,
    make_instancing,
    service_type_of,
)
from wsf.host.endpoints import (
    ServiceEndpoint,
    check_scheme,
    find_contract,
    refuse_paths,
    split_address,
    with_port,
)
from wsf.host.life import HostLife
from wsf.host.snapshot import snapshot
from wsf.implementation import implementation_of
from wsf.instancing import Instancing
from wsf.reflection import check_at_open, contracts_of
from wsf.service_runtime import ServiceRuntime
from wsf.throttling import UNLIMITED, Gate
from wsf.transports import Authenticate, Entrance, Listener, descriptor_limit

if TYPE_CHECKING:
    from wsf.transports.http import Application

__all__ = ("Listeners", "ServiceHost")

logger = logging.getLogger("wsf.host")

#: the listeners of a process by (transport's type, host, port): services may share a site
Listeners = dict[tuple[type[Any], str, int], Listener]


class ServiceHost(HostLife):
    """Hosts one service. WCF: ServiceHost.

    ::

        host = ServiceHost(ChatServiceImplementation)
        host.add_service_endpoint(ChatService, binding, "http://localhost:8004/chatservice")
        async with host:
            ...

    Args:
        service: A class, instantiated as its ``@service_behavior`` says; or, for SINGLE, an object.
        throttling, outbox, callbacks, streams: The service behavior's bounds.
        debug: Whether callers are told what went wrong inside.
        behaviors: Extensions for this host, after those of ``@service_behavior``.
        credentials: The service behavior's certificates; endpoints over ``httpsTransport`` need one.
        authenticate: Asked who a client is, before its session is let in; see ``UpgradeRequest`` and
            ``HandshakeRefusedError``. Its answer is the ``WebSocketMessageProperty``'s ``principal``.
        open_timeout, close_timeout: s for ``open`` and ``close``; WCF's defaults.
        drain: How fast ``close`` lets many clients go.
        static_content: ``package:folder`` of a page, served at ``/`` of each endpoint's site.
        listeners: Shared with other hosts whose endpoints may be on the same site.

    Raises:
        ContractError: The class or its contracts cannot be hosted; the message says what to change.
    """

    def __init__(
        self,
        service: object,
        *,
        throttling: ServiceThrottling | None = None,
        outbox: OutboxSettings | None = None,
        callbacks: CallbackSettings | None = None,
        streams: StreamSettings | None = None,
        debug: ServiceDebug | None = None,
        behaviors: Sequence[Behavior] = (),
        credentials: ServiceCredentials | None = None,
        authenticate: Authenticate | None = None,
        open_timeout: float = 60.0,
        close_timeout: float = 10.0,
        drain: DrainSettings | None = None,
        static_content: str = "",
        listeners: Listeners | None = None,
    ) -> None:
        super().__init__(open_timeout, close_timeout, drain or DrainSettings())
        self.service_type = service_type_of(service)
        self._contracts = contracts_of(self.service_type)
        for contract in self._contracts:
            implementation_of(self.service_type, contract)
        self._service = service
        self._behavior = behavior_of(self.service_type)
        self._throttling = throttling or ServiceThrottling()
        self._outbox = outbox or OutboxSettings()
        self._callbacks = callbacks or CallbackSettings()
        self._streams = streams or StreamSettings()
        self._includes_detail = self._behavior.include_exception_detail_in_faults or (
            debug is not None and debug.include_exception_detail_in_faults
        )
        self.description = ServiceDescription(self.name, self.service_type, self._contracts)
        self._extensions = extended(self.description, (*self._behavior.behaviors, *behaviors))
        self.extensions = ExtensionCollection(self)
        self._credentials = credentials or ServiceCredentials()
        self._authenticate = None if authenticate is None else check_asynchronous(authenticate)
        self._static_content = static_content
        self._listeners: Listeners = {} if listeners is None else listeners
        self._endpoints: list[ServiceEndpoint] = []
        self._instancing: Instancing | None = None
        self._is_mounted = False
        self._meter = Meter()
        self._warnings = RareWarning(logger)
        self._calls = Gate(self._throttling.max_concurrent_calls)
        self._sessions = Gate(self._throttling.max_concurrent_sessions or descriptor_limit())
        self._instances = Gate(self._throttling.max_concurrent_instances or UNLIMITED)
        if self._behavior.instance_context_mode is InstanceContextMode.SINGLE:
            self._instancing = self._make_instancing()

    @property
    def name(self) -> str:
        """The service's Python name."""
        return f"{self.service_type.__module__}.{self.service_type.__qualname__}"

    @property
    def endpoints(self) -> tuple[ServiceEndpoint, ...]:
        """The endpoints, in the order they were added."""
        return tuple(self._endpoints)

    @property
    def pages(self) -> tuple[str, ...]:
        """Where the page is, if there is one: the root of each endpoint's site."""
        if not self._static_content:
            return ()
        roots = (endpoint.site for endpoint in self._endpoints)
        return tuple(dict.fromkeys(f"{root}/" for root in roots if root))

    def add_service_endpoint(
        self, contract: type[Any] | str, binding: Binding, address: str, name: str = ""
    ) -> ServiceEndpoint:
        """Add a way into the service, while the host is not open.

        Args:
            contract: A service contract, or what a configuration file calls it.
            address: Absolute, ``http://host:port/path``: port 0 is any free one; or, for ``mount``, a path.

        Raises:
            ContractError: The service does not implement the contract, or the address is none.
            InvalidOperationError: The host is open.
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                It was.

        WCF: ``AddServiceEndpoint``.
        """
        self._demand_created()
        description = find_contract(self.name, self._contracts, contract)
        name = name or f"{binding.name or type(binding).__name__}_{description.name}"
        endpoint = ServiceEndpoint(name, address, binding, description)
        check_scheme(address, binding)
        self._endpoints.append(endpoint)
        return endpoint

    def counters(self) -> Counters:
        """A snapshot of every bound's use and of what happened so far."""
        return snapshot(
            self._meter,
            [channel for dispatcher in self._dispatchers for channel in dispatcher.channels],
            sessions=self._sessions,
            calls=self._calls,
            instances=self._instances,
            outbox=self._outbox,
            callbacks=self._callbacks,
            streams=self._streams,
            connections_pending=sum(
                listener.pending for listener in {listener for listener, _ in self._entrances}
            ),
        )

    def mount(self, application: "Application") -> None:
        """Serve inside an aiohttp application of one's own: its sockets, its routes, our sessions.

        The host opens when the application starts and closes when it shuts down. Endpoint addresses are
        paths then (``/chat``), or tell by their host which Host headers are answered.

        Raises:
            ContractError: As for ``open``; or an endpoint's transport is httpsTransport.
            InvalidOperationError, CommunicationError: The host is open, or was.
        """
        self._demand_created()
        self.build()
        self._is_mounted = True
        for listener in {listener: None for listener, _ in self._entrances}:
            site: Any = listener
            site.mount(application)
        application.on_startup.append(lambda _: self.open())
        application.on_shutdown.append(lambda _: self.close())
        application.cleanup_ctx.append(self._until_cleanup)

    async def _until_cleanup(self, _: "Application") -> AsyncIterator[None]:
        """All that is called of an application that could not start."""
        yield
        await self.close()

    def build(self) -> None:
        """Everything of ``open`` but the sockets, once: what WCF does in InitializeRuntime.

        Raises:
            ContractError: A contract cannot be dispatched, or not over its binding.
            ConfigurationError: The page is not there, or a certificate cannot be used.
        """
        if self._dispatchers:
            return
        if not self._endpoints:
            raise ContractError(f"{self.name} has no endpoints: add one, in the configuration or in code")
        check_one_description([endpoint.contract for endpoint in self._endpoints])
        check_outbox_operations(self._outbox, [endpoint.contract for endpoint in self._endpoints])
        for endpoint in self._endpoints:
            check_at_open(endpoint.contract)
            endpoint.binding.check(endpoint.contract)
        if self._includes_detail and not any(e.binding.encoding.carries_replies for e in self._endpoints):
            raise ContractError(
                f"{self.name}: includeExceptionDetailInFaults is set, and no endpoint carries faults"
            )
        if self._instancing is None:
            self._instancing = self._make_instancing()
        runtime = ServiceRuntime(
            self.name,
            self._instancing,
            pump_waits(self._behavior.concurrency_mode),
            self._calls,
            self._outbox,
            self._meter,
            self._callbacks,
            self._extensions,
            self._includes_detail,
            self._behavior.strict_callbacks,
            self,
            schedule=FlushSchedule(self._outbox.linger),
            streams=self._streams,
        )
        wires: dict[int, object] = {}
        for endpoint in self._endpoints:
            wire = wires.setdefault(id(endpoint.binding), object())
            dispatcher = Dispatcher(endpoint.contract, endpoint.binding, wire, runtime)
            self._dispatchers.append(dispatcher)
            self._enter(endpoint, dispatcher)

    def _enter(self, endpoint: ServiceEndpoint, dispatcher: Dispatcher) -> None:
        transport: Any = endpoint.binding.transport
        address = split_address(endpoint.address)
        port = address.port if address.port is not None else transport.default_port
        listener = self._listeners.get((type(transport), address.host, port))
        if listener is None:
            listener = transport.listener(address.host, port)
            if port:  # any free port is another one each time
                self._listeners[type(transport), address.host, port] = listener
        entrance = Entrance(
            path=unquote(address.path) or "/",
            host=address.host,
            transport=transport,
            open_timeout=endpoint.binding.open_timeout,
            close_timeout=endpoint.binding.close_timeout,
            accept=dispatcher.serve,
            meter=self._meter,
            is_open=self._is_open,
            try_admit=self._sessions.try_enter,
            admit=lambda: self._admit(transport.pending_connections_limit),
            release=self._sessions.leave,
            credentials=self._credentials,
            authenticate=self._authenticate,
        )
        listener.add(entrance)
        self._entrances.append((listener, entrance))
        if self._static_content:
            listener.add_static(self._static_content)

    def _is_open(self) -> bool:
        return self.state in (CommunicationState.OPENING, CommunicationState.OPENED)

    async def _admit(self, waiting_limit: int) -> bool:
        if self._sessions.try_enter():
            return True
        if not self._is_open():
            return False
        self._warnings.warn(
            "maxConcurrentSessions (%d) reached: upgrades wait up to openTimeout, then get 503",
            self._sessions.limit,
        )
        if self._sessions.waiting >= waiting_limit:
            return False
        return await self._sessions.enter()

    async def _begin(self) -> None:
        """What may fail or take its time when a host opens."""
        self.build()
        if self._instancing is not None:
            await self._instancing.start()
        if not self._is_mounted:
            refuse_paths(self._endpoints)
            for listener, _ in self._entrances:
                await listener.open()

    def _make_instancing(self) -> Instancing:
        if self._extensions.instance_provider is None:
            check_creatable(self._service)
        return make_instancing(
            self._service, self._behavior, self._extensions.instance_provider, self._instances, self
        )

    def _announce(self) -> None:
        self._endpoints = [
            attrs.evolve(endpoint, address=with_port(endpoint.address, listener.port))
            for endpoint, (listener, _) in zip(self._endpoints, self._entrances, strict=True)
        ]
        for endpoint in self._endpoints:
            logger.info("listening: %s %s, process %d", endpoint.address, self.name, os.getpid())

    def _refuse_waiting(self) -> None:
        self._sessions.dismiss()

    async def _release(self) -> None:
        if self._instancing is not None:
            await self._instancing.end_of_host()
