"""Findings kept from one run to the next, one small file each, written whole and then renamed.

A finding is found again only for the same statement, evidence, mutant and settings, the same
sources of symcomp, of proofs_checks and of the file that holds the claim, and the same versions of
Python and of the libraries. What crashed or ran out of time is never kept.
"""

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from proofs_checks.ledger import Claim, Finding, Outcome, Settings
from proofs_checks.storage import certificate_folder
from symcomp.storage import replace_file

DISTRIBUTIONS = ("symcomp", "hypothesis", "mpmath", "numpy", "python-flint", "scipy", "sympy")


def versions() -> dict[str, str]:
    """Versions of Python and of all that a finding may depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in DISTRIBUTIONS}


def default_folder() -> Path:
    """$SYMCOMP_CACHE, else symcomp in $XDG_CACHE_HOME or ~/.cache."""
    if chosen := os.environ.get("SYMCOMP_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "symcomp"


def fingerprint(*sources: Path) -> str:
    """Hash of the sources of both packages, the certificates, the files given, the versions."""
    digest = sha256(json.dumps(versions(), sort_keys=True).encode())
    certificates = sorted(certificate_folder().glob("*.json"))
    for path in (*_modules("proofs_checks"), *_modules("symcomp"), *certificates, *sources):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _modules(package: str) -> Iterator[Path]:
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        yield from sorted(Path(folder).rglob("*.py"))


@dataclass(frozen=True)
class Cache:
    """Findings of one fingerprint, in the folder of that name inside ``folder``.

    A ``fresh`` cache knows nothing of earlier runs, and writes over what they left.
    """

    folder: Path
    sources: str
    settings: Settings
    fresh: bool = False

    def get(
        self, claim: Claim[Any], mutant: int | None, evidence: int
    ) -> tuple[Finding, float] | None:
        """The finding and its seconds, or None; a damaged file counts as none."""
        if self.fresh:
            return None
        try:
            text = self._path(claim, mutant, evidence).read_text(encoding="utf-8")
            kept = json.loads(text)
            fields = kept["finding"] | {
                "outcome": Outcome(kept["finding"]["outcome"]),
                "steps": tuple(kept["finding"]["steps"]),
            }
            return Finding(**fields), float(kept["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(
        self,
        claim: Claim[Any],
        mutant: int | None,
        evidence: int,
        found: tuple[Finding, float],
    ) -> None:
        """Keep a finding and its seconds."""
        kept = {"finding": asdict(found[0]), "seconds": found[1]}
        text = json.dumps(kept, ensure_ascii=False)
        replace_file(self._path(claim, mutant, evidence), text + "\n")

    def _path(self, claim: Claim[Any], mutant: int | None, evidence: int) -> Path:
        changed = None if mutant is None else (mutant, claim.mutants[mutant].name)
        check = claim.evidence[evidence]
        key = (
            (claim.id, claim.statement, changed),
            (evidence, check.kind, check.method, check.covers),
            asdict(self.settings),
        )
        name = sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
        return self.folder / self.sources[:32] / f"{name}.json"
