"""What all endpoints of a service share: its gates, its bounds, its objects, its counters."""

from typing import Any

import attrs
from attrs import frozen

from wsf.behaviors import CallbackSettings, OutboxSettings, StreamSettings
from wsf.correlation import PendingCall
from wsf.counters import Meter
from wsf.error_behavior import ErrorBehavior
from wsf.extensions import DispatchRuntime
from wsf.flushing import FlushSchedule
from wsf.instancing import Instancing
from wsf.pump import MessagePump
from wsf.throttling import Gate

__all__ = ("ServiceRuntime",)


def _error_behavior(service: "ServiceRuntime") -> ErrorBehavior:
    return ErrorBehavior(service.name, service.extensions, service.meter, service.include_exception_detail)


@frozen
class ServiceRuntime:
    """What all endpoints of a service share."""

    name: str
    instancing: Instancing
    pump_waits: bool
    calls: Gate
    outbox: OutboxSettings
    meter: Meter
    callbacks: CallbackSettings = CallbackSettings()
    extensions: DispatchRuntime = attrs.field(factory=DispatchRuntime)
    include_exception_detail: bool = False
    strict_callbacks: bool = False
    host: Any = None
    #: calls to clients, of all sessions, whose answers may wait for who has no place to run yet
    held_up: list[PendingCall] = attrs.field(factory=list)
    #: when what waits for clients is written
    schedule: FlushSchedule = attrs.field(factory=FlushSchedule)
    #: what runs the operations
    pump: MessagePump = attrs.field(factory=MessagePump)
    streams: StreamSettings = StreamSettings()
    #: who judges this service's errors
    errors: ErrorBehavior = attrs.field(init=False, default=attrs.Factory(_error_behavior, takes_self=True))
