"""Why a body was refused, in words that name the contract's members and JSON's types, never the peer's."""

import re

import msgspec

__all__ = ("REFUSALS", "Refused", "refused")

_PATH_LENGTH = 48  # characters: a close reason has room for 123 bytes
_EXPECTED = {
    "array": "an array",
    "bool": "true or false",
    "float": "a number",
    "int": "an integer",
    "object": "an object",
    "str": "a string",
}
_GOT = _EXPECTED | {"bool": "a boolean", "float": "a decimal number", "int": "a number"}


class Refused(Exception):  # noqa: N818 - never leaves the room
    """A value is refused; its path grows while the reading unwinds."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def line(self, contract: str) -> str:
        """The one line that says where and why."""
        path = self.path if len(self.path) <= _PATH_LENGTH else "..." + self.path[-_PATH_LENGTH:]
        return f"{contract}{path}: {self.problem}"


#: what reading a value may raise because of the peer
REFUSALS = (Refused, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def refused(error: Exception, step: str = "") -> Refused:
    """What reading or writing a value raised, as a Refused that was met one step further in."""
    match error:
        case Refused():
            return Refused(error.problem, step + error.path)
        case msgspec.ValidationError():
            problem, _, place = str(error).partition(" - at ")
            return Refused(_in_words(problem), step + place.partition("$")[2].rstrip("`"))
        case UnicodeDecodeError():
            return Refused(f"not JSON: invalid UTF-8 at byte {error.start}", step)
        case RecursionError():
            return Refused("nested too deeply", step)
        case msgspec.DecodeError():
            return Refused(_malformed(str(error)), step)
        case _:
            return Refused(str(error), step)


def _malformed(text: str) -> str:
    if "truncated" in text:  # msgspec's word for both
        return "not JSON: it ends too early, or holds half a surrogate pair"
    return "not JSON: " + re.sub(r" \(byte (\d+)\)", r" at byte \1", text.removeprefix("JSON is malformed: "))


def _in_words(problem: str) -> str:
    """msgspec's ``Expected `str`, got `int``` in the words of JSON; its other texts may quote the peer."""
    if "out of range" in problem:
        return "the number is out of range"
    expected, _, got = problem.partition(", got ")
    if not expected.startswith("Expected "):
        return "not one of the values that it may have"
    return f"expected {_types(expected.removeprefix('Expected '), _EXPECTED)}, got {_types(got, _GOT)}"


def _types(text: str, words: dict[str, str]) -> str:
    return " or ".join(words.get(name, name) for name in text.replace("`", "").split(" | "))
