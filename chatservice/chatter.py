"""What one client says, as the wire has it."""

from attrs import define, field

from wsf import ExtensionData

__all__ = ("Chatter",)


@define
class Chatter:
    """Somebody's words in a room. All three members are required; what else a client sends is kept."""

    nickname: str
    room: str
    message: str
    extension_data: ExtensionData = field(factory=ExtensionData)
