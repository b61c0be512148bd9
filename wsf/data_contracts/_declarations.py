"""What an author says of a data contract and its members, beyond what Python says by itself."""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from attrs import frozen

from wsf.errors import ContractError

__all__ = (
    "NOTHING_SAID",
    "TYPE_MEMBER",
    "DataContractAttribute",
    "DataMember",
    "data_contract",
    "data_member",
)

T = TypeVar("T")

#: the member that names the contract of an object where there are several to choose from. WCF's name
TYPE_MEMBER: Final = "__type"
_METADATA: Final = "wsf.data_member"
_ATTRIBUTE: Final = "__data_contract__"


@frozen
class DataMember:
    """What ``data_member`` was given. WCF: DataMemberAttribute."""

    name: str | None = None
    required: bool | None = None
    order: int | None = None
    emit_default: bool = True

    @classmethod
    def of(cls, metadata: Any) -> "DataMember":
        """What was said in a field's metadata; by default nothing."""
        said: DataMember = metadata.get(_METADATA, NOTHING_SAID)
        return said


NOTHING_SAID: Final = DataMember()


@frozen
class DataContractAttribute:
    """What ``data_contract`` was given. WCF: DataContractAttribute and KnownTypeAttribute."""

    name: str | None = None
    known_types: Iterable[Any] | Callable[[], Iterable[Any]] = ()

    @classmethod
    def of(cls, contract: type[Any]) -> "DataContractAttribute":
        """What was said of a class itself, not of its bases; by default nothing."""
        said: DataContractAttribute = vars(contract).get(_ATTRIBUTE, _NO_ATTRIBUTE)
        return said

    def resolved(self) -> tuple[Any, ...]:
        """The known types, asked for when they are needed, for they may be declared below their base."""
        return tuple(self.known_types() if callable(self.known_types) else self.known_types)


_NO_ATTRIBUTE: Final = DataContractAttribute()


def data_member(
    *,
    name: str | None = None,
    required: bool | None = None,
    order: int | None = None,
    emit_default: bool = True,
) -> dict[str, object]:
    """The metadata of a field that stands in JSON in another way than by default.

    ::

        price: Decimal = attrs.field(metadata=data_member(name="Price", order=2))
        price: Decimal = dataclasses.field(metadata=data_member(name="Price", order=2))

    Args:
        name: The member's name in JSON, exactly. By default the field's own.
        required: Whether the member must be present. By default it must, if the field has no default.
        order: Its place among the members of its class: those without an order come first, then by order,
            then by name. At least 0.
        emit_default: False leaves the member out where its value is the field's default.

    Raises:
        ContractError: ``name`` is empty or ``__type``, or ``order`` is negative.

    WCF: DataMemberAttribute.
    """
    if name is not None and (not name or name == TYPE_MEMBER):
        raise ContractError(f"data_member(name={name!r}): the name may not be empty or {TYPE_MEMBER!r}")
    if order is not None and order < 0:
        raise ContractError(f"data_member(order={order}): the order may not be negative")
    return {_METADATA: DataMember(name, required, order, emit_default)}


def data_contract(
    *, name: str | None = None, known_types: Iterable[Any] | Callable[[], Iterable[Any]] = ()
) -> Callable[[type[T]], type[T]]:
    """Name a data contract, or the subclasses that may stand where it is promised.

    A class needs it only for one of the two, and only an attrs class or a dataclass may have it::

        @data_contract(known_types=lambda: [Circle, Square])
        @define
        class Shape: ...

    Args:
        name: What the member ``__type`` calls the class. By default the class's own name.
        known_types: The subclasses, or a function that gives them once they are declared.

    Raises:
        ContractError: ``name`` is empty.

    WCF: DataContractAttribute.Name, KnownTypeAttribute.
    """
    if name is not None and not name:
        raise ContractError('@data_contract(name=""): the name may not be empty; leave name out')

    def decorate(cls: type[T]) -> type[T]:
        setattr(cls, _ATTRIBUTE, DataContractAttribute(name, known_types))
        return cls

    return decorate
