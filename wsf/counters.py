"""What happened, counted: every bound, refusal and drop has a number here.

``Meter`` is what the rooms count into; ``Counters`` is the frozen snapshot that ``host.counters()`` gives.
A leaf: nothing of wsf is imported, nothing is locked (one event loop, one thread).
"""

import logging
import time
from collections.abc import Mapping
from typing import Final

from attrs import define, field, frozen

from wsf.errors import FaultCode

__all__ = ("Counters", "Meter", "RareWarning")

#: s between two warnings that the same bound is met: an operator wants to know, and not a thousand times
WARNING_INTERVAL: Final = 60.0


class RareWarning:
    """A warning at most once a minute, however often a bound is met; the counters have the number."""

    __slots__ = ("_logger", "_next")

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._next = 0.0

    def warn(self, text: str, *arguments: object) -> None:
        """Log it, unless that was done less than a minute ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + WARNING_INTERVAL
            self._logger.warning(text, *arguments)


@define
class Meter:
    """The numbers that only grow, in the order of a message's way through the house."""

    connections_refused: int = 0
    tls_handshakes_failed: int = 0
    requests_refused: int = 0
    handshakes_refused: int = 0
    authentications_refused: int = 0
    authentications_failed: int = 0
    sessions_opened: int = 0
    sessions_closed: int = 0
    sessions_drained: int = 0
    sessions_cut: int = 0
    messages_received: int = 0
    bytes_received: int = 0
    messages_sent: int = 0
    messages_compressed: int = 0
    bytes_sent: int = 0
    messages_too_big: int = 0
    protocol_errors: int = 0
    operations_failed: int = 0
    calls_refused: int = 0
    calls_cancelled: int = 0
    batches_refused: int = 0
    reply_timeouts: int = 0
    replies_dropped: int = 0
    slow_clients_aborted: int = 0
    send_timeouts: int = 0
    keep_alive_timeouts: int = 0
    idle_timeouts: int = 0
    close_timeouts: int = 0
    messages_dropped: dict[tuple[str, str], int] = field(factory=dict)
    clients_cut: dict[tuple[str, str], int] = field(factory=dict)
    outbox_messages_most: int = 0
    outbox_bytes_most: int = 0
    read_ahead_messages_most: int = 0
    read_ahead_bytes_most: int = 0
    pending_calls_most: int = 0
    streams_opened: int = 0
    streams_refused: int = 0
    streams_most: int = 0
    stream_values: int = 0
    stream_answers_full: int = 0
    stream_timeouts: int = 0

    def count_refusal(self, code: FaultCode) -> None:
        """A message was answered by what the encoding, or the inbox, says is wrong with it."""
        if code is FaultCode.CANCELLED:  # while it waited
            self.calls_cancelled += 1
            return
        self.protocol_errors += 1
        if code is FaultCode.QUOTA_EXCEEDED:
            self.batches_refused += 1

    def count_drop(self, operation: str, reason: str, count: int = 1) -> None:
        """Messages of an operation were dropped, as its delivery says."""
        if count:
            self.messages_dropped[operation, reason] = (
                self.messages_dropped.get((operation, reason), 0) + count
            )

    def count_cut(self, operation: str, reason: str) -> None:
        """A client was cut, for want of room for a message of an operation, or of progress."""
        self.clients_cut[operation, reason] = self.clients_cut.get((operation, reason), 0) + 1


