"""The examples in docstrings do what they say."""

import doctest
import importlib
import pkgutil

import pytest

import jaxadv

EXTRAS = ("jaxadv.data.tfds",)  # which want a package that the tests do without


def with_examples():
    found = pkgutil.walk_packages(jaxadv.__path__, "jaxadv.")
    modules = [importlib.import_module(each.name) for each in found if each.name not in EXTRAS]
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for module in modules for test in finder.find(module) if test.examples]


@pytest.mark.parametrize("test", with_examples(), ids=lambda test: test.name)
def test_an_example(test):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.DocTestRunner(optionflags=flags).run(test).failed == 0
