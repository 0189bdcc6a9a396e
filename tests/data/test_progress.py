import sys

from jaxadv.data.progress import progress_bar


def test_silent_when_stderr_is_no_terminal(capsys):
    with progress_bar("work", 10, show=True) as update:
        update(5)
    assert capsys.readouterr() == ("", "")


def test_draws_on_stderr_when_that_is_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar("work", 10, show=True) as update:
        update(10)
    out, err = capsys.readouterr()
    assert out == ""
    assert "work" in err


def test_silent_when_not_asked_for(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar("work", 10, show=False) as update:
        update(10)
    assert capsys.readouterr() == ("", "")
