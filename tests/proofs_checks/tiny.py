"""Small registries for the tests of the ledger, the runner, the reports and the command line."""

import os
import signal
import time
from dataclasses import dataclass

import sympy
from hypothesis import strategies as st

from proofs_checks.checks import falsify, identities
from proofs_checks.ledger import (
    Claim,
    Evidence,
    Finding,
    Kind,
    Mutant,
    Outcome,
    Registry,
    Settings,
)

X = sympy.Symbol("x", real=True)


@dataclass(frozen=True)
class Square:
    """The claim (x + 1)² = x² + middle x + 1."""

    middle: int


def proof(subject: Square, _: Settings) -> Finding:
    return identities([("square", (X + 1) ** 2, X**2 + subject.middle * X + 1)])


def search(subject: Square, settings: Settings) -> Finding:
    return falsify(
        lambda x: 1e-9 - abs((x + 1) ** 2 - x * x - subject.middle * x - 1),
        {"x": st.floats(-2, 2)},
        settings,
    )


def holds(*_: object) -> Finding:
    return Finding(Outcome.HOLDS, "1 point", 1, 1, 1)


def fails(*_: object) -> Finding:
    return Finding(Outcome.FAILS, "1 point", 1, 1, 1, "at x = 1")


def undecided(*_: object) -> Finding:
    return Finding(Outcome.UNDECIDED, "no points")


def only_two(subject: int, _: Settings) -> Finding:
    return holds() if subject == 2 else fails()


def claim(
    claim_id: str,
    *checks: object,
    depends_on: tuple[str, ...] = (),
    kind: Kind = Kind.PROOF,
    covers: str = "",
    mutant: int = 3,
) -> Claim[int]:
    """A claim about the number 2, by default false for the number 3."""
    return Claim(
        id=claim_id,
        title=f"Title {claim_id}",
        statement=rf"n = 2 \quad ({claim_id})",
        source="no paper",
        subject=lambda: 2,
        evidence=tuple(Evidence(kind, "by hand", check, covers) for check in checks or (only_two,)),
        mutants=(Mutant("three", lambda _: mutant),),
        depends_on=depends_on,
    )


GOOD = Registry(
    (
        Claim(
            id="T1",
            title="Square of a sum",
            statement=r"(x+1)^2 = x^2 + 2x + 1",
            source="no paper",
            subject=lambda: Square(2),
            evidence=(
                Evidence(Kind.PROOF, "expand", proof),
                Evidence(Kind.PROPERTY, "search", search),
            ),
            mutants=(
                Mutant("middle 3", lambda s: Square(s.middle + 1)),
                Mutant("middle 1", lambda s: Square(s.middle - 1)),
            ),
        ),
        claim("T2", depends_on=("T1",), kind=Kind.CERTIFICATE),
        claim("U1", depends_on=("T2",)),
    ),
    home="tests.proofs_checks.tiny:GOOD",
)

BAD = Registry(
    (
        claim("R1", fails),
        claim("S1", holds),
        claim("D1", only_two, depends_on=("R1",)),
    ),
    home="tests.proofs_checks.tiny:BAD",
)


def crash(*_: object) -> Finding:
    os._exit(3)


def killed(*_: object) -> Finding:
    os.kill(os.getpid(), signal.SIGKILL)
    return holds()


def raise_(*_: object) -> Finding:
    raise ValueError("no such number")


def hang(*_: object) -> Finding:
    time.sleep(60)
    return holds()


def hang_deaf(*_: object) -> Finding:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    return hang()


def hang_in_search(_: int, settings: Settings) -> Finding:
    def margin(x: float) -> float:
        time.sleep(60)
        return x

    return falsify(margin, {"x": st.floats(0, 1)}, settings)


TROUBLE = Registry(
    (
        claim("X1", crash),
        claim("X2", raise_),
        claim("X3", hang),
        claim("X4", hang_in_search),
        claim("X5", hang_deaf),
        claim("X6", killed),
        claim("X7"),
    ),
    home="tests.proofs_checks.tiny:TROUBLE",
)
