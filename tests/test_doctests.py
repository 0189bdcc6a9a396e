"""The examples in docstrings do what they say."""

import ast
import doctest
import importlib
import inspect
import pkgutil
from itertools import pairwise

import pytest

import jaxadv

EXTRAS = ("jaxadv.data.tfds",)  # which want a package that the tests do without


def of_constants(module):
    """The examples below a module's constants, in strings that Python itself does not keep."""
    body = ast.parse(inspect.getsource(module)).body
    for node, below in pairwise(body):
        text = getattr(getattr(below, "value", None), "value", None)
        constant = isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(below, ast.Expr)
        if constant and isinstance(text, str):
            name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            where = (f"{module.__name__}.{name}", module.__file__, below.lineno)
            yield doctest.DocTestParser().get_doctest(inspect.cleandoc(text), {}, *where)


def with_examples():
    found = pkgutil.walk_packages(jaxadv.__path__, "jaxadv.")
    modules = [importlib.import_module(each.name) for each in found if each.name not in EXTRAS]
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [test for module in modules for test in finder.find(module)]
    tests += [test for module in modules for test in of_constants(module)]
    return [test for test in tests if test.examples]


@pytest.mark.parametrize("test", with_examples(), ids=lambda test: test.name)
def test_an_example(test):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.DocTestRunner(optionflags=flags).run(test).failed == 0
