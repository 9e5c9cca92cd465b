"""reports/etf-theorem.md: the ETF theorem for a reader, with titles and verdicts of a run."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from proofs_checks.ledger import Kind, Outcome
from proofs_checks.runner import ClaimResult, Run

NAME = "etf-theorem.md"

PART_A = ("A1", "A2", "A3a", "V1", "A3b", "A4i", "A4ii", "A4iii", "V2", "A4")
THEOREM = ("E4", "E4s", "E4u", "E4d", "E4v", "E4n", "E4k")
PART_B = ("E1", "B1", "B2", "B2k", "E5", "B3", "B4", "E5b", "E5n")
IDS = (*PART_A, *THEOREM, *PART_B)

_HANDS: Mapping[Kind, str] = {
    Kind.PROOF: "SymPy",
    Kind.CERTIFICATE: "balls",
    Kind.PRECISION: "high precision",
    Kind.PROPERTY: "search",
    Kind.STATISTICS: "statistics",
}

_OPENING = """# The ETF theorem

The abstract of the paper conjectures, for ReLU, that the best compressed network has its weights on
an equiangular tight frame. In this project's reconstruction that is a statement about one function,
and this page proves it for every target when the outer weights are not negative, and for small β
when they may have any sign. **Nobody outside this project has refereed the proof.** It speaks of
the reconstruction alone: only the abstract of the paper is at hand. Titles, statements and verdicts
below are those of a run of `symcomp verify`, which writes this page; each id leads to the ledger,
where its evidence and the false variants it refutes are listed.

## What is to be proved

A target of mean direction v and strength β in [0, 1] is compressed into M neurons with unit
directions u_j, heights s_j = <v, u_j>, cosines ρ_ij and weights c_j. With the ReLU kernel h,

    F/τ² = h(β²) - 2 Σ c_j h(βs_j) + ΣΣ c_i c_j h(ρ_ij).

At the best scale of c that is h(β²) less the ratio (Σ c h(βs))²/ΣΣ c c h(ρ), so the ratio has to be
bounded. On the *equiangular cone*, M equal weights at one height s and with all cosines
t(s) = (Ms² - 1)/(M - 1), it is h(βs)²/E(s) with E(s) = h(1)/M + (1 - 1/M) h(t(s)); J* is the
greatest value of that over s. For d >= M such a cone exists. The theorem: no ratio is above J*.
"""

_PROOF = """
## Why it is true

![Networks and the cone at their barycentric heights](etf-theorem.svg)

*Each point is a random network of three neurons with positive weights, at its barycentric height
and with its ratio. The curve is the cone at that height; no point is above it. In the grey part the
proof does not show that, and does not need to: there one neuron at v is already better (broken
line).*

