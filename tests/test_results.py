"""What a run leaves behind: whole files, refused overwrites, seeds joined."""

import json

import numpy as np
import pytest

from jaxadv import results
from jaxadv.errors import UserError

ROWS = [
    {"metric": "transfer_rate", "value": 0.5, "n": 10, "seed": 0, "source": "1", "target": "2"},
    {"metric": "transfer_rate", "value": 0.7, "n": 20, "seed": 0, "source": "2", "target": "1"},
    {"metric": "transfer_rate", "value": 0.2, "n": 20, "seed": 1, "source": "1", "target": "2"},
    {"metric": "transfer_rate", "value": None, "n": 0, "seed": 1, "source": "2", "target": "1"},
]


def test_written_results_read_back(tmp_path):
    results.write(tmp_path, "study", {"seeds": [0, 1]}, ROWS)
    found = results.read(tmp_path)
    assert found["rows"] == ROWS
    assert found["experiment"] == "study"
    assert {"python", "versions", "device", "commit"} <= found["environment"].keys()
    assert list(tmp_path.iterdir()) == [tmp_path / "results.json"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.json"
    results.write_json(path, {"value": 1})
    with pytest.raises(ValueError, match="nan"):
        results.write_json(path, {"value": float("nan")})
    assert json.loads(path.read_text()) == {"value": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_read_back(tmp_path):
    results.write_arrays(tmp_path / "p.npz", {"a/b": np.arange(3)})
    with np.load(tmp_path / "p.npz") as archive:
        np.testing.assert_array_equal(archive["a/b"], [0, 1, 2])
    assert list(tmp_path.iterdir()) == [tmp_path / "p.npz"]


def test_by_seed_averages_directions_and_leaves_out_what_was_not_measured():
    assert results.by_seed(ROWS) == {0: pytest.approx(0.6), 1: 0.2}
    assert results.over_seeds(ROWS, source="1").mean == pytest.approx(0.35)


def test_select_asks_for_absence_with_none():
    assert results.select([{"a": 1}, {"a": 1, "eps": 0.1}], a=1, eps=None) == [{"a": 1}]


def test_claim_takes_an_empty_folder_and_resumes_its_own(tmp_path):
    out = tmp_path / "new" / "run"
    results.claim(out, {"epochs": 2}, resume=False)
    (out / "results.json").write_text("{}")
    results.claim(out, {"epochs": 2}, resume=True)
    with pytest.raises(UserError, match="already holds this run; add --resume"):
        results.claim(out, {"epochs": 2}, resume=False)


@pytest.mark.parametrize("resume", [True, False])
def test_claim_refuses_a_folder_of_another_configuration(tmp_path, resume):
    results.claim(tmp_path, {"epochs": 2}, resume=False)
    (tmp_path / "results.json").write_text("{}")
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(UserError, match=r"another configuration \(epochs 2, now 3\)"):
        results.claim(tmp_path, {"epochs": 3}, resume=resume)
    assert (tmp_path / "config.json").read_bytes() == before


def test_claim_names_a_setting_in_a_group_by_its_own_name(tmp_path):
    results.claim(tmp_path, {"training": {"epochs": 2, "lr": 1}}, resume=False)
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(UserError, match=r"\(epochs 2, now 3, lr 1, now None\)"):
        results.claim(tmp_path, {"training": {"epochs": 3}}, resume=True)


def test_claim_takes_over_a_folder_in_which_no_work_was_done(tmp_path):
    results.claim(tmp_path, {"epochs": 2}, resume=False)
    results.claim(tmp_path, {"epochs": 3}, resume=False)
    assert results.read_config(tmp_path) == {"epochs": 3}


def test_claim_refuses_a_folder_of_other_things_and_a_file(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="not empty"):
        results.claim(tmp_path, {}, resume=True)
    with pytest.raises(UserError, match="is a file"):
        results.claim(tmp_path / "thesis.tex", {}, resume=True)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"rows": []}'])
def test_damaged_results_are_named(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(UserError, match=r"results\.json"):
        results.read(tmp_path)


def test_missing_results_are_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        results.read(tmp_path)


def run(seeds, **config):
    rows = [{"metric": "m", "value": 1.0, "n": 1, "seed": seed} for seed in seeds]
    return {"experiment": "e", "config": {"seeds": seeds, **config}, "rows": rows}


def test_merge_joins_seeds():
    config, rows = results.merge([run([0, 1], lr=1), run([4], lr=1)])
    assert config == {"seeds": [0, 1, 4], "lr": 1}
    assert [row["seed"] for row in rows] == [0, 1, 4]


def test_merge_refuses_other_settings_common_seeds_and_nothing():
    with pytest.raises(UserError, match="runs differ in lr: 1 and 2"):
        results.merge([run([0], lr=1), run([1], lr=2)])
    with pytest.raises(UserError, match="runs differ in lr: 1 and None; merge"):
        results.merge([run([0], training={"lr": 1}), run([1], training={})])
    with pytest.raises(UserError, match="seed 1 is in two"):
        results.merge([run([0, 1]), run([1])])
    with pytest.raises(UserError, match="nothing to merge"):
        results.merge([])
