"""Data contracts: what a JSON body must hold, written as an attrs class.

Every field is a data member under its own name. A field without a default is required, which means present;
what the class does not know is kept in its ExtensionData field, if it has one, and written back.
The law of the room: only JSON (RFC 8259), nothing is coerced, and a refusal never quotes the peer.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from wsf.data_contracts._extension_data import ExtensionData

if TYPE_CHECKING:
    from wsf.data_contracts._contract import DataContract

__all__ = ("ExtensionData", "read", "write")

T = TypeVar("T")


def read(cls: type[T], body: bytes) -> T:
    """The instance of ``cls``, an attrs class, that a JSON body describes.

    The constructor runs, and with it the class's validators.

    Raises:
        SerializationError: The body is not JSON or not what ``cls`` promises. One line, made of the names of
            known members and types only, so that it may become a close reason.
        ContractError: ``cls`` is not an attrs class, or has a member of a type without a JSON form.

    WCF: DataContractJsonSerializer.ReadObject.
    """
    instance: T = _contract_of()(cls).read(body)
    return instance


def write(instance: object) -> bytes:
    """An instance of an attrs class as compact JSON in UTF-8.

    The members come as WCF orders them: a base class's before its subclass's, then by name; each unknown
    member comes after the known member that it followed when it was read.

    Raises:
        ValueError: A value has no JSON form (NaN, Infinity, a lone surrogate, a cycle). It is no
            SerializationError, because it is not the peer's fault.
        ContractError: As for ``read``.

    WCF: DataContractJsonSerializer.WriteObject.
    """
    return _contract_of()(type(instance)).write(instance)


@cache
def _contract_of() -> "Callable[[type[Any]], DataContract[Any]]":
    from wsf.data_contracts._contract import contract_of  # noqa: PLC0415 - loads msgspec, when first needed

    return contract_of
