"""Claim E5b: the ETF theorem with outer weights of any sign, for small β."""

from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np
import sympy
from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Expr, Rational

from proofs_checks import certificates
from proofs_checks.checks import falsify, identities
from proofs_checks.etf.ensembles import cone_optimum
from proofs_checks.etf.inertia import kernel_of
from proofs_checks.etf.signs_sharp import Array, bound_rows, same_rows, sharp, two_rows
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from proofs_checks.replay import signs as replay_signs
from proofs_checks.strategies import unit_vectors
from symcomp.balls import rational

# ---- E5b -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reach:
    """k'h(P)⁺k <= factor max_s h(βs)²/E(s) for signed weights, M and β up to most[M]."""

    most: tuple[tuple[int, Rational], ...]
    factor: Expr = sympy.S.One


def reach() -> Reach:
    """What the certificate B4 reaches."""
    pairs = ((m, replay_signs.reach(m)) for m in replay_signs.REACH)
    return Reach(tuple((m, Rational(b.numerator, b.denominator)) for m, b in pairs))


def _certificate(claim: Reach, _: Settings) -> Finding:
    """B3 with n <= M - 1, "fewer", for c with some c_i <= 0; for M = 2 its case n = 1.

    All c_i > 0: B3's convex L for σ outside [σ_-, σ_+]; inside, (C) or (slack) of B4 for all s
    between two ends, where the continuous g takes all values from σ_- to σ_+. The certificate
    divides by what vanishes with β, so that its boxes begin at β = 0; β = 0 itself is E5.
    """
    held = replay_signs.B4.charts
    for m, beta in claim.most:
        low, high = held[f"cells {m}"].box[0]
        end = rational(replay_signs.Scaled(m).beta(high))
        if low != 0 or claim.factor < 1 or beta > end:
            return Finding(Outcome.UNDECIDED, f"the certificate ends at β = {end}, M = {m}")
    known = sharp()
    rows = [*same_rows(known), *bound_rows(known), *two_rows(known)]
    return certificates.tied("B4", identities(rows))


def _signed_search(claim: Reach, settings: Settings) -> Finding:
    """The best signed weights, by least squares, for vectors near the cone and anywhere."""

    def margin(vectors: Array, share: float, noise: float) -> float:
        m = len(vectors)
        limits = {k: float(b) for k, b in claim.most}
        assume(m in limits)
        beta = share * limits[m]
        with mpmath.workdps(20):
            best, s = (float(x) for x in cone_optimum(m, mpf(beta)))
        near = cone(m, s)
        near = near + noise * np.resize(vectors, near.shape)
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        found = max(_reached(near, beta), _reached(vectors, beta))
        return float(claim.factor) * best - found

    strategies = {
        "vectors": unit_vectors(),
        "share": st.sampled_from((1.0, 0.5)) | st.floats(0.01, 1),
        "noise": st.sampled_from((0.0, 1e-4, 0.1)) | st.floats(0, 1),
    }
    return falsify(margin, strategies, settings, slack=1e-10)


def cone(m: int, s: float) -> Array:
    """Rows of the equiangular cone at height s in R^(m+1), the axis first."""
    corner = np.eye(m) - 1 / m
    flat = np.sqrt(1 - s * s) * corner / np.sqrt(1 - 1 / m)
    return np.hstack([np.full((m, 1), s), flat])


def _reached(vectors: Array, beta: float) -> float:
    gram = vectors @ vectors.T
    np.fill_diagonal(gram, 1)
    own, cross = kernel_of(gram), kernel_of(beta * vectors[:, 0])
    c = np.linalg.lstsq(own, cross, rcond=1e-9)[0]
    return float(2 * c @ cross - c @ own @ c)


_LIST = ", ".join(f"{m}: {float(replay_signs.reach(m)):.4g}" for m in replay_signs.REACH)

E5B = Claim(
    id="E5b",
    title="ETF theorem with weights of any sign, small β",
    statement=(
        r"0\le\beta\le\beta_1(M),\ d\ge M:\quad \min_{\theta,\ b\in\mathbb{R}^M}F=\tau^2\Bigl("
        r"h(\beta^2)-\max_s\frac{h(\beta s)^2}{E(s)}\Bigr),\text{ the cone of E4};\quad \beta_1(M)"
        rf"\text{{ for }}M\text{{ of }}\text{{{_LIST}}}"
    ),
    source="theory.md E5 (this project's reconstruction), farther than β0(M) there",
    subject=reach,
    evidence=(
        Evidence(Kind.CERTIFICATE, "replay of the certificate B4, with B3 and B4", _certificate),
        Evidence(Kind.PROPERTY, "search, signed weights by least squares", _signed_search),
    ),
    mutants=(
        Mutant("99.9% of the maximum", lambda c: replace(c, factor=Rational(999, 1000))),
        Mutant("half of the maximum", lambda c: replace(c, factor=Rational(1, 2))),
    ),
    depends_on=("B3", "B4", "E5"),
)

CLAIMS: tuple[Claim[Any], ...] = (E5B,)
