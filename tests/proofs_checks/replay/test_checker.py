"""The checker of certificates: it accepts the ones in the repository, and nothing near them."""

import ast
import json
import random
import sys
from fractions import Fraction
from pathlib import Path

import mpmath
import pytest
import sympy
from flint import arb, arb_series, fmpq

from proofs_checks import certificates
from proofs_checks.ledger import Outcome
from proofs_checks.replay import checker
from proofs_checks.replay import etf as replay_etf
from proofs_checks.replay import height as replay_height
from proofs_checks.replay import signs as replay_signs
from proofs_checks.storage import certificate_folder
from tests.comparison import compare

MODULES = (checker, replay_etf, replay_height, replay_signs)
NAMES = tuple(certificates.SEARCHES)


def text(name):
    return (certificate_folder() / f"{name}.json").read_text(encoding="utf-8")


def data(name):
    return json.loads(text(name))


def check(certificate, name):
    return checker.replay(json.dumps(certificate), certificates.known(name).theorem)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_checker_needs_the_standard_library_and_flint_alone(module):
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    nodes = [*ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    allowed = {"flint", "proofs_checks.replay.checker"} | set(sys.stdlib_module_names)
    assert names
    assert {name.removesuffix(".abc") for name in names} <= allowed


@pytest.mark.parametrize("name", NAMES)
def test_the_certificates_of_the_repository_are_accepted(name):
    found = checker.replay(text(name), certificates.known(name).theorem)
    assert found.holds, found.problem
    assert sum(found.boxes.values()) == sum(len(c["boxes"]) for c in data(name)["charts"].values())
    assert len(text(name)) < 300_000


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_without_one_box_is_refused(name):
    for chart, index in chosen(name):
        broken = data(name)
        del broken["charts"][chart]["boxes"][index]
        assert "no box covers" in check(broken, name).problem


@pytest.mark.parametrize("name", NAMES)
def test_a_widened_box_is_refused(name):
    for chart, index in chosen(name):
        broken = data(name)
        row = broken["charts"][chart]["boxes"][index]
        low, high = Fraction(row[1]), Fraction(row[2])
        row[2] = str(high + (high - low) / 1000)
        problem = check(broken, name).problem
        assert "overlap or leave the domain" in problem


@pytest.mark.parametrize("name", NAMES)
def test_a_narrowed_box_is_refused(name):
    for chart, index in chosen(name):
        broken = data(name)
        row = broken["charts"][chart]["boxes"][index]
        low, high = Fraction(row[1]), Fraction(row[2])
        row[1] = str(low + (high - low) / 10**6)
        assert "no box covers" in check(broken, name).problem


def chosen(name):
    draw = random.Random(1)
    charts = data(name)["charts"]
    # the checker takes the charts in turn and stops at the first problem, so early ones are cheap
    return [(c, draw.randrange(len(charts[c]["boxes"]))) for c in [*charts][:3]]


def test_swapped_boxes_are_refused():
    """The alternative of one box does not hold on another one."""
    for chart in ("interior", "corner"):
        broken = data("V2")
        boxes = broken["charts"][chart]["boxes"]
        first = next(row for row in boxes if row[0] == "strict")
        second = next(row for row in reversed(boxes) if row[0] == "good")
        first[0], second[0] = second[0], first[0]
        assert "is not certain on" in check(broken, "V2").problem


def test_heights_at_a_point():
    """(U) in mpmath, from its definition with derivatives of h and E."""
    field = checker.balls()
    rows = []
    for r, eps in ((0.3, 0.2), (0.9, 0.01), (0.6, 0.45)):
        a, sine, w, theta = replay_height.angles(arb(r), arb(eps), field)
        parts = (
            replay_height.slow(sine, w, theta, arb(eps), field),
            replay_height.steep(w, theta, arb(eps), field),
            replay_height.bend(a, field),
        )
        with mpmath.workdps(30):
            wanted = _heights(mpmath.mpf(r), mpmath.mpf(eps))
        rows += [
            ((r, eps, k), float(p.mid()), float(q))
            for k, (p, q) in enumerate(zip(parts, wanted, strict=True))
        ]
    compare(rows, rtol=1e-12, min_points=9)


def _heights(r, eps):
    def h(x):
        return (mpmath.sqrt(1 - x * x) + x * (mpmath.pi - mpmath.acos(x))) / (2 * mpmath.pi)

    def energy(w):
        return eps / 2 + (1 - eps) * h((w - eps) / (1 - eps))

    a = mpmath.pi * r / 2
    s = mpmath.cos(a)
    e = [mpmath.diff(energy, s * s, n) for n in range(3)]
    k = [mpmath.diff(h, s, n) for n in range(3)]
    sine = mpmath.sin(a)
    return (
        sine * (1 - 2 * s * s * e[1] / e[0]),
        sine * 2 * s * s * e[2] / e[1],
        sine * s * (k[2] / k[1] - k[1] / k[0]),
    )


def test_a_coarse_box_is_refused():
    """Two boxes that make one: covered, but what is certain on each is not certain on both."""
    broken = data("V2")
    chart = broken["charts"]["interior"]
    chart["boxes"] = [["strict", *chart["domain"][0], *chart["domain"][1]]]
    assert "'strict' is not certain" in check(broken, "V2").problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda c: c.update(format="symcomp certificate 2"), "its format is"),
        (lambda c: c.update(bits=10), "bits: found 10"),
        (lambda c: c.update(bits=96.0), "bits: found 96.0"),
        (lambda c: c["charts"].pop("e"), "its charts are y"),
        (lambda c: c["charts"]["y"].update(domain=[["0", "1"]]), "its domain is not"),
        (lambda c: c["charts"]["y"].update(boxes=3), "has no list of boxes"),
        (lambda c: c["charts"]["y"]["boxes"][0].__setitem__(0, "sure"), "unknown alternative"),
        (lambda c: c["charts"]["y"]["boxes"][0].__setitem__(1, "0.5"), "expected a fraction"),
        (lambda c: c["charts"]["y"]["boxes"][0].__setitem__(1, "1/0"), "expected a fraction"),
        (lambda c: c["charts"]["y"]["boxes"][0].__setitem__(2, "-1"), "has an empty side"),
        (lambda c: c["charts"]["y"]["boxes"].append("y"), "is no box"),
        (lambda c: c["charts"]["y"]["boxes"].append(c["charts"]["y"]["boxes"][0]), "overlap"),
    ],
)
def test_what_is_not_a_certificate_is_refused(change, problem):
    broken = data("V1")
    change(broken)
    found = check(broken, "V1")
    assert not found.holds
    assert problem in found.problem


