"""Which record somebody means: by reference, id, e-mail or domain, else by the name that people call it by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.decide.suggest import did_you_mean, in_words
from agent.errors import NotFound, UsageError
from agent.installation import Installation
from agent.records import Record, Ref

LIKE = 5
"""So many names are offered when none is quite what was typed."""

Place = tuple[str, str]
"""(system, object type)."""


def find_records(installation: Installation, wanted: str) -> list[Record]:
    """Records named by reference, bare id, e-mail, company domain or, failing these, by their name.

    Raises:
        NotFound: nothing in the mirror answers to it. UsageError: a name that several things have.
    """
    places = list(_places(installation))
    found = [record for place in places for record in _by_key(installation, place, wanted)]
    return found or _by_name(installation, places, wanted)


def entities_named(installation: Installation, wanted: str) -> list[str]:
    """Entities that a reference, id, e-mail, domain or name means, or their own key (``person-57``); also of records
    that are gone, by their reference.

    Raises:
        NotFound: nothing answers to it, or only what is not paired.
    """
    if installation.crosswalk.members([wanted]):
        return [wanted]
    try:
        known = installation.crosswalk.entity_of(Ref.parse(wanted))
    except ValueError:
        known = None
    if known is not None:
        return [known]
    records = find_records(installation, wanted)
    found = {each for record in records if (each := installation.crosswalk.entity_of(record.ref)) is not None}
    if not found:
        raise unpaired(installation, records)
    return sorted(found)


def unpaired(installation: Installation, records: Sequence[Record]) -> NotFound:
    """Why a record belongs to nobody: the question that stands about it, or that nobody looked at it yet."""
    refs = {record.ref for record in records}
    asked = next((review for review in installation.reviews.list() if refs & set(review.refs)), None)
    return NotFound(
        f"{installation.display_name(records[0])} is not paired, so Truce never writes it",
        where=str(records[0].ref),
        why=asked.sentence if asked else "it was not decided yet",
        next_step=f"truce review {asked.id}" if asked else "truce plan",
    )


def _places(installation: Installation) -> Iterator[Place]:
    for entity_type in installation.policies.policies.entity_types.values():
        for system, types in entity_type.records.items():
            yield from ((system, object_type) for object_type in types)


def _by_key(installation: Installation, place: Place, wanted: str) -> list[Record]:
    mirror, (system, object_type) = installation.mirror, place
    refs = {Ref(system, object_type, wanted)}
    refs.add(Ref(system, object_type, wanted.removeprefix(f"{system}:{object_type}/")))
    for kind in ("email", "domain"):
        refs.update(mirror.by_key(system, object_type, kind, wanted.strip().lower()))
    return list(mirror.records(sorted(refs)).values())


def _by_name(installation: Installation, places: Sequence[Place], wanted: str) -> list[Record]:
    """The records of the one thing that is called so, in one CRM or both; reads every record there is."""
    typed, names, found = _plain(wanted), dict[str, None](), list[Record]()
    for system, object_type in places:
        for record in installation.mirror.scan(system, object_type):
            name = installation.display_name(record)
            if name == str(record.ref):
                continue  # nobody calls it anything
            names[name] = None
            if _plain(name) == typed:
                found.append(record)
    if not found:
        raise _nothing(places, wanted, list(names))
    things = {installation.crosswalk.entity_of(record.ref) or str(record.ref): record for record in found}
    if len(things) > 1:
        raise _several(wanted, list(things.values()))
    return found


def _nothing(places: Sequence[Place], wanted: str, names: Sequence[str]) -> NotFound:
    typed = _plain(wanted)
    alike = [name for name in names if typed and typed in _plain(name)]
    meant = f"Did you mean {in_words(f'“{name}”' for name in alike[:LIKE])}?" if alike else ""
    near = meant or did_you_mean(wanted, names).partition("Allowed:")[0].strip()
    looked_for = f"looked for a reference ({_sample(places)}), an id, an e-mail, a domain and a name"
    return NotFound(
        f"no record answers to {wanted or repr(wanted)}",
        why=f"{looked_for}. {near}" if near else looked_for,
        next_step="truce pair --no-read --csv everybody   lists all that were read",
    )


def _several(wanted: str, records: Sequence[Record]) -> UsageError:
    """Names are not unique: the person says which, by reference."""
    which = in_words(str(record.ref) for record in records)
    return UsageError(
        f"{len(records)} things are called {wanted}",
        where=which,
        why="a name is not enough to tell them apart",
        next_step=f"the same command with a reference, such as {records[0].ref}",
    )


def _sample(places: Sequence[Place]) -> str:
    """How a reference is written here."""
    system, object_type = places[0] if places else ("SYSTEM", "OBJECT")
    return f"{system}:{object_type}/…"


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
