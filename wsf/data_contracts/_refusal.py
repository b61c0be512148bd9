"""Why a body was refused, in words that name the contract's members and JSON's types, never the peer's."""

import re
from typing import Final

import msgspec

__all__ = ("REFUSALS", "Refused", "member_step", "refused", "words_of_kinds")

_PATH_LENGTH: Final = 48  # characters: a close reason has room for 123 bytes
_EXPECTED: Final = {
    "array": "an array",
    "bool": "true or false",
    "bytes": "a string of base64",
    "date": "a date",
    "datetime": "a date and time",
    "duration": "a duration",
    "float": "a number",
    "int": "an integer",
    "object": "an object",
    "str": "a string",
    "time": "a time",
    "uuid": "a UUID",
}
_GOT: Final = _EXPECTED | {"bool": "a boolean", "float": "a decimal number", "int": "a number"}
_KINDS: Final = {
    "string": "a string",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
#: what msgspec says of a string, and what it is not
_NOT: Final = {
    "Invalid RFC3339 encoded datetime": "not a date and time (RFC 3339)",
    "Invalid RFC3339 encoded date": "not a date (RFC 3339)",
    "Invalid RFC3339 encoded time": "not a time (RFC 3339)",
    "Invalid base64 encoded string": "not base64",
    "Invalid UUID": "not a UUID",
    "Invalid ISO8601 duration": "not a duration (ISO 8601)",
    "Only units 'D', 'H', 'M', and 'S' are supported when parsing ISO8601 durations": (
        "not a duration of days, hours, minutes and seconds"
    ),
    "Duration is out of range": "the duration is out of range",
}
#: where msgspec met a problem; anchored, for a problem may quote the peer, who could write a place, too
_PLACE: Final = re.compile(r" - at `(?P<key>key` in `)?\$(?P<path>(?:\[(?:\d+|\.\.\.)\])*)`\Z")
_BOUND: Final = re.compile(r"Expected `(?P<type>\w+)` (?P<bound>(?:of length )?[<>=]* ?-?[\d.e+]+)\Z")


class Refused(Exception):  # noqa: N818 - never leaves the room
    """A value is refused; its path grows while the reading unwinds."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def line(self, contract: str, root: str = "$") -> str:
        """The one line that says where and why.

        Of a contract it begins with its name, and has a path only below it; of another value it begins with
        the path.
        """
        path = self.path if len(self.path) <= _PATH_LENGTH else "..." + self.path[-_PATH_LENGTH:]
        places = [contract] if contract else []
        if path or not contract:
            places.append(root + path)
        return ": ".join([*places, self.problem])


#: what reading a value may raise because of the peer
REFUSALS: Final = (Refused, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def member_step(name: str) -> str:
    """One step of a JSONPath: into the member of an object."""
    return f".{name}" if name.isidentifier() else f"[{name!r}]"


def refused(error: Exception, step: str = "") -> Refused:
    """What reading or writing a value raised, as a Refused that was met one step further in."""
    match error:
        case Refused():
            return Refused(error.problem, step + error.path)
        case msgspec.ValidationError():
            return _misfit(str(error), step)
        case UnicodeDecodeError():
            return Refused(f"not JSON: invalid UTF-8 at byte {error.start}", step)
        case RecursionError():
            return Refused("nested too deeply", step)
        case msgspec.DecodeError():
            return Refused(_malformed(str(error)), step)
        case _:
            return Refused(str(error), step)


def words_of_kinds(kinds: frozenset[str]) -> str:
    """Some of JSON's types, as what was expected."""
    return " or ".join(words for kind, words in _KINDS.items() if kind in kinds)


def _misfit(text: str, step: str) -> Refused:
    place = _PLACE.search(text)
    if place is None:
        return Refused(_in_words(text), step)
    path = step + place["path"]
    return Refused("a key is not of its type" if place["key"] else _in_words(text[: place.start()]), path)


def _malformed(text: str) -> str:
    if "truncated" in text:  # msgspec's word for both
        return "not JSON: it ends too early, or holds half a surrogate pair"
    return "not JSON: " + re.sub(r" \(byte (\d+)\)", r" at byte \1", text.removeprefix("JSON is malformed: "))


def _in_words(problem: str) -> str:
    """msgspec's ``Expected `str`, got `int``` in the words of JSON; its other texts may quote the peer."""
    if problem in _NOT:
        return _NOT[problem]
    if problem in {"Number out of range", "Integer value out of range"}:
        return "the number is out of range"
    if bound := _BOUND.match(problem):
        return f"expected {_EXPECTED.get(bound['type'], bound['type'])} {bound['bound']}"
    expected, comma, got = problem.partition(", got ")
    if not (comma and expected.startswith("Expected ")):
        return "not one of the values that it may have"
    return f"expected {_types(expected.removeprefix('Expected '), _EXPECTED)}, got {_types(got, _GOT)}"


def _types(text: str, words: dict[str, str]) -> str:
    return " or ".join(words.get(name, name) for name in text.replace("`", "").split(" | "))