def test_text_that_is_no_json_is_refused():
    assert "cannot be read" in checker.replay("[1, 2", replay_etf.V1).problem
    assert "cannot be read" in checker.replay("[1, 2]", replay_etf.V1).problem


def test_charts_that_leave_a_gap_prove_nothing():
    theorem = checker.Theorem("", replay_etf.V1.charts, glue=lambda: False)
    assert "do not cover" in checker.replay(text("V1"), theorem).problem


def test_gaps_and_overlaps_in_the_plane():
    """Pinwheels too, which no cut through the whole square takes apart."""
    f = fmpq
    wheel = [
        ((f(0), f(2)), (f(0), f(1))),
        ((f(2), f(3)), (f(0), f(2))),
        ((f(1), f(3)), (f(2), f(3))),
        ((f(0), f(1)), (f(1), f(3))),
        ((f(1), f(2)), (f(1), f(2))),
    ]
    square = ((f(0), f(3)), (f(0), f(3)))
    assert checker.uncovered(square, wheel) is None
    for missing in wheel:
        gap = checker.uncovered(square, [box for box in wheel if box != missing])
        assert gap is not None
        assert all(p <= r and s <= q for (p, q), (r, s) in zip(missing, gap, strict=True))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_entire_functions_against_mpmath(k):
    def wanted(e):
        with mpmath.workdps(60):
            return (
                mpmath.sin(e) / e,
                (1 - mpmath.cos(e)) / e**2,
                (e - mpmath.sin(e)) / e**3,
            )[k - 1]

    rows = []
    for e in ("1/100", "1/4", "1/2"):
        ball = replay_etf.entire(arb(fmpq(*map(int, e.split("/")))), k)
        true = wanted(mpmath.mpf(Fraction(e).numerator) / Fraction(e).denominator)
        assert ball.contains(arb(mpmath.nstr(true, 40)))
        rows.append((e, float(ball.mid()), float(true)))
    compare(rows, rtol=1e-14, min_points=3)


def test_the_remainder_of_entire_functions_is_counted():
    ball = replay_etf.entire(arb(1), 1, terms=1)
    assert ball.contains(arb(1).sin())
    assert not ball.contains(arb(2))
    assert replay_etf.entire(arb(0).union(arb(1)), 3).contains(arb(1, 0) / 6)


def test_jets_against_the_taylor_series_of_balls():
    """The exact coefficients at θ = 2/7 lie in those that Arb computes there."""
    theta = fmpq(2, 7)
    points = 0
    for f in (replay_etf.good, replay_etf.strict, replay_etf.high):
        with checker.capped(replay_etf.JET):
            x = arb_series([0, 1], replay_etf.JET)
            series = f(arb(theta) * x, x, checker.balls())
        for k, c in enumerate(replay_etf.jet(f)):
            exact = sum(
                (arb(q) * arb(theta) ** a * arb.pi() ** b for (a, b), q in c.to_dict().items()),
                arb(0),
            )
            assert series[k].overlaps(exact)
            points += 1
        order = replay_etf.ORDER[f]
        assert not any(replay_etf.jet(f)[:order])
        assert replay_etf.jet(f)[order]
    assert points == 3 * replay_etf.JET


def test_jets_refuse_what_is_no_power_series():
    one = replay_etf._jet(1)
    with pytest.raises(ArithmeticError, match="starts with 1"):
        one / replay_etf._jet(2)
    with pytest.raises(ArithmeticError, match="no constant term"):
        replay_etf._sine(one)


def test_the_slopes_are_enclosed():
    """x - x is positive nowhere; 1 + x - x is certain by its slope, not by its range."""
    wide = ((fmpq(0), fmpq(10)),)
    assert checker.positive(lambda x, _: 1 + x - x, wide)
    assert not checker.positive(lambda x, _: x - x, wide)
    assert not checker.positive(lambda x, f: f.sin(x) + fmpq(99, 100), wide)


def test_a_refused_certificate_decides_nothing():
    broken = data("V1")
    broken["charts"]["y"]["boxes"].pop()
    found = certificates.finding(json.dumps(broken), replay_etf.V1)
    assert found.outcome is Outcome.UNDECIDED
    assert "refused" in found.figure
    assert "cannot be read" in certificates.finding("{", replay_etf.V1).figure


def test_formulas_run_on_symbols():
    x = sympy.Symbol("x")
    field = checker.Field(sympy.pi, sympy.sin, sympy.cos)
    assert replay_etf.high(sympy.S.Zero, x, field) == sympy.cos(sympy.pi * x) - 1
