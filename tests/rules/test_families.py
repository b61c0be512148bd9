"""A family's file is its registration: one word of the configuration, one class, named by the file."""

import importlib

import pytest

from wsf.families import FAMILY_SUFFIXES, find, words

WORDS = [(family, word) for family in FAMILY_SUFFIXES for word in words(family)]


@pytest.mark.parametrize(("family", "word"), WORDS)
def test_a_word_finds_the_class_of_its_file(family, word):
    found = find(family, word)
    assert isinstance(found, type)
    assert found.__name__ == word[0].upper() + word[1:]
    assert found.__module__.startswith(f"wsf.{family}.")


@pytest.mark.parametrize(("family", "word"), WORDS)
def test_a_file_registers_one_class_and_exports_it(family, word):
    """Classes beside it are what its settings are made of: they are no words of the family."""
    found = find(family, word)
    exports = importlib.import_module(found.__module__).__all__
    assert [name for name in exports if name.endswith(FAMILY_SUFFIXES[family])] == [found.__name__]


@pytest.mark.parametrize("family", FAMILY_SUFFIXES)
def test_no_family_is_empty(family):
    assert words(family)
