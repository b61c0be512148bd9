"""Laws of what is kept with an owner: found by type, told when it comes and goes."""

import pytest

from wsf.extension_collection import ExtensionCollection


class Telling:
    def __init__(self) -> None:
        self.log: list[tuple[str, object]] = []

    def attach(self, owner: object) -> None:
        self.log.append(("attach", owner))

    def detach(self, owner: object) -> None:
        self.log.append(("detach", owner))


def test_who_comes_and_goes_is_told_of_its_owner() -> None:
    owner, kept = object(), Telling()
    extensions = ExtensionCollection(owner)
    extensions.add(kept)
    assert extensions.find(Telling) is kept
    assert extensions.remove(kept)
    assert not extensions.remove(kept)
    assert kept.log == [("attach", owner), ("detach", owner)]
    assert extensions.find(Telling) is None


def test_the_first_of_a_type_is_found_and_all_of_them_in_order() -> None:
    extensions = ExtensionCollection(object())
    for kept in (1, "a", True, "b"):
        extensions.add(kept)
    assert extensions.find(str) == "a"
    assert extensions.find_all(str) == ["a", "b"]
    assert extensions.find_all(bool) == [True]
    assert extensions.find(bytes) is None
    assert (len(extensions), list(extensions)) == (4, [1, "a", True, "b"])


def test_who_refuses_to_be_attached_is_not_kept() -> None:
    class Refusing(Telling):
        def attach(self, owner: object) -> None:
            raise ValueError("not here")

    extensions = ExtensionCollection(object())
    with pytest.raises(ValueError, match="not here"):
        extensions.add(Refusing())
    assert len(extensions) == 0


def test_what_is_removed_is_that_very_object_and_no_equal_one() -> None:
    extensions = ExtensionCollection(object())
    one, equal = [1], [1]
    extensions.add(one)
    assert not extensions.remove(equal)
    assert extensions.remove(one)
