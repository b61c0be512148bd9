"""Data contracts: what a JSON body must hold, written as an attrs class or a dataclass.

Every field is a data member under its own name. A field without a default is required, which means present;
what the class does not know is kept in its ExtensionData field, if it has one, and written back.
The law of the room: only JSON (RFC 8259), nothing is coerced, and a refusal never quotes the peer.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

from wsf.data_contracts._declarations import data_contract, data_member
from wsf.data_contracts._extension_data import ExtensionData
from wsf.data_contracts._quotas import DEFAULT_QUOTAS, JsonQuotas
from wsf.data_contracts._surrogates import surrogates

__all__ = (
    "ExtensionData",
    "JsonQuotas",
    "array_reader_of",
    "check",
    "data_contract",
    "data_member",
    "read",
    "read_members",
    "read_value",
    "reader_of",
    "split_members",
    "surrogates",
    "write",
    "write_value",
    "writer_of",
)

T = TypeVar("T")


def read(cls: type[T], body: bytes, quotas: JsonQuotas = DEFAULT_QUOTAS) -> T:
    """The instance of ``cls``, an attrs class or a dataclass, that a JSON body describes.

    The constructor runs, and with it the class's validators.

    Raises:
        SerializationError: The body is not JSON or not what ``cls`` promises. One line, made of the names of
            known members and types only, so that it may become a close reason.
        ContractError: ``cls`` is no data contract, or holds a type without a JSON form.

    WCF: DataContractJsonSerializer.ReadObject.
    """
    described: Any = cls
    instance: T = _contract_reader(described)(body, quotas)
    return instance


def write(instance: object) -> bytes:
    """An instance of a data contract as compact JSON in UTF-8.

    The members come as WCF orders them: a base class's before its subclass's, then by order, then by name;
    each unknown member comes after the known member that it followed when it was read.

    Raises:
        ValueError: A value has no JSON form (NaN, Infinity, a lone surrogate, a cycle). It is no
            SerializationError, because it is not the peer's fault.
        ContractError: As for ``read``.

    WCF: DataContractJsonSerializer.WriteObject.
    """
    return _write_object()(instance)


def check(hint: Any) -> None:
    """Make sure that a type has a JSON form, with all the data contracts inside it.

    Raises:
        ContractError: It has none; the message names the class, the member and the type.
    """
    from wsf.data_contracts._contract import checked_form  # noqa: PLC0415 - loads msgspec, when first needed

    checked_form(hint)


@cache
def reader_of(hint: Any, root: str = "$") -> Callable[..., Any]:
    """What reads JSON texts as one type: ``reader_of(list[Order])(text)``, or with quotas as second argument.

    Made once for each type, so that a call looks nothing up. A call raises SerializationError, whose path
    begins with ``root``.

    Raises:
        ContractError: As for ``check``.
    """
    from wsf.data_contracts._reading import TextReader  # noqa: PLC0415 - loads msgspec, when first needed

    return TextReader(hint, root=root)


def array_reader_of(hints: tuple[Any, ...]) -> Callable[[bytes, JsonQuotas], tuple[Any, ...] | None]:
    """What reads a JSON array that has one value for each of some types, in order, in one go.

    A call gives None where that cannot be done: read the values one by one then, and learn why.

    Raises:
        ContractError: As for ``check``.
    """
    from wsf.data_contracts._reading import array_reader  # noqa: PLC0415 - loads msgspec, when first needed

    return array_reader(hints)


def read_value(hint: Any, text: bytes, quotas: JsonQuotas = DEFAULT_QUOTAS) -> Any:
    """The value of any type that a member may have, such as ``list[Order]`` or ``datetime | None``.

    Raises:
        SerializationError: The text is not JSON or no such value; the line begins with the path.
        ContractError: As for ``check``.
    """
    return reader_of(hint)(text, quotas)


@cache
def writer_of(hint: Any) -> Callable[[object], bytes]:
    """What writes the values of one type, as ``write_value`` does. Made once for each type.

    Raises:
        ContractError: As for ``check``.
    """
    from wsf.data_contracts._contract import writer_of as made  # noqa: PLC0415 - loads msgspec, when first needed

    return made(hint)


def write_value(value: object, hint: Any = Any) -> bytes:
    """A value of any type that a member may have, as compact JSON in UTF-8.

    ``hint`` is the declared type. It matters where the reader must tell classes apart: an instance of one of
    several data contracts is written with its name in ``__type``.

    Raises:
        ValueError: As for ``write``.
        ContractError: As for ``check``.
    """
    return writer_of(hint)(value)


def split_members(text: bytes) -> list[tuple[str, bytes]]:
    """The members of a JSON object in their order, each as its name and its bytes, not looked into.

    Raises:
        SerializationError: The text is no JSON object.
    """
    from wsf.data_contracts._reading import split_members as split  # noqa: PLC0415 - loads msgspec

    return split(text)


def read_members(
    cls: type[T],
    members: Iterable[tuple[str, bytes]],
    quotas: JsonQuotas = DEFAULT_QUOTAS,
    root: str = "$",
) -> T:
    """The instance of a data contract whose members were split already; its known types do not count.

    Raises:
        SerializationError: As for ``read``, with paths that begin with ``root``.
        ContractError: As for ``read``.
    """
    from wsf.data_contracts._reading import read_members as read_split  # noqa: PLC0415 - loads msgspec

    instance: T = read_split(cls, members, quotas, root)
    return instance


@cache
def _contract_reader(cls: Any) -> Callable[..., Any]:
    from wsf.data_contracts._reading import contract_reader  # noqa: PLC0415 - loads msgspec, when first needed

    return contract_reader(cls)


@cache
def _write_object() -> Callable[[object], bytes]:
    from wsf.data_contracts._contract import write_object  # noqa: PLC0415 - loads msgspec, when first needed

    return write_object
