"""What the studies measure on features, against values known by construction."""

import numpy as np
import pytest

from experiments.frame.measure.features import first_component, logit_scores


def test_a_loud_direction_holds_the_first_component(rng):
    z = rng.normal(size=(500, 4)) * np.array([1.0, 10.0, 1.0, 1.0])
    projection, share = first_component(np.float32(z))
    variances = np.linalg.eigvalsh(np.cov(z.T))
    assert float(share) == pytest.approx(variances[-1] / variances.sum(), rel=1e-4)
    assert abs(np.corrcoef(projection, z[:, 1])[0, 1]) > 0.99


def test_features_that_do_not_vary_have_no_first_component():
    assert np.isnan(first_component(np.ones((5, 3), np.float32))[1])


def test_logits_are_predicted_where_features_hold_what_decides(rng):
    """R² of the features is ruled by the loud direction, that of the logits by the shared one."""
    shared, loud, other = rng.normal(size=(3, 600, 2)).astype(np.float32)
    members = (np.hstack([shared, other]), np.hstack([shared, 100 * loud]))
    logits = np.stack([other @ np.float32([[1, 2], [2, 1]]), shared @ np.float32([[1, 2], [3, 4]])])
    scores = logit_scores(members, logits)
    assert scores.keys() == {"logit_r_squared_held_out"}
    (own, one_to_two), (two_to_one, other_own) = scores["logit_r_squared_held_out"]
    assert float(one_to_two) == pytest.approx(1, abs=1e-4)
    assert float(two_to_one) < 0.05
    assert np.isnan([own, other_own]).all()
