"""Reading a whole JSON text as a type: the quotas first, the fast way if there is one, and the exact way."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec.json import Decoder

from wsf.data_contracts._contract import checked_form, contract_of
from wsf.data_contracts._forms import split_object
from wsf.data_contracts._quotas import DEFAULT_QUOTAS, JsonQuotas, excess, is_surely_within
from wsf.data_contracts._refusal import REFUSALS, Refused, refused
from wsf.errors import SerializationError

__all__ = ("TextReader", "array_reader", "contract_reader", "read_members", "split_members")

_WHITE_SPACE: Final = b" \t\r\n"
#: what no text is read as
_UNREAD: Final = object()
#: what ends each member's name; in a string it is met only behind an escaped quotation mark, or at its colon
_END_OF_NAME: Final = b'":'


class TextReader:
    """Reads JSON texts as one type.

    The fast way lets msgspec decode the whole text, and is right only if no member came twice or was unknown,
    which msgspec does not tell. So it counts: the ends of names that are seen in a text are at least as many
    as its members, and if they are as many as the different members that were met, these are all. Otherwise,
    and whenever the fast way fails, the exact way decides.
    """

    __slots__ = ("_build", "_decode", "_depth", "_label", "_make", "_members", "_read", "_root")

    def __init__(self, hint: Any, label: str = "", root: str = "$") -> None:
        form = checked_form(hint)
        fast = form.fast()
        self._read = form.read
        self._decode = None if fast is None else Decoder(fast.shape).decode
        #: of the whole text, if it is always as many
        self._members = 0 if fast is None else fast.members or fast.row
        self._make = None if fast is None else fast.make
        self._build = None if fast is None else fast.build
        self._depth = 0 if fast is None else fast.depth
        self._label = label
        self._root = root

    def __call__(self, text: bytes, quotas: JsonQuotas = DEFAULT_QUOTAS) -> Any:
        """The value that a JSON text is.

        Raises:
            SerializationError: It is none of the type.
        """
        value = self.at_once(text, quotas)
        if value is not _UNREAD:
            return value
        try:
            return self._read_exactly(text, quotas)
        except REFUSALS as error:
            line = refused(error).line(self._label, self._root)
            raise SerializationError(line) from error.__cause__

    def at_once(self, text: bytes, quotas: JsonQuotas = DEFAULT_QUOTAS) -> Any:
        """The value that a JSON text is, by the fast way; ``_UNREAD`` where only the exact way can tell."""
        decode = self._decode
        # a text of no more characters holds no longer number
        is_small = len(text) <= quotas.max_number_length and quotas.max_items_in_object_graph is None
        is_within = self._depth <= quotas.max_depth and (is_small or is_surely_within(text, quotas))
        if decode is not None and is_within:
            try:
                value = decode(text)
                met = self._members
                if not met and self._build is not None:
                    tally = [0]
                    value = self._build(value, tally)
                    met = tally[0]
                # colons alone are as many at least, and counted faster; a string may hold one of its own
                if text.count(b":") == met or text.translate(None, _WHITE_SPACE).count(_END_OF_NAME) == met:
                    return value if self._make is None else self._make(value)
            except (ValueError, *REFUSALS):
                pass  # the exact way says why
        return _UNREAD

    def _read_exactly(self, text: bytes, quotas: JsonQuotas) -> Any:
        text.decode()  # msgspec does not look into what it only skips
        if (over := excess(text, quotas)) is not None:
            raise Refused(over)
        return self._read(text)


def array_reader(hints: tuple[Any, ...]) -> Callable[[bytes, JsonQuotas], Any]:
    """What reads an array with one value for each of some types at once; None where that cannot be done."""
    read = TextReader(tuple[hints]).at_once  # type: ignore[valid-type]

    def read_array(text: bytes, quotas: JsonQuotas) -> Any:
        value = read(text, quotas)
        return None if value is _UNREAD else value

    return read_array


def read_members(hint: Any, members: Iterable[tuple[str, bytes]], quotas: JsonQuotas, root: str) -> Any:
    """The instance of a data contract whose members, in their order, were split by somebody else.

    Raises:
        SerializationError: They are not what the contract promises.
    """
    checked_form(hint)
    contract = contract_of(hint)
    try:
        return contract.read_members([_admitted(name, text, quotas) for name, text in members])
    except REFUSALS as error:
        raise SerializationError(refused(error).line("", root)) from error.__cause__


def _admitted(name: str, text: bytes, quotas: JsonQuotas) -> tuple[str, bytes]:
    text.decode()
    if (over := excess(text, quotas)) is not None:
        raise Refused(over)
    return name, text


def contract_reader(hint: Any) -> TextReader:
    """What reads texts as a data contract; its refusals begin with the contract's name.

    Raises:
        ContractError: It is none, or holds a type without a JSON form.
    """
    contract = contract_of(hint)
    return TextReader(hint, contract.cls.__name__)


def split_members(text: bytes) -> list[tuple[str, bytes]]:
    """The members of one object, not looked into.

    Raises:
        SerializationError: The text is no JSON object.
    """
    try:
        text.decode()
        return [(name, bytes(value)) for name, value in split_object(text)]
    except REFUSALS as error:
        raise SerializationError(refused(error).line("")) from error.__cause__
