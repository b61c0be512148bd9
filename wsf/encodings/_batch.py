"""A batch of JSON-RPC 2.0 (section 6): one payload that is several messages, and one with their answers.

The messages go their own ways through the house. What they share is where their answers are gathered, and it
travels with their ids, which every other room passes on as they are.
"""

from typing import Final

__all__ = ("BatchAnswers", "MemberId")


class MemberId(bytes):
    """The id of one message of a batch, as the peer wrote it, and the place of its answer."""

    batch: "BatchAnswers"
    position: int


class BatchAnswers:
    """The answers of one batch, in the order of its messages, until all of them are there."""

    __slots__ = ("_answers", "_missing")

    def __init__(self) -> None:
        self._answers: list[bytes] = []
        self._missing = 0

    def expect(self, id_: bytes) -> MemberId:
        """One message of the batch wants an answer: its id, from now on."""
        member = MemberId(id_)
        member.batch, member.position = self, len(self._answers)
        self._answers.append(_NONE_YET)
        self._missing += 1
        return member

    def put(self, position: int, answer: bytes) -> bytes | None:
        """One answer is there; all of them as soon as it is the last."""
        self._missing -= self._answers[position] is _NONE_YET
        self._answers[position] = answer
        return None if self._missing else b"[%b]" % b",".join(self._answers)


_NONE_YET: Final = b""
