"""Rates, intervals and lines against values worked out by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from jaxadv import metrics
from jaxadv.errors import UserError

# Six examples: is the source wrong, is the target wrong, on x' and on x.
SOURCE = np.array([1, 1, 1, 0, 0, 1], bool)
TARGET = np.array([1, 0, 1, 1, 0, 1], bool)
SOURCE_CLEAN = np.array([0, 0, 0, 0, 0, 1], bool)
TARGET_CLEAN = np.array([1, 0, 0, 0, 0, 0], bool)


def test_transfer_rate_is_conditioned_on_the_source_alone():
    assert metrics.transfer_rate(SOURCE, TARGET) == (0.75, 4)


def test_clean_correct_transfer_leaves_out_what_was_wrong_before():
    counted = metrics.transfer_rate_clean_correct(SOURCE, TARGET, SOURCE_CLEAN, TARGET_CLEAN)
    assert counted == (0.5, 2)


def test_a_rate_of_nothing_is_none():
    assert metrics.rate(TARGET, np.zeros(6, bool)) == (None, 0)


def test_wrong_and_the_mean_probability_ensemble():
    probabilities = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.2, 0.8], [0.7, 0.3]]])  # [M, N, C]
    labels = np.array([0, 0])
    np.testing.assert_array_equal(
        metrics.wrong(probabilities, labels), [[False, True], [True, False]]
    )
    # means: [0.55, 0.45] and [0.55, 0.45]: each member errs once, the ensemble never
    np.testing.assert_array_equal(metrics.ensemble_wrong(probabilities, labels), [False, False])
    assert metrics.fooled(metrics.wrong(probabilities, labels), (0, 1)).tolist() == [False, False]
    assert metrics.fooled(metrics.wrong(probabilities, labels), (0,)).tolist() == [False, True]


def test_disagreement_is_the_share_of_probability_apart():
    first = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2]])
    second = np.array([[0.0, 0.0, 1.0], [0.5, 0.2, 0.3]])
    np.testing.assert_allclose(metrics.disagreement(np.array([first, second])), [1.0, 0.1])
    third = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2]])
    pairs = [(1 + 0 + 1) / 3, (0.1 + 0 + 0.1) / 3]
    np.testing.assert_allclose(metrics.disagreement(np.array([first, second, third])), pairs)


def test_detection_equals_scikit_learn_with_ties(rng):
    natural, attacked = rng.integers(0, 12, 200) / 12, rng.integers(3, 15, 90) / 12
    found = metrics.detection(natural, attacked)
    labels = np.repeat([0, 1], [200, 90])
    scores = np.concatenate([natural, attacked])
    assert found.auc == pytest.approx(roc_auc_score(labels, scores))
    assert found.n == 90


def test_detection_keeps_the_share_of_false_alarms():
    natural = np.arange(100) / 100
    assert metrics.detection(natural, [0.94, 0.945, 0.96, 0.99]).rate == 0.75  # above 0.94
    assert metrics.detection(natural, [0.975, 0.99], alarms=0.01).rate == 0.5
    assert metrics.detection(natural, [0.705, 0.695], alarms=0.29).rate == 0.5
    assert metrics.detection(natural, [0.99, 1.0], alarms=0.0).rate == 0.5
    assert metrics.detection(natural, [0.0, 1.0], alarms=1.0).rate == 1.0
    with pytest.raises(UserError, match="false alarms 5: give a share"):
        metrics.detection(natural, [0.5], alarms=5)
    tied = [0.1, 0.2, 0.5, 0.5, 0.5]
    assert metrics.detection(tied, [0.6], alarms=0.4).raised == 0.0  # 2 of 5 allowed, 3 tie
    assert metrics.detection(tied, [0.6], alarms=0.6).raised == 0.6
    assert metrics.detection(np.zeros(10), np.zeros(3)) == (0.5, 0.0, 3, 0.0)
    assert metrics.detection(natural, []) == (None, None, 0, None)


def test_interval_against_the_t_table():
    found = metrics.interval([1.0, 2.0, 3.0, 10.0])
    assert found is not None
    assert found.mean == 4.0
    assert found.median == 2.5
    # s = sqrt(50 / 3), t(0.975, 3) = 3.18245
    assert found.half == pytest.approx(3.18245 * np.sqrt(50 / 3) / 2, rel=1e-5)
    assert not found.excludes_zero


def test_interval_of_one_of_none_and_with_nothing_measured():
    assert metrics.interval([2.0]) == (2.0, None, 2.0, 1)
    assert metrics.interval([]) is None
    assert metrics.interval([1.0, None, float("nan"), 3.0]).n == 2  # type: ignore


def test_paired_difference_uses_only_common_seeds():
    found = metrics.paired_difference({0: 1.0, 1: 2.0, 2: 9.0}, {0: 0.5, 1: 1.0, 3: 7.0})
    assert found is not None
    assert (found.mean, found.n) == (0.75, 2)


def test_mean_line_by_hand():
    # Slopes 2, 1 and 0: mean 1, standard deviation 1, t(0.975, 2) = 4.30265.
    curves = [([0, 1, 2], [1, 3, 5]), ([0, 1], [0, 1]), ([0, 1, 2], [0, 1, 0])]
    line = metrics.mean_line(curves)
    assert line is not None
    assert line.slope.mean == pytest.approx(1.0)
    assert line.slope.half == pytest.approx(4.30265 / np.sqrt(3), rel=1e-4)
    assert line.intercept == pytest.approx((1 + 0 + 1 / 3) / 3)


def test_mean_line_needs_a_curve_of_two_abscissae():
    assert metrics.mean_line([([1.0], [0.1]), ([1.0, 1.0], [0.1, 0.3])]) is None
    line = metrics.mean_line([([1.0], [0.1]), ([1.0, 2.0], [0.1, 0.3])])
    assert line is not None
    assert (line.slope.mean, line.slope.half) == (pytest.approx(0.2), None)


def test_pathway_rates_by_hand():
    """Five images, two reconstructions: both right, first, second (twice), none."""
    wrong = np.array([[0, 0, 1, 1, 1], [0, 1, 0, 0, 1]], bool)
    errors = np.array([[0.1, 0.1, 0.1, 0.3, 0.1], [0.2, 0.2, 0.2, 0.2, 0.2]])
    rates = {name: rate.value for name, rate in metrics.pathway_rates(wrong, errors).items()}
    assert rates == {
        "any_correct": pytest.approx(0.8),
        "average_correct": pytest.approx(0.5),
        "dual_correct": pytest.approx(0.2),
        "either_correct": pytest.approx(0.6),
        "dual_incorrect": pytest.approx(0.2),
        "det_correct": pytest.approx(0.6),  # the nearest is the first but for the fourth image
    }


def test_one_pathway_is_any_and_every_one():
    rates = metrics.pathway_rates(np.array([[True, False]]), np.zeros((1, 2)))
    assert {name: rate.value for name, rate in rates.items()} == {
        "any_correct": 0.5,
        "average_correct": 0.5,
        "dual_correct": 0.5,
        "either_correct": 0.0,
        "dual_incorrect": 0.5,
        "det_correct": 0.5,
    }


def test_polynomial_fit_by_hand():
    # Normal equations by hand: 2/7 x² − 6/35, which misses by (1, −4, −6, −4, 1)/35 in turn.
    x, y = [-2.0, -1.0, 0.0, 1.0, 2.0], [1.0, 0.0, 0.0, 0.0, 1.0]
    fit = metrics.polynomial_fit(x, y, 2)
    np.testing.assert_allclose(fit.coefficients, [2 / 7, 0, -6 / 35], atol=1e-12)
    assert fit.r_squared == pytest.approx(20 / 21)
    assert fit.n == 5
    assert metrics.polynomial_fit(x, y, 1).r_squared == pytest.approx(0)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([], []),
        ([1.0, 2.0, 3.0], [1.0, 0.0, 1.0]),  # met whatever they are
        ([1.0, 1.0, 2.0, 2.0], [1.0, 0.0, 1.0, 0.0]),  # not determined
        ([1.0, 2.0, 3.0, 4.0], [0.5] * 4),
    ],
)
def test_no_fit_where_there_is_none(x, y):
    assert metrics.polynomial_fit(x, y, 2) is None


def test_one_member_cannot_disagree():
    with pytest.raises(UserError, match="1 member"):
        metrics.disagreement(np.full((1, 2, 3), 1 / 3))


SCORES = np.eye(4)[[0, 1, 2, 3, 3]]
TRUTH = np.array([0, 1, 2, 3, 0])


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_labels_of_any_whole_type_will_do(kind):
    expected = [False, False, False, False, True]
    assert metrics.wrong(SCORES, TRUTH.astype(kind)).tolist() == expected
    assert metrics.wrong(SCORES.astype(np.float16), TRUTH.tolist()).tolist() == expected


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        (SCORES, TRUTH[:, None], "labels of shape (5, 1)"),
        (SCORES[:4], np.eye(4, dtype=int), "labels of shape (4, 4)"),
        (SCORES, TRUTH[:4], "each of 5 examples"),
        (TRUTH, TRUTH, "scores of shape (5,)"),
        (SCORES > 0, TRUTH, "type bool"),
        (SCORES, TRUTH.astype(str), "labels of type <U"),
        (SCORES, TRUTH + 0.5, "labels of type float64"),
        (SCORES, TRUTH + 1, "labels from 1 to 4: class indices are 4 classes, 0 to 3; subtract 1"),
        (SCORES, TRUTH - 1, "labels from -1"),
        (SCORES, 0, "labels of shape ()"),
        (SCORES.astype(str), TRUTH, "type <U"),
    ],
    ids=range(11),
)
def test_what_has_no_wrong_is_named(scores, labels, words):
    with pytest.raises(UserError) as error:
        metrics.wrong(scores, labels)
    assert words in str(error.value)


NAN, INF = float("nan"), float("inf")
# Not one of these has a class, whatever `argmax` says: softmaxes of them are NaN.
DIVERGED = [[NAN] * 3, [0.1, NAN, 0.2], [0.0, 1.0, INF], [INF] * 3, [-INF] * 3, [0.0, -INF, INF]]


@pytest.mark.parametrize("scores", DIVERGED, ids=range(6))
@pytest.mark.parametrize("label", [0, 1, 2])
def test_scores_that_are_not_finite_have_no_class(scores, label):
    """Their argmax is some class: labels of that class would count as right."""
    both = np.array([scores, [0.2, 0.7, 0.1]])
    assert metrics.predicted(both).tolist() == [metrics.NO_CLASS, 1]
    np.testing.assert_array_equal(metrics.wrong(both, [label, 1]), [NAN, 0])
    members = np.stack([both, np.eye(3)[[label, 1]]])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(metrics.ensemble_wrong(members, [label, 1]), [NAN, 0])
    assert metrics.rate(metrics.wrong(both, [label, 1])) == (None, 2)
    assert metrics.rate(1 - metrics.wrong(both, [label, 1])) == (None, 2)


def test_a_class_with_no_chance_at_all_is_no_divergence():
    assert metrics.predicted([[-INF, 0.0, 1.0], [0.0, 1.0, 0.0]]).tolist() == [2, 1]
    assert metrics.wrong([[-INF, 0.0, 1.0]], [2]).tolist() == [False]


def test_whether_all_err_is_unknown_where_one_has_no_class():
    wrong = [[0, 1, 1, NAN], [0, 1, NAN, 0]]
    np.testing.assert_array_equal(metrics.fooled(wrong, (0, 1)), [0, 1, NAN, NAN])
    np.testing.assert_array_equal(metrics.fooled(wrong, (0,)), [0, 1, 1, NAN])


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ([1, 1, 0, 0], [1, 0, 1, 0], (0.5, 2)),
        ([NAN] * 4, [1, 0, 1, 0], (None, 4)),  # of up to four
        ([1, NAN, 0, 0], [1, 0, 1, 0], (None, 2)),
        ([1, 1, 0, 0], [NAN] * 4, (None, 2)),
        ([1, 1, 0, 0], [1, NAN, 0, 0], (None, 2)),
        ([1, 1, 0, 0], [1, 0, NAN, NAN], (0.5, 2)),  # it is of the first two
        ([0, 0, 0, 0], [NAN] * 4, (None, 0)),
    ],
    ids=range(7),
)
def test_transfer_that_hangs_on_what_has_no_class_is_unknown(source, target, expected):
    assert metrics.transfer_rate(source, target) == expected
    right = [0, 0, 0, 0]
    assert metrics.transfer_rate_clean_correct(source, target, right, right) == expected


def test_clean_correct_transfer_is_unknown_where_natural_images_have_no_class():
    source, target, right, lost = [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, NAN, 0, 0]
    assert metrics.transfer_rate_clean_correct(source, target, lost, right) == (None, 2)
    assert metrics.transfer_rate_clean_correct(source, target, right, lost) == (None, 2)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_disagreement_with_what_is_not_finite_is_unknown(value):
    one, other = np.full((2, 2), 0.5), np.array([[value, 0.5], [1.0, 0.0]])
    np.testing.assert_array_equal(metrics.disagreement([one, other]), [NAN, 0.5])
    np.testing.assert_array_equal(metrics.disagreement([other, other]), [NAN, 0.0])
    np.testing.assert_array_equal(metrics.disagreement([one, one, other]), [NAN, 1 / 3])


def test_pathways_without_a_class_have_no_rates():
    rates = metrics.pathway_rates([[0, 1, NAN], [0, 1, 1]], np.ones((2, 3)))
    assert set(rates.values()) == {(None, 3)}
    rates = metrics.pathway_rates([[0, 1, 0], [0, 1, 1]], [[1, 1, NAN], [1, 1, 1]])
    assert rates.pop("det_correct") == (None, 3)  # nobody knows which is nearest
    assert [rate.value for rate in rates.values()] == pytest.approx(
        [2 / 3, 0.5, 1 / 3, 1 / 3, 1 / 3]
    )


def test_pathways_of_no_images_have_no_rates():
    rates = metrics.pathway_rates(np.zeros((2, 0), bool), np.zeros((2, 0)))
    assert set(rates.values()) == {(None, 0)}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.rate([0.3, 0.7]), "event of type float64"),
        (lambda: metrics.rate([True, False], [True]), "events (2,), given (1,)"),
        (lambda: metrics.rate(["yes"]), "event of type <U3"),
        (lambda: metrics.rate(SCORES > 0), "events (5, 4)"),
        (lambda: metrics.rate(True), "events ()"),
        (lambda: metrics.transfer_rate(SOURCE, TARGET[:3]), "events (3,), given (6,)"),
        (
            lambda: metrics.transfer_rate_clean_correct(SOURCE, TARGET, SOURCE[:2], TARGET),
            "wrong of shapes (6,), (2,), (6,)",
        ),
        (lambda: metrics.transfer_rate(SCORES[:, 0] / 3, TRUTH > 1), "given of type float64"),
        (lambda: metrics.fooled(SCORES > 0, (5,)), "members [5]: the ensemble has 0 to 4"),
        (lambda: metrics.fooled(SCORES > 0, (-1,)), "members [-1]"),
        (lambda: metrics.fooled(SCORES > 0, ()), "members ()"),
        (lambda: metrics.fooled(SOURCE, (0,)), "wrong members of shape (6,)"),
        (lambda: metrics.ensemble_wrong(SCORES, TRUTH), "give [M, N, C]"),
        (lambda: metrics.disagreement(SCORES), "give [M, N, C]"),
        (lambda: metrics.detection(0.3, [0.4]), "give [N] and [K]"),
        (lambda: metrics.pathway_rates(SCORES > 0, np.zeros(4)), "wrong (5, 4), errors (4,)"),
    ],
    ids=range(16),
)
def test_what_has_no_rate_is_named(call, words):
    with pytest.raises(UserError) as error:
        call()
    assert words in str(error.value)


def test_zeros_and_ones_are_events():
    assert metrics.rate(np.array([0, 1, 1, 1])) == (0.75, 4)
    assert metrics.rate([1.0, 0.0], [0, 1]) == (0.0, 1)


def test_scores_that_are_nan_detect_nothing():
    assert metrics.detection([0.1, np.nan], [0.5]) == (None, None, 1, None)
    assert metrics.detection([0.1, 0.2], [0.5, np.nan]) == (None, None, 2, None)
