"""The checker's constants on random cases drawn for this alone: each holds as it is, and not where
it is changed by a factor that matters.
"""

import numpy as np
from judged import only_real, verdict

from refimpl.gradcheck import check_gradients, comparisons, differences, joint
from refimpl.gradcheck.differences import slope
from refimpl.gradcheck.probing import DIGIT, Probe, quiet
from refimpl.losses import cross_entropy
from refimpl.second_order import cross_entropy_hvp

SEED = 20_261_130  # no other test draws from here


# TINY


def saturated_accused():
    """How often the right Hessian-vector product of a saturated softmax is accused."""
    count = 0
    for case in range(30):
        rng = np.random.default_rng(SEED + case)
        w, z, y = rng.normal(size=(3, 4)), rng.normal(size=(2, 3)), rng.integers(0, 3, 2)
        z[1, rng.integers(3)] += rng.choice([45, 60, 90, 150])

        def f(z, y=y, w=w):
            return cross_entropy(z, y)[1] @ w

        def right(v, z, y=y, w=w):
            return cross_entropy_hvp(z, y, v @ w.T)

        count += verdict(f, right, z, case) == "fail"
    return count


def tiny_missed():
    """How often a wrong gradient of values of 1e-18 is not accused."""
    count = 0
    for case in range(10):
        x = np.random.default_rng(SEED + case).uniform(0.3, 2, 2)
        count += verdict(lambda x: 1e-18 * x**2, lambda d, x: 1e-18 * d * x, x, case) != "fail"
    return count


def test_tiny(monkeypatch):
    assert (saturated_accused(), tiny_missed()) == (0, 0)
    monkeypatch.setattr(comparisons, "TINY", 1e-32)
    assert saturated_accused() > 0
    monkeypatch.setattr(comparisons, "TINY", 1e-16)
    assert tiny_missed() > 0


# CLEAR

FUNCTIONS = [
    (np.exp, np.exp),
    (np.sin, np.cos),
    (np.log, lambda a: 1 / a),
    (np.arctan, lambda a: 1 / (1 + a * a)),
    (lambda a: np.sin(7 * a * a), lambda a: 14 * a * np.cos(7 * a * a)),
    (lambda a: np.exp(-a * a), lambda a: -2 * a * np.exp(-a * a)),
    (lambda a: a**5, lambda a: 5 * a**4),
]


def drawn(count):
    for case in range(count):
        rng = np.random.default_rng(SEED + case)
        x = rng.uniform(0.1, 1, 1) * 10 ** rng.uniform(-3, 1)
        yield *FUNCTIONS[case % len(FUNCTIONS)], x, case


def test_the_estimated_error_covers_the_true_one():
    """What CLEAR stands on: a sixth of the estimate at most, here, and not a thousandth."""
    ratios = []
    for f, derivative, x, case in drawn(420):
        with quiet():
            probe = Probe(f, (x,), (1,))
            start = 0.1 * np.random.default_rng(case).uniform(0.7, 1.3)
            found = slope(probe, {0: x}, f(x), probe.rounding(f(x)), start)
        true = derivative(x) * x
        gap = np.abs(found.value - true) - 2e-15 * np.abs(true)
        ratios.append(max(0.0, float((gap / found.error)[0])))
    assert 1e-3 < max(ratios) < 1 / 3 <= comparisons.CLEAR / 9


def accusations(times):
    """How many gradients that are off by so many of their bounds, and by five times what is
    excused, are accused, of forty.
    """
    count = 0
    for f, derivative, x, case in drawn(40):

        def vjp(d, x, error=0.0, derivative=derivative):
            return d * derivative(x) + error

        bound = check_gradients(f, vjp, x, rng=case, dtypes=()).arguments[0].bound
        error = max(times * bound, 5 * comparisons.EXCUSED * abs(derivative(x)[0]))
        wrong = verdict(f, lambda d, x, e=error, v=vjp: v(d, x, e), x, case)
        count += wrong == "fail"
    return count


def test_clear(monkeypatch):
    assert accusations(6) >= 34
    monkeypatch.setattr(comparisons, "CLEAR", 1e3)
    assert accusations(6) < 20


# CHAOS


def tables_of_waves():
    """(how many tables of waves that are too fast for their steps count, how many of them lie by
    more than the error they state), of 400.
    """
    count = lies = 0
    for case in range(400):
        rng = np.random.default_rng(SEED + case)
        k, x, start = 10 ** rng.uniform(1.5, 4), rng.uniform(0.3, 2, 1), rng.uniform(0.07, 0.13)
        f, one = (lambda x, k=k: np.sin(k * x) + 30 * x), np.ones(1)
        value = f(x)
        with quiet():
            ends = (differences._with_total(a, one) for a in (value, DIGIT * np.abs(value)))
            line = differences._Line(Probe(f, (x,), (1,)), {0: x}, one, *ends)
            found = differences._table(line, start).slope
        true = (k * np.cos(k * x) + 30) * x
        if np.isfinite(found.error[0]):
            count += 1
            lies += abs(found.value[0] - true[0]) > 3 * found.error[0]
    return count, lies


def test_chaos(monkeypatch):
    count, lies = tables_of_waves()
    assert count > 25 and not lies
    monkeypatch.setattr(differences, "CHAOS", 1.0)
    assert tables_of_waves()[1] > 25
    monkeypatch.setattr(differences, "CHAOS", 1e-4)
    assert tables_of_waves()[0] < 15


# VISIBLE


def flat_accused():
    """How often the gradient is accused that complex numbers claim of a sign, of ten."""
    count = 0
    for case in range(10):
        x = np.random.default_rng(SEED + case).normal(size=2)
        count += verdict(lambda x: x / np.abs(x), lambda d, x: d / np.abs(x), x, case) == "fail"
    return count


def coarse_accused():
    """How often the right gradient is accused of a value that is rounded to float16, of ten."""
    count = 0
    for case in range(10):
        rng = np.random.default_rng(SEED + case)
        x, small = rng.uniform(0.5, 2, 1), 10 ** rng.uniform(-5, -3.5)

        def f(x, small=small):
            return (1.0002 + small * x).astype(np.float16).astype(float)

        count += verdict(only_real(f), lambda d, x, s=small: d * s, x, case) == "fail"
    return count


def test_visible(monkeypatch):
    assert (flat_accused(), coarse_accused()) == (10, 0)
    monkeypatch.setattr(comparisons, "VISIBLE", 1.0)
    assert flat_accused() == 0
    monkeypatch.setattr(comparisons, "VISIBLE", 1e-7)
    assert coarse_accused() > 0


# IDLE


def searched(share):
    """(evaluations, verdicts) of two outputs, the second of which moves the sum by that share."""
    taken, found = [], set()
    for case in range(6):
        x = np.random.default_rng(SEED + case).uniform(0.5, 2, 2)

        def f(x, share=share):
            return np.stack([np.sin(x).sum(), share * np.sin(300 * x[1])])

        def vjp(d, x, share=share):
            return d[0] * np.cos(x) + np.array([0, 300 * share * d[1] * np.cos(300 * x[1])])

        report = check_gradients(only_real(f), vjp, x, rng=case, dtypes=())
        taken.append(report.evaluations)
        found.add(report.verdict)
    return np.median(taken), found


def test_idle(monkeypatch):
    assert differences.IDLE == joint.ENOUGH
    few, passed = searched(1e-14)
    many, passed_too = searched(1e-8)
    assert few < 0.7 * many and passed == passed_too == {"pass"}
    monkeypatch.setattr(differences, "IDLE", 0.0)
    assert searched(1e-14)[0] == many
