"""Money whose currency stands in another line: two currencies are never compared.

Where both sides are in one currency, amounts are compared with its decimals. Where they are not, an amount waits,
unless this very decision writes the currency of the side that is to be written: then the amount goes along with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.changes import Meaning
from agent.decide.known import Records
from agent.decide.policy import FieldRule
from agent.decide.prepared import FieldPlan, PairPlan
from agent.decide.reconcile import Outcome, Wanted
from agent.decide.values import Codec, display
from agent.records import FieldValue

if TYPE_CHECKING:
    from agent.decide.desk import Desk


@dataclass(frozen=True, slots=True)
class Currencies:
    """The currency of each side, in the order of the plan's systems; None where it is blank or not shown."""

    line: str
    here: str | None
    there: str | None

    @property
    def agreed(self) -> str | None:
        """The one currency of both sides, or None."""
        return self.here if self.here == self.there else None

    @property
    def only(self) -> str | None:
        """The currency of the one side there is, for a record that is still to be created."""
        return self.here or self.there


def currencies_of(plan: FieldPlan, pair: PairPlan, records: Records) -> Currencies | None:
    """None for every line but money whose currency stands in another line."""
    line = plan.rule.clean.currency_line
    if line is None:
        return None
    named = pair.by_name.get(line)
    here, there = (_currency(named, place, records) for place in (0, 1))
    return Currencies(line, here, there)


def _currency(named: FieldPlan | None, place: int, records: Records) -> str | None:
    record, field = records[place], named.fields[place] if named is not None else None
    if named is None or record is None or field is None:
        return None
    reading = named.codec.read(named.systems[place], record.fields.get(field))
    form = min(reading.forms, default="") if reading.is_mapped else ""
    return form.upper() or None


def apart(desk: Desk, plan: FieldPlan, values: tuple[FieldValue, FieldValue]) -> Outcome | None:
    """What becomes of amounts that cannot be compared; None where they can."""
    currencies = currencies_of(plan, desk.plan, desk.records)
    if currencies is None or currencies.agreed is not None or values == (None, None):
        return None
    along = _along(desk, plan, values, currencies)
    if along is not None:
        return along
    if currencies.here is None or currencies.there is None:
        blank = plan.systems[0 if currencies.here is None else 1]
        name = plan.rule.name
        sentence = (
            f"{currencies.line} is blank in {plan.codec.called(blank)}, so nobody knows what {name} is worth there"
        )
        return Outcome("skipped", sentence, system=blank)
    return Outcome("skipped", _waiting(plan, currencies))


def _along(
    desk: Desk, plan: FieldPlan, values: tuple[FieldValue, FieldValue], currencies: Currencies
) -> Outcome | None:
    """The winner's amount, where its currency is being written too."""
    rule: FieldRule = desk.rule(plan)
    for target, source in ((0, 1), (1, 0)):
        system, winner = plan.systems[target], plan.systems[source]
        if desk.written(system, currencies.line) is None or rule.wins != winner:
            continue
        code = (currencies.here, currencies.there)[source]
        codec = Codec(rule.in_currency(code), desk.prepared.systems)
        reading = codec.read(winner, values[source])
        if reading.is_blank or not reading.is_mapped:
            return None
        shown = f"{display(values[source])} {code}"
        sentence = f"{codec.called(winner)} wins {rule.name} and has {shown}; it goes along with its {currencies.line}"
        field = plan.fields[target] or ""
        meaning: Meaning = "fill" if codec.read(system, values[target]).is_blank else "different"
        wanted = Wanted(system, field, values[target], codec.write(system, reading), meaning, sentence)
        return Outcome("write", sentence, (wanted,), system)
    return None


def _waiting(plan: FieldPlan, currencies: Currencies) -> str:
    here, there = (plan.codec.called(system) for system in plan.systems)
    amounts = f"{currencies.line} is {currencies.here} in {here} and {currencies.there} in {there}"
    return f"{amounts}; {plan.rule.name} waits until both are in one currency"
