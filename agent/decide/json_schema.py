"""The JSON Schema of a policy document, for editors that complete and check while one types.

Made from the same shapes that the reader reports by. It is looser than ``truce check``: names, conditions and
everything across policies are only known there.
"""

from __future__ import annotations

from agent.decide.parse import shapes
from agent.systems import Systems

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_CONDITION = {
    "description": "one condition (`score >= 60`), a list of which all must hold, or `any:` and `not:`",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}},
        {
            "type": "object",
            "minProperties": 1,
            "properties": {
                "any": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}},
                "all": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}},
                "not": {"$ref": "#/$defs/condition"},
            },
            "patternProperties": {
                r" is( not)? one of$": {"type": "array", "minItems": 1, "items": {"type": ["string", "number"]}}
            },
            "additionalProperties": False,
        },
    ],
}


def policy_json_schema(systems: Systems) -> dict[str, object]:
    """The schema of one document between two ``---`` lines, about these systems."""
    known = shapes(systems)
    return {
        "$schema": DIALECT,
        "title": "Truce policy",
        "type": "object",
        "required": ["policy", "kind"],
        "properties": {"kind": {"enum": list(known)}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": shape.schema(),
            }
            for kind, shape in known.items()
        ],
        "$defs": {"condition": _CONDITION},
    }
