"""Names in results are names: they lead nowhere, and no terminal, page or shell obeys them."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments import decorrelated_pairs, disagreement_detection
from experiments.frame import page, report
from experiments.frame.finished import Finished
from experiments.frame.tables import terminal
from experiments.frame.tables.table import Table
from jaxadv import results
from jaxadv.errors import UserError
from jaxadv.folder import disown
from jaxadv.plots import style
from tests.data.test_claims import zipped
from tests.studies import refused, tool

RED = "\x1b[31mred"
AT = {"n": 100, "seed": 0, "variant": "plain"}


def content(model="fc", **change):
    """Results with no more than a figure of features needs."""
    at = {**AT, "model": model}
    attacked = {**at, "attack": "pgd", "ball": "linf", "eps": 0.1, "source": "1"}
    rows = [
        {"metric": "clean_accuracy", "value": 0.9, "target": "1", **at},
        {"metric": "component_r_squared", "value": 0.5, **at},
        {"metric": "success_rate", "value": 0.5, **attacked},
        {"metric": "transfer_rate", "value": 0.5, "target": "2", **attacked},
    ]
    preset = decorrelated_pairs.PRESETS["smoke"].but(preset="smoke", seeds=1)
    config = {**json.loads(json.dumps(preset.config())), "data_title": "digits"}
    whole = {
        "experiment": "decorrelated_pairs",
        "config": config,
        "environment": {"jax": "0"},
        "rows": rows,
    }
    return whole | change


def written(folder: Path, model="fc", **change) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(content(model, **change)))
    arrays = {f"{model}/components": np.zeros((1, 2, 5)), f"{model}/component_labels": np.arange(5)}
    np.savez(folder / "predictions.npz", **arrays)
    return folder


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("dna-2", "features-dna-2.png"),
        ("a/b", "features-a%2Fb.png"),
        ("../../out", "features-..%2F..%2Fout.png"),
        ("/out", "features-%2Fout.png"),
        ("..", "features-...png"),
        ("a\\b", "features-a%5Cb.png"),
        ("%2F", "features-%252F.png"),
    ],
)
def test_names_lead_to_no_other_folder(tmp_path, model, name):
    run = written(tmp_path / "up" / "run", model)
    before = everything(tmp_path)
    assert run / "figures" / name in report.draw(run)
    assert {path.split("/")[:3].pop() for path in everything(tmp_path) - before} == {"figures"}


@pytest.mark.parametrize("key", ["model", "variant", "attack", "ball", "metric", "source", "note"])
@pytest.mark.parametrize("name", [RED, "a\0b", "two\nlines", "\u202eturned"])
def test_names_in_rows_are_printable(tmp_path, key, name):
    rows = content()["rows"]
    run = written(tmp_path / "run", rows=[*rows[:2], {**rows[2], key: name}, rows[3]])
    with pytest.raises(UserError, match=f"row 3: {key} is") as error:
        report.draw(run)
    assert str(error.value).isprintable()
    assert not (run / "figures").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"experiment": RED},
        {"config": {**content()["config"], RED: 1}},
        {"config": {**content()["config"], "data_title": RED}},
        {"config": {**content()["config"], "attacks": {"attacks": ["pgd", [{"a": RED}]]}}},
        {"environment": {"device": RED}},
        {"environment": [{RED: 1}]},
        {"rows": [{**content()["rows"][0], RED: 1}]},
    ],
    ids=range(7),
)
def test_other_words_of_results_are_printable(tmp_path, change):
    run = written(tmp_path / "run", **change)
    with pytest.raises(UserError, match=r"x1b\[31mred") as error:
        results.read(run)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("target", ["folder", "nothing"])
def test_figures_that_are_a_link(tmp_path, capsys, target):
    run = written(tmp_path / "run")
    (tmp_path / "folder").mkdir()
    (run / "figures").symlink_to(tmp_path / target, target_is_directory=True)
    line = refused(capsys, tool, "plot", run)
    assert f"{run / 'figures'}: is a link" in line
    assert not list((tmp_path / "folder").iterdir())
    assert not (tmp_path / "nothing").exists()


def test_a_figure_that_is_a_link_is_drawn_in_its_place(tmp_path):
    run = written(tmp_path / "run")
    (run / "figures").mkdir()
    (tmp_path / "diary").write_text("dear")
    (run / "figures" / "success.png").symlink_to(tmp_path / "diary")
    report.draw(run)
    assert (tmp_path / "diary").read_text() == "dear"
    assert not (run / "figures" / "success.png").is_symlink()


def test_files_that_stand_among_the_figures_are_printed_safely(tmp_path, capsys):
    run = written(tmp_path / "run")
    (run / "figures").mkdir()
    (run / "figures" / f"{RED}.png").touch()
    tool("plot", run)
    printed = capsys.readouterr().out
    assert "\\x1b[31mred.png" in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize("width", [None, 50])
def test_names_are_no_markup(width, capsys):
    names = ["[red]a[/red]", "[link=http://x]b", "[/no]", ":snake:"]
    terminal.show(Table("[bold]title", ["[blink]head"], [[name] for name in names]), width)
    printed = capsys.readouterr().out
    assert all(name in printed for name in [*names, "[bold]title", "[blink]head"])


def test_radii_of_one_short_form_are_two_panels(tmp_path, monkeypatch):
    """A panel that took both for one would show the mean of the two."""
    at = {**AT, "model": "fc", "metric": "detection_rate", "attack": "pgd", "ball": "linf"}
    rows = [
        {**at, "eps": eps, "value": eps, "alarms": 0.05, "source": "1"} for eps in (0.1, 0.10001)
    ]
    drawn = []
    monkeypatch.setattr(style, "finish", lambda figure, _: drawn.append(figure))
    roc, *_ = disagreement_detection.STUDY.figures
    roc(Finished(tmp_path, "disagreement_detection", {}, None, rows), tmp_path)
    titles = [ax.get_title(loc="left") for ax in drawn[0].axes]
    assert [title.split(" = ")[1] for title in titles] == ["0.1", "0.10001"]


def test_a_page_quotes_what_a_shell_would_obey(tmp_path):
    config = {**content()["config"], "data_title": "a\n# b"}
    config["data"] = {**config["data"], "dataset": "digits; rm -r ~"}
    written(tmp_path / "one\ntwo", config=config)
    words = page.page(tmp_path)
    assert "--data 'digits; rm -r ~'" in words
    assert "## a # b: `decorrelated_pairs`" in words
    assert "`results/one two/`" in words


@pytest.mark.parametrize(
    ("change", "said"),
    [({"preset": "x"}, "preset 'x'"), ({"preset": []}, r"preset \[\]"), ({"data_title": 3}, "3")],
)
def test_a_page_of_results_of_nothing_known(tmp_path, change, said):
    written(tmp_path / "run", config={**content()["config"], **change})
    with pytest.raises(UserError, match=said):
        page.page(tmp_path)


@pytest.mark.parametrize("name", ["measured", "checkpoints", "figures", "checkpoints/fc"])
@pytest.mark.parametrize("resume", [True, False])
def test_a_run_does_not_write_through_links(tmp_path, name, resume):
    run, other = tmp_path / "run", tmp_path / "other"
    other.mkdir()
    (run / name).parent.mkdir(parents=True)
    (run / name).symlink_to(other, target_is_directory=True)
    with pytest.raises(UserError, match=f"{name}: is a link"):
        results.claim(run, {"seeds": [0]}, resume=resume)
    assert not list(other.iterdir())
    assert not (run / "config.json").exists()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "diary")
    with pytest.raises(OSError, match="symbolic link"):
        results.claim(tmp_path / "run", {"seeds": [0]}, resume=False)
    assert not (tmp_path / "diary").exists()


def test_an_output_folder_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk", target_is_directory=True)
    results.claim(tmp_path / "run", {"seeds": [0]}, resume=False)
    assert (tmp_path / "disk" / "config.json").is_file()
    disown(tmp_path / "run")


def test_arrays_beside_results_have_no_more_than_their_bytes(tmp_path):
    zipped(tmp_path / "predictions.npz", f"{RED}/components", (2**40,))
    with pytest.raises(UserError, match="claims shape") as error:
        results.read_arrays(tmp_path / "predictions.npz", lambda _: True)
    assert str(error.value).isprintable()
