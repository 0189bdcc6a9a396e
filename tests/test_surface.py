"""What is public is listed, told and shown; what one file keeps to itself says so by its name."""

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
CODE = ("jaxadv", "experiments", "tests", "benchmarks")

# Public names without an example, and why.
WITHOUT: dict[str, str] = {}


class Definition(NamedTuple):
    """A name of a module: its file, its statement, and the string below it that documents it."""

    path: str
    node: ast.stmt
    doc: str | None


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def modules() -> dict[str, Path]:
    """Every module of the library by its dotted name."""
    paths = sorted((ROOT / "jaxadv").rglob("*.py"))
    dotted = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    return {name.removesuffix(".__init__"): path for path, name in dotted.items()}


def names_of(node: ast.stmt) -> list[str]:
    """What a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
    found = [each for target in targets for each in ast.walk(target)]
    return [each.id for each in found if isinstance(each, ast.Name)]


@cache
def definitions(module: str) -> dict[str, Definition]:
    """What a module defines itself, with its docstring; a constant's is the string after it."""
    path = modules()[module]
    body = parsed(path).body
    found = {}
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            doc = ast.get_docstring(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            text = getattr(getattr(after, "value", None), "value", None)
            doc = text if isinstance(after, ast.Expr) and isinstance(text, str) else None
        else:
            continue
        where = path.relative_to(ROOT).as_posix()
        found |= {name: Definition(where, node, doc) for name in names_of(node)}
    return found


def home(module: str, name: str) -> tuple[str, str]:
    """The module that defines what another offers under a name, and its name there."""
    if name in definitions(module):
        return module, name
    for node in ast.walk(parsed(modules()[module])):
        for each in node.names if isinstance(node, ast.ImportFrom) else ():
            if (each.asname or each.name) == name and node.module in modules():
                return home(node.module, each.name)
    raise AssertionError(f"{module} has no {name}")


def listed(text: str) -> dict[str, list[str]]:
    """The names that a page lists of each module, as mkdocstrings reads them.

    In a module's list, or in full, `jaxadv.defences.adp.adp`, where a file has the same name:
    mkdocstrings would show the file.
    """
    block = re.compile(r"^::: (\S+)\n    options:\n      members: \[(.*?)\]$", re.M | re.S)
    found = {module: re.split(r",\s*", names.strip()) for module, names in block.findall(text)}
    count = len(found)
    for module, name in re.findall(r"^::: (\S+)\.(\w+)\.\2$", text, re.M):
        found[module].append(name)
        count += 1
    assert count == text.count("\n::: ")
    return found


API = listed((ROOT / "docs/api.md").read_text())
PUBLIC = [(module, name) for module, names in API.items() for name in names]


def is_shown(doc: str) -> bool:
    """Whether a docstring has an example, with what it gives."""
    return any(each.want for each in doctest.DocTestParser().get_examples(inspect.cleandoc(doc)))


def test_an_example_gives_something():
    assert is_shown("A sum.\n\n    >>> 1 + 1\n    2\n")
    assert not is_shown("A sum.\n\n    >>> found = 1 + 1\n    >>> more = found + 1\n")
    assert not is_shown("A sum, 1 + 1.")


def test_a_page_is_read_as_it_is_shown():
    page = "# API\n\n::: jaxadv.a\n    options:\n      members: [b, c,\n        d]\n"
    page += "\n::: jaxadv.a.e.e\n"
    assert listed(page) == {"jaxadv.a": ["b", "c", "d", "e"]}
    with pytest.raises(AssertionError):
        listed(page + "\n::: jaxadv.whole\n")


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=".".join)
def test_what_is_public_is_told_and_shown(module, name):
    place, there = home(module, name)
    found = definitions(place)[there]
    assert found.doc, f"{place}.{there} has no docstring"
    shown = is_shown(found.doc)
    assert shown != (f"{module}.{name}" in WITHOUT), f"{place}.{there}: no example, or one too many"


@pytest.mark.parametrize("module", API)
def test_what_a_module_exports_is_what_the_page_lists(module):
    assert sorted(importlib.import_module(module).__all__) == sorted(API[module])


