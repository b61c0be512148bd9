"""A typed call through all of wsf: a data contract as argument, the same as result, over JSON-RPC."""

from typing import Protocol

import attrs

from wsf import InstanceContextMode, operation_contract, service_behavior, service_contract

__all__ = ("Call", "CallService", "Said")


@attrs.frozen
class Said:
    """What the chat says."""

    message: str
    nickname: str
    room: str


@service_contract
class Call(Protocol):
    """What clients call."""

    @operation_contract()
    async def echo(self, said: Said) -> Said:
        """Say something, and get it back."""
        ...


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class CallService(Call):
    """Decoded, checked, and encoded again."""

    async def echo(self, said: Said) -> Said:
        """Say something, and get it back."""
        return said
