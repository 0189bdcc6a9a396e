"""Figures before they become files."""

import pytest

from jaxadv.plots import style


@pytest.fixture
def drawn(monkeypatch):
    """The figures drawn by a test, before they become files."""
    figures, finish = [], style.finish
    monkeypatch.setattr(style, "finish", lambda f, path: (figures.append(f), finish(f, path)))
    return figures
