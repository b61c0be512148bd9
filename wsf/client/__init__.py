"""Being a client: the same contracts from the other side. ``DuplexChannelFactory`` is the door."""

from wsf.client.channel_factory import DuplexChannelFactory
from wsf.client.client_channel import ClientChannel
from wsf.client.tokens import SecurityToken, TokenProvider
from wsf.reconnecting import ReconnectSettings

__all__ = ("ClientChannel", "DuplexChannelFactory", "ReconnectSettings", "SecurityToken", "TokenProvider")
