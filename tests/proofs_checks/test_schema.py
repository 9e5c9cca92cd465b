"""ledger.json keeps to its documented schema, and the schema refuses what does not."""

import copy
import json
from typing import Any

import pytest

from proofs_checks import report
from proofs_checks.ledger import Settings
from proofs_checks.runner import run
from proofs_checks.schema import LEDGER
from tests.proofs_checks.tiny import BAD, GOOD

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def faults(value: Any, schema: dict[str, Any], where: str = "ledger") -> list[str]:
    """What of the schema's words used here the value breaks."""
    wanted = TYPES[schema["type"]]
    if not isinstance(value, wanted) or (isinstance(value, bool) and schema["type"] != "boolean"):
        return [f"{where}: {value!r} is no {schema['type']}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{where}: {value} is below {schema['minimum']}")
    if isinstance(value, list):
        for i, item in enumerate(value):
            found += faults(item, schema["items"], f"{where}[{i}]")
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema["additionalProperties"]
        found += [f"{where}: no {key}" for key in schema.get("required", ()) if key not in value]
        for key, item in value.items():
            if key not in known and others is False:
                found.append(f"{where}: {key} is unknown")
            else:
                found += faults(item, known.get(key, others), f"{where}.{key}")
    return found


def ledger() -> dict[str, Any]:
    return json.loads(report.as_json(run(GOOD, settings=Settings(examples=5))))


def test_the_ledger_keeps_to_its_schema() -> None:
    assert faults(ledger(), LEDGER) == []
    assert faults(json.loads(report.as_json(run(BAD))), LEDGER) == []
    assert faults(json.loads(report.as_json(run(GOOD, "U1"))), LEDGER) == []


def test_the_schema_is_json_and_every_word_is_explained() -> None:
    assert json.loads(json.dumps(LEDGER)) == LEDGER

    def unexplained(schema: dict[str, Any]) -> list[dict[str, Any]]:
        inner = [*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]
        mine = [] if schema.get("description") else [schema]
        return mine + [bad for part in inner for bad in unexplained(part)]

    assert unexplained(LEDGER) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("claims", 0, "verdict"), "certain"),
        (("claims", 0, "evidence", 0, "outcome"), "passed"),
        (("claims", 0, "evidence", 0, "tried"), -1),
        (("claims", 0, "mutants", 0, "refuted"), 1),
        (("claims", 0, "extra"), ""),
        (("seed",), True),
        (("versions", "sympy"), 1),
    ],
)
def test_the_schema_refuses(path: tuple, value: object) -> None:
    broken = copy.deepcopy(ledger())
    place = broken
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert len(faults(broken, LEDGER)) == 1


def test_the_schema_misses_nothing() -> None:
    broken = ledger()
    del broken["claims"][0]["statement"]
    assert faults(broken, LEDGER) == ["ledger.claims[0]: no statement"]
