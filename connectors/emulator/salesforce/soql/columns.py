"""``/query?columns=true``: what a query would return, column by column, without running it.

The vendor documents it nowhere and its command line prints tables by it; the form is that of the answers its own tests
hold. A parent is one column with columns of its own, and so are children and aggregates, which are ``aggregate``.
"""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce.schema import Field
from connectors.emulator.salesforce.soql.paths import Scope, Target, follow
from connectors.emulator.salesforce.soql.shape import all_fields, children_of
from connectors.emulator.salesforce.soql.tree import AllFields, Call, Plain, Query

Column = dict[str, Any]
NUMBERS = ("int", "double", "currency", "percent")
NO_TEXT = (*NUMBERS, "id", "reference", "boolean", "date", "datetime", "address")
APEX = {"id": "Id", "reference": "Id", "boolean": "Boolean", "int": "Integer", "date": "Date", "datetime": "Datetime"}


def described(scope: Scope) -> dict[str, Any]:
    """Raises SoqlError, as the query itself would."""
    columns = _columns(scope)
    return {
        "columnMetadata": columns,
        "entityName": scope.kind.name,
        "groupBy": bool(scope.query.group_by),
        "idSelected": any(column["columnName"] == "Id" for column in columns),
        "keyPrefix": scope.kind.prefix,
    }


def _columns(scope: Scope) -> list[Column]:
    found: list[Column] = []
    unnamed = 0
    for item in scope.query.items:
        if isinstance(item, Query):
            child, inner = children_of(scope, item)
            found.append(_column(child.relationship or child.kind, aggregate=True, joinColumns=_columns(inner)))
        elif isinstance(item, Call):
            said = f"{item.function.lower()}({item.path or ''})"
            numeric = item.function.upper() not in ("MIN", "MAX")
            name = item.alias or f"expr{unnamed}"
            unnamed += item.alias is None
            found.append(_column(name, aggregate=True, displayName=said, numberType=numeric))
        elif isinstance(item, AllFields):
            found += [_of_field(field) for field in all_fields(scope, item)]
        elif isinstance(item, Plain):
            _add(found, follow(scope, item.path), item.alias)
    return found


def _add(found: list[Column], target: Target, alias: str | None) -> None:
    """A field of a parent goes into the parent's column, which is there once."""
    place = found
    for step in target.steps:
        name = step.link.relationship or step.link.name
        parent = next((each for each in place if each["columnName"] == name and each["foreignKeyName"]), None)
        if parent is None:
            parent = _column(name, foreignKeyName=step.link.name)
            place.append(parent)
        place = parent["joinColumns"]
    place.append(_of_field(target.item, alias))


def _of_field(item: Field, alias: str | None = None) -> Column:
    return _column(
        alias or item.name,
        apexType=APEX.get(item.type, "Double" if item.type in NUMBERS else "String"),
        booleanType=item.type == "boolean",
        custom=item.name.endswith("__c"),
        displayName=item.name,
        insertable=item.createable and not item.read_only,
        numberType=item.type in NUMBERS,
        textType=item.type not in NO_TEXT,
        updatable=item.updateable and not item.read_only,
    )


def _column(name: str, **known: Any) -> Column:
    usual: Column = {
        "aggregate": False, "apexType": None, "booleanType": False, "columnName": name, "custom": False,
        "displayName": name, "foreignKeyName": None, "insertable": False, "joinColumns": [], "numberType": False,
        "textType": False, "updatable": False,
    }  # fmt: skip
    return {**usual, "joinColumns": [], **known}
