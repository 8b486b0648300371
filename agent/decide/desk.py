"""The desk one entity is decided on: what is known of it, and what has been decided so far."""

from __future__ import annotations

from collections.abc import Mapping

from agent.changes import Cell, Change, Decision, ReviewRequest, TraceStep
from agent.decide.conditions import Condition, Explanation, explain
from agent.decide.currency import currencies_of
from agent.decide.known import Records, ValuesBefore, ValuesNow
from agent.decide.links import LinkCodec
from agent.decide.owners import OwnerCodec
from agent.decide.policy import FieldRule, Header
from agent.decide.prepared import FieldPlan, PairPlan, Prepared
from agent.decide.values import Codec
from agent.decide.view import Frozen, View
from agent.records import FieldValue, Record


class Desk:
    """One entity while it is decided. Steps add to it; ``decision`` is what they came to.

    ``is_closed``: nothing further is decided. ``is_gated``: a suspected duplicate, so no stage and no create.
    """

    __slots__ = (
        "_cells",
        "_decided_from",
        "_grouped",
        "_previous",
        "_values",
        "adopt",
        "is_closed",
        "is_gated",
        "plan",
        "prepared",
        "records",
        "reviews",
        "trace",
        "view",
    )

    def __init__(self, view: View, prepared: Prepared) -> None:
        self.view = view
        self.prepared = prepared
        systems = prepared.systems_of(view.entity_type)
        here, there = view.sides.get(systems[0]), view.sides.get(systems[1])
        self.records: Records = (here, there)
        self.plan: PairPlan = prepared.pair(
            view.entity_type,
            here.ref.object_type if here is not None else None,
            there.ref.object_type if there is not None else None,
        )
        self.trace: list[TraceStep] = []
        self.adopt: dict[str, Mapping[str, FieldValue]] = {}
        self.reviews: list[ReviewRequest] = []
        self.is_closed = False
        self.is_gated = False
        self._cells: dict[str, list[Cell]] = {}
        self._decided_from: dict[str, dict[str, FieldValue]] = {}
        self._grouped: list[Change] = []
        self._values: ValuesNow | None = None
        self._previous: ValuesBefore | None = None

    def rule(self, plan: FieldPlan) -> FieldRule:
        """The line as it is for this entity: the first case that holds, else what it says otherwise."""
        for condition, rule in plan.cases:
            if self._met(condition).holds:
                return rule
        return plan.rule

    def left_out(self, header: Header) -> tuple[str, str] | None:
        """(disposition, sentence) where a policy has nothing to do with this entity: suspended, excepted, or not
        selected."""
        suspended = self.suspended(header.name) if self.prepared.suspended else None
        if suspended is not None:
            return "skipped", f"suspended: {suspended}"
        if header.unless is not None and self._met(header.unless).holds:
            return "skipped", f"{header.name} does not apply: its “unless” holds"
        selected = self._met(header.only_when) if header.only_when is not None else None
        if selected is not None and not selected.holds:
            return "not selected", f"not in the selection of {header.name}: {selected.sentence}"
        return None

    def suspended(self, policy: str, line: str = "") -> str | None:
        """Why a policy, or one line of it, is out of force."""
        return self.prepared.suspended.get((policy, line))

    def _met(self, condition: Condition) -> Explanation:
        return explain(condition, self.values, self.view.now, self.previous)

    def translator(self, plan: FieldPlan) -> Codec | OwnerCodec | LinkCodec:
        """Owners and other records are known per view, some money per record, all other values per rule."""
        if plan.rule.is_owner:
            return OwnerCodec(self.view.owners, plan.rule.owner_otherwise)
        if plan.rule.links_to is not None:
            return LinkCodec(self.view.links, plan.rule.links_to)
        currencies = currencies_of(plan, self.plan, self.records)
        return (
            plan.codec if currencies is None else Codec(plan.rule.in_currency(currencies.only), self.prepared.systems)
        )

    @property
    def values(self) -> ValuesNow:
        """Canonical values by policy name, for conditions. What was not visible is missing."""
        if self._values is None:
            self._values = ValuesNow(self.plan, self.records, self.view)
        return self._values

    @property
    def previous(self) -> ValuesBefore:
        """The same as they were when last settled; fields never settled are missing."""
        if self._previous is None:
            self._previous = ValuesBefore(self.plan, self.records, self.view)
        return self._previous

    def record(self, system: str) -> Record | None:
        return self.view.sides.get(system)

    def frozen(self, field: str, system: str) -> Frozen | None:
        """A frozen cell is known by field and side, whatever the rule line says today."""
        for cell in self.view.frozen:
            if cell.field == field and cell.system == system:
                return cell
        return None

    def written(self, system: str, field: str) -> Cell | None:
        """The cell by which this decision writes a field of one side, if it does."""
        return next((cell for cell in self._cells.get(system, ()) if cell.field == field), None)

    def say(self, step: TraceStep) -> None:
        self.trace.append(step)

    def ask(self, request: ReviewRequest) -> None:
        self.reviews.append(request)

    def write(self, record: Record, cell: Cell, read: Mapping[str, FieldValue]) -> None:
        """Add one cell to the one change of this record. ``read``: further live values this was decided from."""
        system = record.ref.system
        self._cells.setdefault(system, []).append(cell)
        self._decided_from.setdefault(system, {}).update({cell.vendor_field: cell.before, **read})

    def write_apart(self, change: Change) -> None:
        """A change of its own: a create, or writes that keep their order."""
        self._grouped.append(change)

    def decision(self) -> Decision:
        changes = [
            Change(
                "update",
                self.view.entity_id,
                record.ref.system,
                record.ref.object_type,
                record.ref.id,
                tuple(self._cells[record.ref.system]),
                decided_from=self._decided_from[record.ref.system],
            )
            for record in self.records
            if record is not None and record.ref.system in self._cells
        ]
        return Decision(
            self.view.entity_id,
            (*changes, *self._grouped),
            self.adopt,
            tuple(self.reviews),
            tuple(self.trace),
        )
