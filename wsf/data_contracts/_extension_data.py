"""What a peer sent that the data contract does not know: a value like any other, kept for the way back."""

from attrs import frozen

__all__ = ("ExtensionData",)


@frozen(repr=False)
class ExtensionData:
    """The unknown members of one object, byte for byte, each with the known member that it followed.

    A data contract keeps its unknown members by having a field of this type::

        extension_data: ExtensionData = field(factory=ExtensionData)

    Immutable, equal by content and empty unless it was read, so that instances may share it.

    WCF: ExtensionDataObject, and the IExtensibleDataObject that holds it.
    """

    #: (the known member before it or "", name, JSON), ordered by the first; only this room makes them
    _members: tuple[tuple[str, str, bytes], ...] = ()

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        shown = [repr(name[:20]) for _, name, _ in self._members[:3]]
        more = [f"{len(self) - 3} more"] if len(self) > 3 else []
        return f"ExtensionData({', '.join(shown + more)})"