@frozen
class Counters:
    """One moment of a host. Numbers beside a limit say how much of it is in use.

    Attributes:
        sessions, sessions_limit, sessions_waiting: Open sessions; ``maxConcurrentSessions``; upgrades that
            wait for a place (bounded by ``maxPendingConnections``).
        connections_pending: TCP connections that have not become a session (bounded by
            ``maxPendingConnections``, in time by ``requestInitializationTimeout``).
        calls, calls_limit, calls_waiting: Running operations; ``maxConcurrentCalls``; those that wait.
        instances, instances_limit, instances_waiting: Live service objects; ``maxConcurrentInstances``;
            calls that wait for a place.
        pending_calls, pending_calls_most, pending_calls_limit: Calls to clients that wait for answers now;
            the most for any one client, ever; ``maxPendingCalls``.
        read_ahead_messages, read_ahead_bytes: What was read past to find answers, over all sessions.
        read_ahead_messages_most, read_ahead_bytes_most: The most for any one client, ever.
        read_ahead_max_messages, read_ahead_max_bytes: ``maxReadAheadMessages``, ``maxReadAheadBytes``.
        streams, streams_most, streams_limit: Streams of service operations that are open now, over all
            sessions; the most of any one session, ever; ``maxStreams``.
        outbox_messages, outbox_bytes: What waits for clients now, over all sessions.
        outbox_messages_most, outbox_bytes_most: The most that waited for any one client, ever.
        outbox_max_messages, outbox_max_bytes: The bounds of each client's outbox.
        connections_refused: TCP connections over ``maxPendingConnections`` or the descriptors.
        tls_handshakes_failed: Connections to an https site that did not agree on TLS, had no certificate that
            is let in, or took longer than ``requestInitializationTimeout``.
        requests_refused: What was no HTTP: 400. This and the above count for every service of a site.
        handshakes_refused: Upgrades answered with anything but 101.
        authentications_refused, authentications_failed: Those of them that ``authenticate`` refused, and
            those for which it raised an error of its own or took longer than ``openTimeout``.
        sessions_drained, sessions_cut: Sessions that the host's end closed; those for which it found no time:
            at ``closeTimeout``, by ``abort``, or because the client did not answer.
        messages_compressed: What ``permessageDeflate`` made smaller, counted once for all receivers.
        messages_too_big: Messages over ``maxReceivedMessageSize``: 1009.
        protocol_errors: Sessions ended for the peer's fault, too big messages included.
        operations_failed: Operations that raised what was not the peer's fault: 1011.
        calls_refused: Calls of clients that could never have ended.
        calls_cancelled: Calls of clients that these have cancelled, and that ended so.
        batches_refused: Payloads with more messages than ``maxBatchMessages``.
        reply_timeouts: Calls to clients that were not answered within ``sendTimeout``.
        replies_dropped: Answers to no call: late ones, and those to calls that nobody made.
        slow_clients_aborted: Clients over a bound of their outbox.
        messages_dropped: By operation and reason, as its delivery says: ``oldest``, ``newest``, ``replaced``.
        clients_cut: Slow clients by operation and reason: ``outbox``, with the operation whose message had no
            room; ``sendTimeout``, without one, for those that took nothing.
        send_timeouts, keep_alive_timeouts, idle_timeouts, close_timeouts: Clients that met ``sendTimeout``,
            the pong deadline of ``keepAliveInterval``, ``receiveTimeout`` or ``closeTimeout``.
        streams_opened, streams_refused: Calls that were given a stream; those that were over ``maxStreams``.
        stream_values, stream_answers_full: Values sent; answers that ``maxValues`` or ``maxBytes`` cut short.
        stream_timeouts: Streams that nobody asked for more within ``idleTimeout``.
    """

    sessions: int
    sessions_limit: int
    sessions_waiting: int
    connections_pending: int
    calls: int
    calls_limit: int
    calls_waiting: int
    instances: int
    instances_limit: int
    instances_waiting: int
    pending_calls: int
    pending_calls_most: int
    pending_calls_limit: int
    streams: int
    streams_most: int
    streams_limit: int
    read_ahead_messages: int
    read_ahead_bytes: int
    read_ahead_messages_most: int
    read_ahead_bytes_most: int
    read_ahead_max_messages: int
    read_ahead_max_bytes: int
    outbox_messages: int
    outbox_bytes: int
    outbox_messages_most: int
    outbox_bytes_most: int
    outbox_max_messages: int
    outbox_max_bytes: int
    connections_refused: int
    tls_handshakes_failed: int
    requests_refused: int
    handshakes_refused: int
    authentications_refused: int
    authentications_failed: int
    sessions_opened: int
    sessions_closed: int
    sessions_drained: int
    sessions_cut: int
    messages_received: int
    bytes_received: int
    messages_sent: int
    messages_compressed: int
    bytes_sent: int
    messages_too_big: int
    protocol_errors: int
    operations_failed: int
    calls_refused: int
    calls_cancelled: int
    batches_refused: int
    reply_timeouts: int
    replies_dropped: int
    slow_clients_aborted: int
    messages_dropped: Mapping[tuple[str, str], int]
    clients_cut: Mapping[tuple[str, str], int]
    send_timeouts: int
    keep_alive_timeouts: int
    idle_timeouts: int
    close_timeouts: int
    streams_opened: int
    streams_refused: int
    stream_values: int
    stream_answers_full: int
    stream_timeouts: int
