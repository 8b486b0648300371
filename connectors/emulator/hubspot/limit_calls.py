"""How near the account is to the limits of its subscription: ``schema/limits.json`` has them.

Percentages are of a hundred. Near a limit is from 80 % [U].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.association_types import USER_DEFINED, directions
from connectors.emulator.hubspot.call import Call
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.refusals import load, not_found
from connectors.emulator.hubspot.replies import reply

Document = dict[str, Any]
NEAR = 0.8
SAMPLES = 10


def records(call: Call) -> Response:
    limits, kinds = load("limits"), call.portal.kinds.values()
    shipped = [_against(kind, _live(call, kind), limits["records"][kind.name]) for kind in kinds if not kind.is_custom]
    custom = _together([(kind, _live(call, kind)) for kind in kinds if kind.is_custom], limits["custom_records"])
    return reply({"hubspotDefinedObjectTypes": shipped, "customObjectTypes": custom})


def custom_properties(call: Call) -> Response:
    limit = load("limits")["custom_properties"]
    counts = {kind: _own_properties(call, kind) for kind in call.portal.kinds.values()}
    whole = limit * len(counts)
    by_type = [_against(kind, count, limit) for kind, count in counts.items()]
    return reply({"byObjectType": by_type, **_overall(sum(counts.values()), whole)})


def calculated_properties(call: Call) -> Response:
    """Nobody makes any here."""
    return reply(_together([], load("limits")["calculated_properties"]))


def pipelines(call: Call) -> Response:
    """The lifecycle of contacts and companies counts for nothing."""
    limit, kinds = load("limits")["pipelines"], call.portal.kinds.values()
    made: dict[str, Any] = call.portal.space.settings["pipelines"]
    counts = {kind: len(made.get(kind.name, ())) for kind in kinds if not kind.has_lifecycle}
    shipped = [_against(kind, counts[kind], limit) for kind in counts if kind.pipeline is not None]
    custom = _together([(kind, counts[kind]) for kind in counts if kind.is_custom], limit)
    return reply({"hubspotDefinedObjectTypes": shipped, "customObjectTypes": custom})


def custom_object_types(call: Call) -> Response:
    count, limit = sum(kind.is_custom for kind in call.portal.kinds.values()), load("limits")["custom_object_types"]
    return reply({"limit": limit, "usage": count, "percentage": _percentage(count, limit)})


def association_labels(call: Call) -> Response:
    """Of every pair of types that has some, or of the pair asked for."""
    limit = load("limits")["association_labels"]
    wanted = [call.portal.kind(asked).name if (asked := call.one(name)) else None for name in _ENDS]
    results = []
    for pair, direction in directions(call.portal).items():
        own = [one.name for one in direction.types.values() if one.category == USER_DEFINED]
        if own and all(name in (None, one) for name, one in zip(wanted, pair, strict=True)):
            here, there = (_described(call.portal.kinds[name]) for name in pair)
            usage = {"limit": limit, "usage": len(own), "percentage": _percentage(len(own), limit)}
            results.append({"fromObjectType": here, "toObjectType": there, "allLabels": own, **usage})
    return reply({"results": results})


def object_types_near(call: Call) -> Response:
    """Types whose records have nearly as many associations as they may."""
    return reply({"results": _near(call, directions(call.portal), 0)})


def far_types_near(call: Call) -> Response:
    kind = _kind(call, "object_type")
    return reply({"results": _near(call, (pair for pair in directions(call.portal) if pair[0] == kind.name), 1)})


def records_near(call: Call) -> Response:
    """The records of one type that have nearly as many of another as they may. Raises Refusal: 404."""
    pair = _kind(call, "object_type").name, _kind(call, "to_type").name
    if pair not in directions(call.portal):
        raise not_found()
    limit = load("limits")["associated_records"]
    near = [(record_id, count) for record_id, count in _counts(call, pair).items() if count >= NEAR * limit]
    at = [_sample(call, pair[0], record_id) for record_id, count in near if count >= limit]
    below = [(record_id, count) for record_id, count in near if count < limit]
    samples = [
        {**_sample(call, pair[0], record_id), "usage": count, "percentage": _percentage(count, limit)}
        for record_id, count in below
    ]
    return reply(
        {
            "limit": limit,
            "totalRecordsAtLimit": len(at),
            "totalRecordsNearLimit": len(below),
            "atLimitFromRecordSamples": at[:SAMPLES],
            "nearLimitFromRecordSamples": samples[:SAMPLES],
        }
    )


_ENDS = ("fromObjectTypeId", "toObjectTypeId")


def _kind(call: Call, name: str) -> Kind:
    return call.portal.kind(call.params[name])


def _counts(call: Call, pair: tuple[str, str]) -> Counter[str]:
    """{record id: how many records of the far type}"""
    counts: Counter[str] = Counter()
    for (object_type, record_id), far in call.portal.space.links.items():
        if object_type == pair[0]:
            counts[record_id] += sum(other[0] == pair[1] for other in far)
    return counts


def _near(call: Call, pairs: Iterable[tuple[str, str]], end: int) -> list[Document]:
    limit = load("limits")["associated_records"]
    highest: dict[str, int] = {}
    for pair in pairs:
        most = max(_counts(call, pair).values(), default=0)
        if most >= NEAR * limit:
            highest[pair[end]] = max(most, highest.get(pair[end], 0))
    return [
        {**_described(call.portal.kinds[name]), "hasRecordsAtLimit": most >= limit, "hasRecordsNearLimit": True}
        for name, most in highest.items()
    ]


def _sample(call: Call, object_type: str, record_id: str) -> Document:
    values = call.portal.space.table(object_type)[record_id].values
    names = [str(values[name]) for name in call.portal.kinds[object_type].shown if values.get(name)]
    return {"objectId": int(record_id), "label": " ".join(names) or record_id}


def _live(call: Call, kind: Kind) -> int:
    return sum(not row.deleted for row in call.portal.space.table(kind.name).values())


def _own_properties(call: Call, kind: Kind) -> int:
    definitions = call.portal.schema(kind).definitions.values()
    return sum(not definition.get("hubspotDefined", False) for definition in definitions)


def _described(kind: Kind) -> Document:
    names = {"singularLabel": kind.singular.capitalize(), "pluralLabel": kind.name.capitalize()}
    return {"objectTypeId": kind.type_id, **names}


def _against(kind: Kind, usage: int, limit: int) -> Document:
    return {**_described(kind), "limit": limit, "usage": usage, "percentage": _percentage(usage, limit)}


def _together(counts: list[tuple[Kind, int]], limit: int) -> Document:
    by_type = [{**_described(kind), "usage": count} for kind, count in counts]
    return {"byObjectType": by_type, **_overall(sum(count for _, count in counts), limit)}


def _overall(usage: int, limit: int) -> Document:
    return {"overallLimit": limit, "overallUsage": usage, "overallPercentage": _percentage(usage, limit)}


def _percentage(usage: int, limit: int) -> float:
    return round(100 * usage / limit, 2)
