"""What can only be seen across policies: one writer per field, one definition per name, groups that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.decide.conditions import LIFECYCLE
from agent.decide.kinds import limits as limits_kind
from agent.decide.kinds.header import Document
from agent.decide.policy import EntityType, FieldRule, FieldsPolicy, LifecyclePolicy, LimitsPolicy, PeoplePolicy, Place
from agent.decide.reading import Reader
from agent.decide.schema_check import written_systems
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import MapNode, Node
from agent.systems import Systems


@dataclass(frozen=True, slots=True)
class Writer:
    """One line that may write a vendor field."""

    policy: str
    line: str
    place: Place
    node: Node
    reader: Reader


Target = tuple[str, str, str]
Documents = Mapping[Place, Document]
"""Documents by where their policy begins."""


def refuse_second_names(documents: Sequence[Document]) -> None:
    """Policy names are unique over all files."""
    first: dict[str, Document] = {}
    for document in documents:
        if not document.name:
            continue
        earlier = first.setdefault(document.name, document)
        if earlier is not document:
            document.reader.error(
                document.key("policy"),
                f"there are two policies called `{document.name}`, the other at {earlier.place}",
                "Rename one of them.",
            )


def refuse_second_of_kind(documents: Sequence[Document], kind: str) -> None:
    """Limits and people exist once."""
    same = [document for document in documents if document.kind == kind]
    for document in same[1:]:
        document.reader.error(
            document.key("kind"),
            f"there can be only one policy of kind {kind}, the other is at {same[0].place}",
            "Move its lines there.",
        )


def refuse_shared_records(documents: Documents, entity_types: Iterable[EntityType], systems: Systems) -> None:
    """A record is one thing: it has one entity, and so one counterpart."""
    first: dict[tuple[str, str], EntityType] = {}
    for entity_type in sorted(entity_types, key=lambda entity_type: entity_type.place):
        for system, object_types in entity_type.records.items():
            for object_type in object_types:
                earlier = first.setdefault((system, object_type), entity_type)
                if earlier is not entity_type:
                    document = documents[entity_type.place]
                    document.reader.error(
                        document.key("records"),
                        f"{object_type} of {systems[system].name} is a {earlier.name} already ({earlier.place})",
                        "A record is one thing, with one counterpart. Name other object types here.",
                    )


def refuse_second_lifecycle(documents: Documents, policies: Sequence[LifecyclePolicy]) -> None:
    first: dict[str, LifecyclePolicy] = {}
    for policy in policies:
        earlier = first.setdefault(policy.about, policy)
        if earlier is not policy:
            document = documents[policy.header.place]
            document.reader.error(
                document.key("about"),
                f"`{policy.about}` has two lifecycles, the other at {earlier.header.place}",
                "Keep one.",
            )


def refuse_second_lines(documents: Documents, policies: Sequence[FieldsPolicy], with_lifecycle: Iterable[str]) -> None:
    """A left-hand name is defined once per entity type; ``lifecycle`` belongs to the lifecycle policy."""
    first: dict[tuple[str, str], FieldRule] = {}
    reserved = {(about, name) for about in with_lifecycle for name in (LIFECYCLE, "stage")}
    for policy in policies:
        document = documents[policy.header.place]
        for rule in policy.rules:
            node = _line_key(document, rule.name)
            earlier = first.setdefault((policy.about, rule.name), rule)
            if earlier is not rule:
                document.reader.error(
                    node, f"`{rule.name}` is defined twice, first at {earlier.place}", "Remove or rename one of them."
                )
            if (policy.about, rule.name) in reserved:
                document.reader.error(
                    node,
                    f"`{rule.name}` is the name of the lifecycle of {policy.about}",
                    "Choose another name for this line.",
                )


def check_order(documents: Sequence[Document], after: Mapping[str, tuple[str, ...]], *, is_complete: bool) -> None:
    """``after`` names policies that exist, and never leads back to where it began."""
    names = [document.name for document in documents]
    for document in documents:
        for word in document.words("after") if is_complete else ():
            if word.text.strip() not in names:
                advice = did_you_mean(word.text, sorted(names), label="Policies")
                document.reader.error(word, f"there is no policy `{word.text}`", advice)
        circle = _circle(document.name, after)
        if circle and document.name == min(circle):
            shown = " after ".join([*circle, circle[0]])
            document.reader.error(
                document.key("after"), f"these policies wait for each other: {shown}", "Remove one `after`."
            )


def refuse_second_writers(
    documents: Documents,
    fields: Sequence[FieldsPolicy],
    lifecycles: Sequence[LifecyclePolicy],
    after: Mapping[str, tuple[str, ...]],
    systems: Systems,
) -> None:
    """Two lines that may write one vendor field need an order, or they would undo each other for ever."""
    writers: dict[Target, Writer] = {}
    reported: set[tuple[str, str]] = set()
    for target, writer in _writers(documents, fields, lifecycles):
        earlier = writers.setdefault(target, writer)
        pair = (str(earlier.place), str(writer.place))
        if earlier is writer or pair in reported:
            continue
        if _comes_after(writer.policy, earlier.policy, after) or _comes_after(earlier.policy, writer.policy, after):
            continue
        reported.add(pair)
        system, object_type, field = target
        advice = "Remove one of the two lines."
        if writer.policy != earlier.policy:
            advice = f"Remove one of the two lines, or say here who goes first: `after: {earlier.policy}`."
        writer.reader.error(
            writer.node,
            f"`{field}` of {systems[system].name} {object_type} is written by two lines: "
            f"`{earlier.line}` ({earlier.place}) and `{writer.line}` ({writer.place})",
            advice,
        )


def check_links(documents: Documents, policies: Sequence[FieldsPolicy], defined: Iterable[str]) -> None:
    """``links_to`` names a thing that some policy defines."""
    known = sorted(defined)
    for policy in policies:
        document = documents[policy.header.place]
        for rule in policy.rules:
            if rule.links_to is not None and rule.links_to not in known:
                node = _line_key(document, rule.name)
                message = f"no policy defines `{rule.links_to}`, which `{rule.name}` links to"
                document.reader.error(node, message, did_you_mean(rule.links_to, known, label="Defined"))


def check_currencies(documents: Documents, policies: Sequence[FieldsPolicy]) -> None:
    """``money by LINE`` names a line of the same thing that stands in both systems and holds a currency."""
    for policy in policies:
        lines = {rule.name: rule for other in policies if other.about == policy.about for rule in other.rules}
        document = documents[policy.header.place]
        for rule in policy.rules:
            name = rule.clean.currency_line
            if name is None:
                continue
            node, currency = _line_key(document, rule.name), lines.get(name)
            if currency is None or currency is rule:
                options = [other for other in lines if other != rule.name]
                message = f"`clean: {rule.clean}`: there is no line `{name}` about {policy.about}"
                document.reader.error(node, message, did_you_mean(name, options, label="Lines"))
            elif len(currency.where) < len(rule.where):
                document.reader.error(
                    node,
                    f"`{name}` is in one system only, so nobody knows what `{rule.name}` is worth in the other",
                    "Name its field in both, or write one currency: `clean: money USD`.",
                )


def check_made_of(documents: Documents, policies: Sequence[FieldsPolicy]) -> None:
    """The parts of a line are other lines of the same thing, that hold a plain value of their own."""
    for policy in policies:
        lines = {rule.name: rule for other in policies if other.about == policy.about for rule in other.rules}
        document = documents[policy.header.place]
        for rule in policy.rules:
            for name in rule.made_of:
                node, part = _line_key(document, rule.name), lines.get(name)
                if part is None or part is rule:
                    options = [other for other in lines if other != rule.name]
                    message = f"`{rule.name}` is made of `{name}`, but there is no such line about {policy.about}"
                    document.reader.error(node, message, did_you_mean(name, options, label="Lines"))
                elif part.made_of or part.is_owner or part.wins == "opt-out":
                    what = "made of others itself" if part.made_of else "an owner" if part.is_owner else "a consent"
                    message = f"`{rule.name}` is made of `{name}`, which is {what}"
                    document.reader.error(node, message, "Name lines that hold a value of their own.")


def check_groups(
    limits: LimitsPolicy | None,
    people: PeoplePolicy | None,
    lifecycles: Sequence[LifecyclePolicy],
    documents: Documents,
) -> None:
    """Whoever must approve exists, and there are enough of them."""
    groups = people.groups if people is not None else {}
    if limits is not None:
        document = documents[limits.header.place]
        for word in limits_kind.groups_named(document):
            _require_group(document, word, word.text.strip(), groups)
        for what, (count, origins) in limits.approve.items():
            known = {person for origin in origins for person in groups.get(origin, (origin,))}
            if len(known) < count and all("@" in person for person in known):
                document.reader.error(
                    document.key("approve"),
                    f"`{what}` asks for {count} people, but {' and '.join(origins)} has only {len(known)}",
                    "Ask for fewer, or add people to the group.",
                )
    for policy in lifecycles:
        document = documents[policy.header.place]
        back = document.find("back")
        node = back.find("approve") if isinstance(back, MapNode) else None
        if node is not None and policy.back_approve is not None:
            _require_group(document, node, policy.back_approve, groups)


def _require_group(document: Document, node: Node, name: str, groups: Mapping[str, tuple[str, ...]]) -> None:
    if "@" in name or name in groups:
        return
    advice = did_you_mean(name, groups, label="Groups") or "Add it to `groups` in a policy of kind people."
    document.reader.error(node, f"there is no group `{name}`", advice)


def _writers(
    documents: Documents, fields: Sequence[FieldsPolicy], lifecycles: Sequence[LifecyclePolicy]
) -> Iterator[tuple[Target, Writer]]:
    for policy in fields:
        document = documents[policy.header.place]
        for rule in policy.rules:
            writer = Writer(policy.header.name, rule.name, rule.place, _line_key(document, rule.name), document.reader)
            for system in written_systems(rule):
                for object_type, field in rule.where.get(system, {}).items():
                    yield (system, object_type, field), writer
    for lifecycle in lifecycles:
        document = documents[lifecycle.header.place]
        node = document.key("stages")
        writer = Writer(lifecycle.header.name, LIFECYCLE, document.reader.place(node), node, document.reader)
        for by_system in lifecycle.where.values():
            for system, by_type in by_system.items():
                for object_type, field in by_type.items():
                    yield (system, object_type, field), writer


def _line_key(document: Document, name: str) -> Node:
    fields = document.find("fields")
    return (fields.key(name) if isinstance(fields, MapNode) else None) or document.node


def _comes_after(later: str, earlier: str, after: Mapping[str, tuple[str, ...]]) -> bool:
    seen: set[str] = set()
    waiting = list(after.get(later, ()))
    while waiting:
        name = waiting.pop()
        if name == earlier:
            return True
        if name not in seen:
            seen.add(name)
            waiting += after.get(name, ())
    return False


def _circle(start: str, after: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The names of a circle through ``start``, in order, or nothing."""
    paths = [[start]]
    seen = {start}
    while paths:
        path = paths.pop()
        for name in after.get(path[-1], ()):
            if name == start:
                return path
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []
