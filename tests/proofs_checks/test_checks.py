"""Every check is seen accepting, rejecting and, where it may, undecided."""

import math

import flint
import hypothesis
import mpmath
import numpy as np
import pytest
import sympy
from flint import arb, fmpq
from hypothesis import strategies as st

from proofs_checks.checks import agreement, certify, combine, falsify, identities, signs
from proofs_checks.ledger import Finding, Outcome, Settings
from symcomp.errors import ArgumentError

x, rho = sympy.symbols("x rho", real=True)
p = sympy.Symbol("p", positive=True)
M = sympy.Symbol("M", integer=True, positive=True)
H, F, U = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED

# ------------------------------------------------------------------ identities

TRUE = [
    ("square", (x + 1) ** 2, x**2 + 2 * x + 1),
    ("circle", sympy.sin(x) ** 2, 1 - sympy.cos(x) ** 2),
    ("half turn", sympy.acos(-rho), sympy.pi - sympy.acos(rho)),
    ("mass", 1 / M + (1 - 1 / M), 1),
    ("root", sympy.sqrt(p**2), p),
    ("integral", sympy.Integral(2 * p, (p, 0, x)), x**2),
]


@pytest.mark.parametrize("row", TRUE, ids=lambda row: row[0])
def test_a_true_identity_closes(row: tuple) -> None:
    finding = identities([row])
    assert finding.outcome is H
    assert finding.figure == "1 identity closed"
    assert finding.steps == (f"{row[0]}: {row[1]} = {row[2]}",)


@pytest.mark.parametrize("row", TRUE, ids=lambda row: row[0])
def test_the_same_identity_off_by_a_little_fails_with_a_point(row: tuple) -> None:
    label, lhs, rhs = row
    finding = identities([(label, lhs, rhs + sympy.Rational(1, 10**30))])
    assert finding.outcome is F
    assert finding.counterexample.startswith(label)


def test_one_false_identity_fails_all() -> None:
    finding = identities([*TRUE, ("root", sympy.sqrt(x**2), x)])
    assert finding.outcome is F
    assert finding.figure == "6 of 7 identities closed; false: root"
    assert (finding.tried, finding.decided) == (7, 7)
    assert "x = -" in finding.counterexample


def test_a_numerical_zero_is_no_proof() -> None:
    # Lambert's W(1) is no algebraic number that SymPy could reduce; the sides agree to 60 digits.
    close = sympy.Rational(str(mpmath.nstr(_lambert(), 60)))
    finding = identities([("lambert", sympy.LambertW(1), close)])
    assert finding.outcome is U
    assert finding.figure == "0 of 1 identity closed; undecided: lambert"


def _lambert() -> mpmath.mpf:
    with mpmath.workdps(70):
        return +mpmath.lambertw(1).real


def test_floats_are_no_proof_even_where_they_cancel() -> None:
    finding = identities([("half", x * sympy.Float(0.5), x * sympy.Float(0.5))])
    assert finding.outcome is U
    assert "contains floats" in finding.figure


def test_no_identities_are_undecided() -> None:
    assert identities([]).outcome is U


def test_points_outside_the_domain_refute_nothing() -> None:
    finding = identities([("log", sympy.log(x - 50), sympy.log(x - 50) + 0 * x)])
    assert finding.outcome is H
    assert identities([("log", sympy.log(x - 50), sympy.log(x - 51))]).outcome is U


def test_text_is_not_parsed() -> None:
    with pytest.raises(sympy.SympifyError):
        identities([("text", "x", x)])


# ------------------------------------------------------------------ signs


@pytest.mark.parametrize(
    ("expr", "relation", "outcome"),
    [
        (x**2 + 1, ">0", H),
        (x**2 + 1, "> 0", H),
        (x**2, ">=0", H),
        (-(p**2) - p, "<0", H),
        (-(x**2), "<=0", H),
        (M - 1, ">=0", H),
        (sympy.pi - 4, "<0", H),
        (x, ">=0", F),
        (x**2 + 1, "<=0", F),
        (sympy.S.Zero, ">0", F),
        (p - 1, ">0", F),
        (sympy.pi - 3, "<0", F),
        (x**2, ">0", U),
        (sympy.exp(x) - 1 - x, ">=0", U),
        (sympy.Float(0.5) * p, ">0", U),
    ],
)
def test_signs(expr: sympy.Expr, relation: str, outcome: Outcome) -> None:
    assert signs([("sign", expr, relation)]).outcome is outcome


def test_signs_show_their_steps_and_their_counterexample() -> None:
    assert signs([("a", p, ">0"), ("b", x**2, ">=0")]).steps == ("a: p > 0", "b: x**2 >= 0")
    assert signs([("a", x - 9, ">0")]).counterexample.startswith("a: at x = ")


def test_an_unknown_relation_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="relation: got '='"):
        signs([("sign", x, "=")])


# ------------------------------------------------------------------ combine

PASS = Finding(H, "1 point", 1, 1, 1, steps=("so",))
FAIL = Finding(F, "2 points", 2, 2, 1, "at 3")
OPEN = Finding(U, "nothing", 4, 0, 0)


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        ((PASS, PASS), H),
        ((PASS, OPEN), U),
        ((FAIL, OPEN), F),
        ((OPEN, FAIL, PASS), F),
        ((), U),
    ],
)
def test_combine(parts: tuple[Finding, ...], outcome: Outcome) -> None:
    assert combine(*parts).outcome is outcome


def test_combine_adds_up() -> None:
    assert combine(PASS, FAIL, OPEN) == Finding(
        F, "1 point; 2 points; nothing", 7, 3, 2, "at 3", ("so",)
    )


# ------------------------------------------------------------------ agreement


def test_agreement_to_fifty_digits() -> None:
    with mpmath.workdps(70):
        rows = [("e", mpmath.e, mpmath.exp(1)), ("zero", mpmath.mpf(10) ** -60, mpmath.mpf(0))]
        finding = agreement(rows, 50)
    assert finding.outcome is H
    assert finding.figure == "2 points to 50 digits, worst error 1.0e-57"
    assert finding.decided == 2


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (mpmath.mpf(1) + mpmath.mpf(2) ** -50, 1),
        (mpmath.mpf("1e-40"), 0),
        (mpmath.nan, 1),
        (1, mpmath.nan),
        (mpmath.inf, mpmath.inf),
        (mpmath.mpf("1.0001e300"), mpmath.mpf("1e300")),
    ],
)
def test_agreement_rejects(got: mpmath.mpf, wanted: mpmath.mpf) -> None:
    finding = agreement([("good", 1, 1), ("bad", got, wanted)], 50)
    assert finding.outcome is F
    assert finding.figure.startswith("1 of 2 points")
    assert not finding.figure.endswith("worst error 0.0")
    assert finding.counterexample.startswith("bad: got ")


def test_agreement_is_as_sharp_as_asked() -> None:
    with mpmath.workdps(50):
        rows = [("third", mpmath.mpf("0.33333333333333333333"), mpmath.mpf(1) / 3)]
    assert agreement(rows, 15).outcome is H
    assert agreement(rows, 30).outcome is F


def test_agreement_leaves_the_precision_alone() -> None:
    before = mpmath.mp.dps
    agreement([("one", 1, 1)], 200)
    assert mpmath.mp.dps == before


def test_no_points_are_undecided_and_no_digits_an_error() -> None:
    assert agreement([], 50).outcome is U
    with pytest.raises(ArgumentError, match="digits: got 0"):
        agreement([("one", 1, 1)], 0)


# ------------------------------------------------------------------ falsify

REALS = st.floats(-10, 10)


def test_falsify_passes_a_true_margin() -> None:
    settings = Settings(examples=50)
    finding = falsify(lambda a, b: (a - b) ** 2, {"a": REALS, "b": REALS}, settings)
    assert finding.outcome is H
    assert (finding.tried, finding.met, finding.decided) == (50, 50, 50)
    assert finding.figure == "50 examples, worst margin 0"


def test_falsify_finds_shrinks_and_shows_a_counterexample() -> None:
    finding = falsify(
        lambda n, m: 100 - n - m, {"n": st.integers(0, 1000), "m": st.integers(0, 9)}, Settings()
    )
    assert finding.outcome is F
    assert finding.counterexample == "n = 92, m = 9"
    assert finding.figure == f"margin -1 after {finding.met} examples"
    assert finding.tried == finding.met < 30  # what shrinking tries is not counted


def test_falsify_searches_as_its_settings_say() -> None:
    def drawn(settings: Settings) -> list[float]:
        seen: list[float] = []
        falsify(lambda a: seen.append(a) or 1.0, {"a": REALS}, settings)
        return seen

    assert drawn(Settings(examples=20)) == drawn(Settings(examples=20))
    assert drawn(Settings(examples=20)) != drawn(Settings(examples=20, seed=1))
    assert len(drawn(Settings(examples=7))) == 7


def test_slack_forgives_rounding_and_no_more() -> None:
    def below(by: float) -> Finding:
        return falsify(lambda **_: -by, {"a": REALS}, Settings(examples=5), slack=1e-12)

    assert below(1e-13).outcome is H
    assert below(1e-13).figure == "5 examples, worst margin -1e-13"
    assert below(1e-11).outcome is F


@pytest.mark.parametrize("value", [math.nan, -math.inf, np.float64("nan")])
def test_a_margin_that_is_no_number_fails(value: float) -> None:
    assert falsify(lambda **_: value, {"a": REALS}, Settings(examples=5)).outcome is F


def test_assumptions_are_counted() -> None:
    def margin(n: int) -> float:
        hypothesis.assume(n % 2 == 0)
        return 1.0

    finding = falsify(margin, {"n": st.integers(0, 10**6)}, Settings(examples=20))
    assert finding.outcome is H
    assert finding.tried > finding.met == finding.decided > 0


def test_assumptions_never_met_are_undecided() -> None:
    def margin(n: int) -> float:
        hypothesis.assume(False)
        return float(n)

    finding = falsify(margin, {"n": st.integers()}, Settings(examples=5))
    assert finding.outcome is U
    assert finding.met == 0


def test_an_error_in_a_margin_is_no_finding() -> None:
    with pytest.raises(ZeroDivisionError):
        falsify(lambda a: 1 / (0 * a), {"a": REALS}, Settings(examples=5))


def test_a_counterexample_keeps_all_digits_of_an_array() -> None:
    third = np.array([1 / 3, -1.0])
    finding = falsify(lambda **_: -1.0, {"u": st.just(third)}, Settings(examples=5))
    assert finding.counterexample == "u = array([ 0.3333333333333333, -1. ])"


# ------------------------------------------------------------------ certify


def positive(ball: arb) -> bool | None:
    return True if ball > 0 else False if ball <= 0 else None


UNIT = [(fmpq(0), fmpq(1))]


def test_certify_a_true_inequality_on_the_whole_box() -> None:
    finding = certify(lambda b: positive(b[0] * (1 - b[0]) + arb("0.01")), UNIT)
    assert finding.outcome is H
    boxes = finding.decided
    assert finding.figure == f"{boxes} boxes at 128 bits"
    assert boxes == finding.tried > 2


def test_certify_refutes_on_a_box() -> None:
    finding = certify(lambda b: positive(b[0] * (1 - b[0]) - arb("0.2499")), UNIT)
    assert finding.outcome is F
    assert finding.counterexample.startswith("[")


def test_certify_is_undecided_where_equality_is_attained() -> None:
    finding = certify(lambda b: positive(b[0]), UNIT, depth=8)
    assert finding.outcome is U
    assert "1 undecided at depth 8, first [0, 1/256]" in finding.figure


def test_the_boxes_are_exact_and_cover_the_domain() -> None:
    seen: list[tuple[arb, ...]] = []

    def small(box: tuple[arb, ...]) -> bool | None:
        return True if float(box[0].rad()) < 0.1 and float(box[1].rad()) < 0.2 else None

    def condition(box: tuple[arb, ...]) -> bool | None:
        seen.append(box)
        return small(box)

    domain = [(fmpq(-1, 3), fmpq(1, 3)), (fmpq(0), fmpq(2, 7))]
    assert certify(condition, domain).outcome is H
    for side, (low, high) in enumerate(domain):
        assert any(box[side].contains(arb(low)) for box in seen)
        assert any(box[side].contains(arb(high)) for box in seen)
    final = [b for b in seen if small(b)]
    with flint.ctx.workprec(128):
        area = sum((4 * b[0].rad() * b[1].rad() for b in final), arb(0))
        assert area >= arb(fmpq(4, 21))
        assert area < arb(fmpq(4, 21)) + arb("1e-6")


def test_certify_works_at_its_own_precision_and_restores_the_callers() -> None:
    before = flint.ctx.prec
    seen = []
    finding = certify(lambda _: bool(seen.append(flint.ctx.prec)) or True, UNIT, bits=200)
    assert seen == [200]
    assert flint.ctx.prec == before
    assert finding.figure == "1 box at 200 bits"


@pytest.mark.parametrize("domain", [[], [(fmpq(1), fmpq(0))]])
def test_an_empty_domain_is_an_error(domain: list) -> None:
    with pytest.raises(ArgumentError, match="domain: got"):
        certify(lambda _: True, domain)


def test_an_answer_that_is_no_verdict_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="condition: got 1"):
        certify(lambda _: 1, UNIT)  # type: ignore[arg-type, return-value]