def test_no_other_module_exports():
    exporting = {name for name in modules() if "__all__" in definitions(name)}
    assert exporting - {"jaxadv"} <= set(API)


def test_the_package_has_the_modules_of_the_page():
    package = importlib.import_module("jaxadv")
    wanted = {module.removeprefix("jaxadv.") for module in API} - {"matrix"} | {"transfer"}
    assert set(package.__all__) == wanted


def imports(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """Module, name and local name of everything that is imported; of a module alone no name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", n.name, n.asname or n.name) for n in node.names)
        elif isinstance(node, ast.Import):
            for each in node.names:
                name = each.name if each.asname else each.name.split(".")[0]
                yield name, "", each.asname or name


def uses(tree: ast.AST) -> set[tuple[str, str]]:
    """The names of the library's modules that a file uses, as (module, name)."""
    found, local = set[tuple[str, str]](), dict[str, str]()
    for module, name, alias in imports(tree):
        found.add((module, name))
        whole = f"{module}.{name}".rstrip(".")
        if whole in modules():
            local[alias] = whole

    def place(node: ast.AST) -> str | None:
        """The module that an expression is, if it is one."""
        if isinstance(node, ast.Name):
            return local.get(node.id)
        if isinstance(node, ast.Attribute):
            inside = f"{place(node.value)}.{node.attr}"
            return inside if inside in modules() else None
        return None

    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (module := place(node.value)):
            found.add((module, node.attr))
        elif isinstance(node, ast.Call) and len(node.args) > 1:  # setattr(module, "name", …)
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
            if isinstance(name, str) and (module := place(node.args[0])):
                found.add((module, name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= in_text(node.value)
    return found


def in_text(text: str) -> set[tuple[str, str]]:
    """The same of a string: a name in full, or a program for another process."""
    found = {(module, name) for module, name in re.findall(r"\b(jaxadv[\w.]*)\.(\w+)\b", text)}
    for module, names in re.findall(r"from (jaxadv[\w.]*) import ([\w, ]+)", text):
        found |= {(module, name.strip()) for name in names.split(",")}
    return found


def kept_to_one_file(of: dict[str, set[str]], used: dict[str, set[tuple[str, str]]]) -> set[str]:
    """The names without an underscore that no other file uses.

    of: the names that each module defines. used: by each module or other file, what it uses.
    """
    return {
        f"{module}.{name}"
        for module, names in of.items()
        for name in names
        if not name.startswith("_")
        and not any((module, name) in there for file, there in used.items() if file != module)
    }


def is_type(name: str, found: Definition) -> bool:
    """Whether it is another name of a type, as signatures show them."""
    return (
        isinstance(found.node, ast.Assign | ast.AnnAssign)
        and name[0].isupper()
        and (any(letter.islower() for letter in name))
    )


def test_what_one_file_alone_uses_has_an_underscore():
    of = {
        module: {name for name, found in definitions(module).items() if not is_type(name, found)}
        for module in modules()
    }
    by_path = {path: name for name, path in modules().items()}
    files = [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    used = {by_path.get(path, str(path)): uses(parsed(path)) for path in files}
    public = {".".join(home(module, name)) for module, name in PUBLIC}
    assert sorted(kept_to_one_file(of, used) - public) == []


def test_the_scan_sees_what_it_should():
    program = """
        from jaxadv import checks, losses as l
        from jaxadv.data.batches import take
        import jaxadv.errors
        setattr(checks, "numbers", None)
        l.correlation.sketch(jaxadv.errors.printable)
        run("from jaxadv.sums import check, KEY")
    """
    found = uses(ast.parse("\n".join(line.strip() for line in program.splitlines())))
    wanted = {
        ("jaxadv.data.batches", "take"),
        ("jaxadv.checks", "numbers"),
        ("jaxadv.losses.correlation", "sketch"),
        ("jaxadv.errors", "printable"),
        ("jaxadv.sums", "KEY"),
    }
    assert wanted <= found
    assert ("jaxadv.checks", "check_key") not in found
    assert kept_to_one_file({"jaxadv.checks": {"numbers", "check_key", "_own"}}, {"x": found}) == {
        "jaxadv.checks.check_key"
    }
