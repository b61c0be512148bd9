"""What happened to a factory's channels, counted: the bounds of the rooms below, and a client's own."""

from collections.abc import Mapping
from types import MappingProxyType

import attrs
from attrs import define, frozen

from wsf.counters import Meter

__all__ = ("ClientCounters", "ClientMeter")


@define
class ClientMeter(Meter):
    """The numbers of a host that a client has, too, and its own."""

    connects_failed: int = 0
    reconnects: int = 0

    def snapshot(self) -> "ClientCounters":
        """What ``DuplexChannelFactory.counters`` gives."""
        counted = {name: getattr(self, name) for name in attrs.fields_dict(ClientCounters)}
        counted["messages_dropped"] = MappingProxyType(dict(self.messages_dropped))
        return ClientCounters(**counted)


@frozen
class ClientCounters:
    """One moment of a factory. The numbers of a session's bounds are counted at its end.

    Attributes:
        connects_failed: Attempts to connect that gave no session, those of reconnects included.
        sessions_opened, sessions_closed, reconnects: Sessions; those that came after a lost link.
        reply_timeouts, replies_dropped, pending_calls_most: Calls to the service: not answered within
            ``sendTimeout``; answers to none; the most that ever waited (``maxPendingCalls``).
        operations_failed, calls_refused: Callbacks that raised; those that could never have ended.
        streams_opened, streams_refused, stream_timeouts, stream_values: Streams that the service reads here;
            calls over ``maxStreams``; streams that it asked for no more within ``idleTimeout``; values sent.
        messages_too_big, protocol_errors: What the service did against the rules.
        slow_clients_aborted, send_timeouts, keep_alive_timeouts, idle_timeouts, close_timeouts: Sessions
            given up here, because the service took too little, or nothing, or was silent.
    """

    connects_failed: int
    sessions_opened: int
    sessions_closed: int
    reconnects: int
    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int
    messages_too_big: int
    protocol_errors: int
    operations_failed: int
    calls_refused: int
    reply_timeouts: int
    replies_dropped: int
    pending_calls_most: int
    streams_opened: int
    streams_refused: int
    stream_timeouts: int
    stream_values: int
    outbox_messages_most: int
    outbox_bytes_most: int
    messages_dropped: Mapping[tuple[str, str], int]
    slow_clients_aborted: int
    send_timeouts: int
    keep_alive_timeouts: int
    idle_timeouts: int
    close_timeouts: int
