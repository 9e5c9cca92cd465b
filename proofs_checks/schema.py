"""The JSON Schema (draft 2020-12) of ledger.json, written beside it as ledger.schema.json."""

from typing import Any

from proofs_checks.ledger import Kind, Outcome, Verdict


def _text(description: str, *values: str) -> dict[str, Any]:
    allowed = {"enum": list(values)} if values else {}
    return {"type": "string", "description": description} | allowed


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


def _true(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


def _list(items: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "array", "items": items, "description": description}


def _object(description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_EVIDENCE = _object(
    "one check of the claim",
    kind=_text("strongest first", *(kind.value for kind in Kind)),
    outcome=_text("what it found", *(outcome.value for outcome in Outcome)),
    method=_text("how it looked"),
    figure=_text("what it found, in numbers"),
    covers=_text("the part of the statement it is about; empty: the whole"),
    tried=_count("points tried"),
    met=_count("points that met the assumptions"),
    decided=_count("points decided; never 0 where it holds"),
    counterexample=_text("a point against the claim, where it fails"),
    steps=_list(_text("one line"), "a proof line by line, or notes"),
)
_MUTANT = _object(
    "a false variant of the claim",
    name=_text("what was changed"),
    refuted=_true("whether some evidence fails on it; if not the claim falls"),
    by=_text("the kind of evidence that refuted it; empty if none", "", *(k.value for k in Kind)),
    counterexample=_text("the point that refuted it, or why it survives"),
)
_CLAIM = _object(
    "one claim",
    id=_text("permanent"),
    title=_text("a few words"),
    statement=_text("LaTeX"),
    source=_text("where it is from"),
    depends_on=_list(_text("an id"), "what it rests on"),
    verdict=_text("no stronger than the weakest dependency's", *(v.value for v in Verdict)),
    verdict_by_itself=_text("from its own evidence", *(v.value for v in Verdict)),
    selected=_true("false: ran only as a dependency, without mutants"),
    evidence=_list(_EVIDENCE, "its checks"),
    mutants=_list(_MUTANT, "its false variants"),
)
_VERSIONS = {
    "type": "object",
    "description": "of Python and of the libraries",
    "additionalProperties": {"type": "string"},
}
LEDGER: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "ledger.json of symcomp verify",
} | _object(
    "claims with their evidence, and what reproduces the run",
    claims=_list(_CLAIM, "in the registry's order"),
    versions=_VERSIONS,
    seed=_count("of every random draw"),
    examples=_count("Hypothesis examples a search"),
    digits=_count("decimal digits of high precision"),
    seconds={"type": "number", "minimum": 0, "description": "wall clock"},
)
