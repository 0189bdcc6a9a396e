"""The benchmarks' plumbing, and one of them end to end; what they measure is not asserted."""

import json

import pytest

torch = pytest.importorskip("torch", reason="the benchmarks race against PyTorch")
from benchmarks import correlation_loss, readme, report, timing  # noqa: E402
from jaxadv.errors import UserError  # noqa: E402


def test_contestants_take_turns_and_the_warm_up_is_thrown_away():
    calls = []
    sides = [timing.Contestant(name, lambda name=name: calls.append(name)) for name in "ab"]
    timings = timing.interleaved(sides, rounds=2, warmup=1, turn=0, pause=0)
    assert calls == ["a", "b"] * 3
    assert set(timings) == {"a", "b"}


def test_a_turn_of_several_calls_does_not_count_the_first(monkeypatch):
    durations = iter([9.0, 1.0, 2.0, 3.0] * 2)
    monkeypatch.setattr(timing, "seconds", lambda work: next(durations))
    side = timing.Contestant("a", lambda: None)
    median, spread = timing.interleaved([side], rounds=1, warmup=1, turn=15, pause=0)["a"]
    assert (median, spread) == (2.0, 1.0)


def test_end_to_end(tmp_path, capsys):
    settings = report.Settings(
        out=tmp_path, rounds=1, cases=("500x64",), only=("jaxadv", report.EAGER)
    )
    rows = correlation_loss.measure(settings)
    report.write("correlation_loss", rows, settings)
    written = json.loads((tmp_path / "correlation_loss.json").read_text())
    assert written["environment"]["versions"]["torch"] == torch.__version__
    assert [row["contestant"] for row in written["rows"]] == ["jaxadv", report.EAGER]
    for row in written["rows"]:
        assert row["case"] == "500x64 full rank"
        assert row["median_s"] > 0
        assert row["spread_s"] >= 0
        assert 0 < row["peak_share"] < 1
    ours, eager = written["rows"]
    assert eager["ratio_to_eager"] == 1
    assert ours["ratio_to_eager"] == pytest.approx(eager["median_s"] / ours["median_s"], rel=1e-3)
    assert ours["compile_s"] > 0
    assert "500x64 full rank" in capsys.readouterr().out
    assert readme.table(written["rows"]).count("\n") == 3


def test_operations_of_a_least_squares_by_hand():
    z1, z2 = correlation_loss.made(10, 2)
    # QR 2·10·4 − 16/3, three products of 2·10·2·2, the triangular solve of 2²·2
    assert correlation_loss.operations(z1, z2) == pytest.approx(80 - 16 / 3 + 240 + 8)


def test_no_such_case():
    with pytest.raises(UserError, match=r"--cases none .*: no case"):
        report.checked([], report.Settings(cases=("none",)))


def test_no_case_begins_when_time_is_over(capsys):
    assert report.Settings(cases=("cnn",)).chosen("pgd-40 cnn")
    late = report.Settings(cases=("cnn",), minutes=-1)
    assert not late.chosen("pgd-40 cnn")
    assert not late.chosen("pgd-40 fc")
    assert capsys.readouterr().err == "pgd-40 cnn: left out, -1.0 minutes are over\n"