1. Write h(βs_j) with the angle ψ_j = π - arccos βs_j. The numerator is a combination of sin ψ and
   ψ cos ψ, and a network has a *barycentric* angle that gives both sums at once, hence a height s̄
   between its heights: the numerator is exactly that of one height ([A2](ledger.md#a2)).
2. The denominator is bounded from below by tangents to h, one for each pair, whose slopes g²ψ_iψ_j
   are chosen so that the linear terms make up the square of one vector ([A1](ledger.md#a1)).
3. What remains are sums of sin(g²ψ_iψ_j) and of the losses on the diagonal. Jensen's inequality in
   the same pair of sums moves both to the barycentre ([A3a](ledger.md#a3a), [A3b](ledger.md#a3b),
   the latter by the inequality in one variable [V1](ledger.md#v1)). With the best g the bound is
   the cone's own value at s̄.
4. The best g is too large when s̄ is low. Then the greatest g allowed still shows that the network
   is worse than one neuron at v ([A4](ledger.md#a4)): by hand near the edges ([A4i](ledger.md#a4i),
   [A4ii](ledger.md#a4ii), [A4iii](ledger.md#a4iii)), by balls between ([V2](ledger.md#v2)).
5. So the ratio is at most J* ([E4](ledger.md#e4)). The best height is unique
   ([E4s](ledger.md#e4s)), and so is the minimiser, up to maps that fix v ([E4u](ledger.md#e4u)).

## Weights of any sign

1. At β = 0 the number of positive weights takes the place of the rank: c'(Q∘Q)c >= q²/n
   ([B1](ledger.md#b1)). A negative or zero weight leaves n <= M - 1, and order by order in the
   series of h the energy is then above the simplex's ([B2](ledger.md#b2), [E5](ledger.md#e5)).
2. At β > 0 the same argument bounds what weights with n positive ones can reach by UB_n
   ([B3](ledger.md#b3)). For n <= M - 1 that is below the cone's value.
3. All weights positive: outside an interval of Σc the same bound for n = M decides. Inside, h is
   compared with quadratics that touch it on the cone of the height s with g(s) = Σc
   ([B4](ledger.md#b4)). Where the comparison costs something, it costs less than what that cone
   loses against the best one, for β up to β1(M) ([E5b](ledger.md#e5b)).
4. Beyond β1(M) the statement is a conjecture, with numerical attacks that do not break it
   ([E5n](ledger.md#e5n)). The comparison with quadratics cannot prove it there: it fails at the
   best cone itself.
"""

_FOUND = """
## What the referee found

Each point was mended where it stands; none breaks a theorem.

* **A2, the ends.** It is stated for angles below b, and used at b. Continuity gives it there, as b
  lies below π.
* **A3, Redheffer.** That inequality is not needed: balls decide the consequence drawn from it.
* **A4, the fourth region.** At s = 1 badness and V2 are both exact equalities, so that no box about
  it is of the three kinds that were named; a fourth, s >= β with A4i, is needed.
* **E4, the choice of y.** For M = 2 and s̄ = 0 the best y is 0, which the proof leaves out. The
  limit y → 0 takes its place.
* **E4, the ends of β.** 0 and 1 are reached by continuity of both sides. Neurons of weight 0 have
  to be left out first; then M is at most what it was, and J* with it.
* **B2, other kernels.** "The same for every kernel with nonnegative coefficients" is false: for r²
  and M = 2 two orthogonal vectors have less energy than the simplex. E1 needs the kernel to
  increase from -1/(M - 1) on; with that condition it is true ([B2k](ledger.md#b2k)).
* **B2, M = 2.** There the two bounds are equal, so that the equality case needs the linear term:
  with one positive weight |Σ c u| >= 1.
* **B3, one positive weight.** The bound by h(β)²/h(1), on which M = 2 rests, does not follow from
  the bound L_1, which is larger. It follows from |w - βv| >= Σc - β when Σc >= β, and from the
  monotonicity of L_1 below.
* **B4, the diagonal.** The quadratic is below h on the diagonal too, but by more than nothing; the
  proof is sharp only if that difference is kept, with Σc² >= (Σc)²/M.
* **B4, the cross term.** That the divided difference is convex bounds it by its values at both ends
  x = ±1, not at x = 1; what is needed is that h'' is even and grows with |x|.
* **B4 goes farther than stated.** Where (C) fails, the second eigenvalue has a price, and it is
  less than the slack away from the best height. β1(48) is 0.342 where β0(48) was 0.193, and the
  certificate has all M from 2 to 16, and 20, 24, 32, 48 and 64.

## What it means for the paper

For one mean-field target and nonnegative outer weights the conjecture of the abstract holds in this
reconstruction: the directions are those of a simplex, tilted towards v by an amount that depends on
β and M alone, and at β = 0 they are the simplex ETF itself. For d < M no such cone exists; the
bound remains true, and is not attained.
"""


def page(run: Run) -> str:
    """The page as Markdown; the run must contain every claim of ``IDS``."""
    results = {result.claim.id: result for result in run.results}
    lines = [_OPENING, _PROOF, "\n## The steps\n", *_table(results), _FOUND, "\n## Statements\n"]
    lines += [statement(results[i]) for i in IDS]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def files(run: Run, folder: Path) -> dict[Path, str]:
    """The page at its path; nothing if the run lacks a claim of the page."""
    known = {result.claim.id for result in run.results}
    return {folder / NAME: page(run)} if known >= set(IDS) else {}


def heading(result: ClaimResult) -> str:
    """A claim's id and title, as it stands in the table."""
    return f"| [{result.claim.id}](ledger.md#{result.claim.id.lower()}) | {result.claim.title} |"


def statement(result: ClaimResult) -> str:
    """A claim's statement."""
    return f"**{result.claim.id}.** ${result.claim.statement}$\n"


def _table(results: Mapping[str, ClaimResult]) -> Iterator[str]:
    yield "| id | what it says | verdict | decided by | also |"
    yield "| --- | --- | --- | --- | --- |"
    for claim_id in IDS:
        result = results[claim_id]
        held = [e for e in result.evidence if e.finding.outcome is Outcome.HOLDS]
        first = dict.fromkeys(_HANDS[e.kind] for e in held if not e.covers)
        also = dict.fromkeys(_HANDS[e.kind] for e in held if e.covers)
        decided = [hand for hand in first if hand in ("SymPy", "balls")] or ["nothing"]
        rest = [hand for hand in (*first, *also) if hand not in decided]
        cells = (str(result.verdict), ", ".join(decided), ", ".join(dict.fromkeys(rest)))
        yield f"{heading(result)} {' | '.join(cells)} |"
    yield ""
    yield (
        "SymPy decides the identities and signs of a step; the sentences that join them are in the "
        "docstring of its check, and those are by hand. Balls decide an inequality on a whole "
        "domain. A verdict is never stronger than those of the steps below it."
    )
