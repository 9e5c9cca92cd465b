"""Where a registry lives: in a module ("module:NAME"), or in a user's own file of claims."""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb

import proofs_checks
from proofs_checks.ledger import Claim, Registry
from symcomp.errors import ArgumentError


def find(home: str) -> Registry:
    """The registry at home, "module:NAME" or the path of a file of claims."""
    if home.endswith(".py"):
        return load(Path(home))
    module, name = home.split(":")
    registry: Registry = getattr(import_module(module), name)
    return registry


def source(home: str) -> Path:
    """The file that holds the claims of home."""
    if home.endswith(".py"):
        return Path(home)
    return Path(str(import_module(home.split(":")[0]).__file__))


def load(path: Path) -> Registry:
    """The built-in claims and those of ``CLAIMS`` in a file, which may depend on the former.

    The file is a Python program and is run. Raises ``ArgumentError`` for a file that does not run
    or has no ``CLAIMS``, ``SymcompError`` for claims that are inconsistent (see ``Registry``).
    """
    path = path.resolve()
    own = own_claims(path)
    return Registry((*proofs_checks.REGISTRY.claims, *own), home=str(path))


def own_claims(path: Path) -> tuple[Claim[object], ...]:
    """``CLAIMS`` of the file alone; errors as for ``load``."""
    if not path.is_file():
        raise ArgumentError(f"file of claims: {path} is no file")
    spec = spec_from_file_location(f"claims_of_{path.stem}", path)
    assert spec is not None  # the name ends in .py
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        line = next((f.lineno for f in reversed(extract_tb(error.__traceback__))), None)
        where = getattr(error, "lineno", None) or line
        what = f"{type(error).__name__}: {error}"
        raise ArgumentError(f"{path.name}, line {where}: {what}") from error
    claims = tuple(getattr(module, "CLAIMS", ()))
    if not claims or not all(isinstance(claim, Claim) for claim in claims):
        raise ArgumentError(f"{path.name}: expected CLAIMS, a nonempty tuple of Claim")
    return claims
