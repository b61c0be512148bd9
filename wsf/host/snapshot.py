"""One moment of a host, in numbers."""

from collections.abc import Sequence
from types import MappingProxyType

import attrs

from wsf.behaviors import CallbackSettings, OutboxSettings, StreamSettings
from wsf.channel import DuplexSessionChannel
from wsf.counters import Counters, Meter
from wsf.throttling import Gate

__all__ = ("snapshot",)


def snapshot(
    meter: Meter,
    channels: Sequence[DuplexSessionChannel],
    *,
    sessions: Gate,
    calls: Gate,
    instances: Gate,
    outbox: OutboxSettings,
    callbacks: CallbackSettings,
    streams: StreamSettings,
    connections_pending: int,
) -> Counters:
    """What happened so far, what is going on in the open sessions, and the bounds of both."""
    counted = attrs.asdict(meter)
    for mapping in ("messages_dropped", "clients_cut"):
        counted[mapping] = MappingProxyType(counted[mapping])
    for most, size in (
        ("outbox_messages_most", lambda channel: channel.outbox.messages_most),
        ("outbox_bytes_most", lambda channel: channel.outbox.size_most),
        ("read_ahead_messages_most", lambda channel: channel.inbox.messages_most),
        ("read_ahead_bytes_most", lambda channel: channel.inbox.size_most),
        ("pending_calls_most", lambda channel: channel.pending.most),
    ):
        counted[most] = max([counted[most], *map(size, channels)])
    counted["replies_dropped"] += sum(channel.pending.unrelated for channel in channels)
    return Counters(
        sessions=sessions.active,
        sessions_limit=sessions.limit,
        sessions_waiting=sessions.waiting,
        connections_pending=connections_pending,
        calls=calls.active,
        calls_limit=calls.limit,
        calls_waiting=calls.waiting,
        instances=instances.active,
        instances_limit=instances.limit,
        instances_waiting=instances.waiting,
        pending_calls=sum(len(channel.pending) for channel in channels),
        pending_calls_limit=callbacks.max_pending_calls,
        streams=sum(len(channel.streams) for channel in channels),
        streams_limit=streams.max_streams,
        read_ahead_messages=sum(len(channel.inbox) for channel in channels),
        read_ahead_bytes=sum(channel.inbox.size for channel in channels),
        read_ahead_max_messages=callbacks.max_read_ahead_messages,
        read_ahead_max_bytes=callbacks.max_read_ahead_bytes,
        outbox_messages=sum(len(channel.outbox) for channel in channels),
        outbox_bytes=sum(channel.outbox.size for channel in channels),
        outbox_max_messages=outbox.max_messages,
        outbox_max_bytes=outbox.max_bytes,
        **counted,
    )
