"""Where a client's channels lead, and how they get there: one for each factory."""

import asyncio
import ssl
from typing import Any

from attrs import frozen

from wsf.bindings import Binding
from wsf.client.counters import ClientMeter
from wsf.client.tokens import SecurityToken, TokenProvider
from wsf.description import ContractDescription
from wsf.errors import OpenTimeoutError
from wsf.reconnecting import ReconnectSettings
from wsf.settings import finite
from wsf.transports import ClientConnection, Destination

__all__ = ("ClientEndpoint",)


@frozen(kw_only=True)
class ClientEndpoint:
    """One way to a service. WCF: ServiceEndpoint of a ChannelFactory.

    Attributes:
        contract: As the client sees it: what it serves, and as its callback what it calls.
        address: ``ws://`` or ``wss://``.
        binding: As a client has it.
        token_provider: Asked before each handshake; None: nothing is shown.
        tls: How the service's certificate is checked; None: as the system does.
        reconnect: None: a channel whose link was lost is FAULTED.
    """

    contract: ContractDescription
    address: str
    binding: Binding
    token_provider: TokenProvider | None
    tls: ssl.SSLContext | None
    reconnect: ReconnectSettings | None
    meter: ClientMeter

    @property
    def shown(self) -> str:
        """The address as a message may show it: without its query string, which may hold a token."""
        return self.address.partition("?")[0]

    async def connect(self, delay: float = 0.0) -> ClientConnection:
        """After ``delay`` s, ask for a token and connect: openTimeout for both.

        Raises:
            ConnectError: There is no connection, and why.
            TypeError: The token provider gave something else than a SecurityToken.
            Exception: Whatever it raises itself.
        """
        await asyncio.sleep(delay)
        timeout = self.binding.open_timeout
        deadline = asyncio.timeout(finite(timeout))
        try:
            async with deadline:
                return await self.binding.transport.connect(await self._destination())
        except Exception as error:
            self.meter.connects_failed += 1
            if not (isinstance(error, TimeoutError) and deadline.expired()):
                raise
            raise OpenTimeoutError(f"{self.shown} was not open within {timeout:g} s (openTimeout)") from None

    async def _destination(self) -> Destination:
        transport: Any = self.binding.transport
        token: object = SecurityToken() if self.token_provider is None else await self.token_provider()
        if not isinstance(token, SecurityToken):
            raise TypeError(f"the token provider gave {type(token).__name__}: a wsf.client.SecurityToken")
        own = transport.web_socket_settings.sub_protocol
        return Destination(
            url=self.address,
            transport=transport,
            sub_protocols=(*(() if own is None else (own,)), *token.sub_protocols),
            headers=token.headers,
            query=token.query,
            tls=self.tls,
            close_timeout=self.binding.close_timeout,
            meter=self.meter,
        )
