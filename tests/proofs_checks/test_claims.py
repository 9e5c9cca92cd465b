"""Every claim of the ledger: its evidence holds, and each of its mutants falls to that evidence.

The run is that of `symcomp verify` with its default settings. What that command has just found,
of these very sources and versions, is in its cache and is not computed twice; the rest runs here.
"""

import os

import pytest

from proofs_checks import REGISTRY, homes
from proofs_checks.cache import Cache, default_folder, fingerprint
from proofs_checks.ledger import Outcome, Settings, Verdict
from proofs_checks.runner import run

FOLDER = default_folder()  # the user's; inside a test it would be the test's own
EVIDENCE = [(c.id, i, e.kind) for c in REGISTRY.claims for i, e in enumerate(c.evidence)]
MUTANTS = [(c.id, i, m.name) for c in REGISTRY.claims for i, m in enumerate(c.mutants)]


@pytest.fixture(scope="module")
def results():
    sources = fingerprint(homes.source(REGISTRY.home))
    done = run(REGISTRY, jobs=os.cpu_count() or 1, cache=Cache(FOLDER, sources, Settings()))
    return {result.claim.id: result for result in done.results}


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "i", "kind"), EVIDENCE, ids=[f"{c}-{k}" for c, _, k in EVIDENCE])
def test_evidence_holds(results, claim, i, kind):
    evidence = results[claim].evidence[i]
    finding = evidence.finding
    assert evidence.kind is kind
    assert finding.outcome is Outcome.HOLDS, f"{finding.figure}: {finding.counterexample}"
    assert finding.decided > 0


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "i", "name"), MUTANTS, ids=[f"{c}-{m}" for c, _, m in MUTANTS])
def test_mutant_falls(results, claim, i, name):
    mutant = results[claim].mutants[i]
    assert mutant.name == name
    assert mutant.refuted, mutant.counterexample


@pytest.mark.slow
def test_no_claim_is_left_open(results):
    assert tuple(results) == REGISTRY.ids
    weak = (Verdict.REFUTED, Verdict.UNDECIDED)
    assert not [i for i, result in results.items() if result.verdict in weak]
