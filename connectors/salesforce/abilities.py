"""What Salesforce can do, as the engine asks it. Imports no client library, so that a reader may ask it too."""

from __future__ import annotations

from collections.abc import Mapping

from agent.connector import Capabilities, Conversion
from connectors.salesforce.ids import PARENTS

WRITE_CHUNK = 200
"""Records in one collections call, which Salesforce runs as one transaction and counts as one API request."""

CONDITIONAL_CHUNK = 25
"""Sub-requests in one composite call, which counts as one API request."""

PARALLEL_CALLS = 4
"""Writes of records that hang on one parent wait for its lock, and an account has 25 long calls at once for all apps
(facts: Concurrent API Request Limits)."""

BIN_DAYS = 15
"""How long the recycle bin keeps a record, unless it is full before."""

MERGE_CHUNK = 2
"""Losers of one merge: with the survivor it takes three records."""

BULK_ABOVE = 2000
"""Salesforce's own advice for the Bulk API, and about where its seven or so calls a job become the cheaper way."""

BULK_CHUNK = 10_000
"""Records in one job of ours: one batch of Salesforce's, and a few megabytes."""

READ_CHUNK = 2000
"""Records in one collections retrieve by POST."""

CONVERSIONS = {"Lead": Conversion("IsConverted", "Contact", "ConvertedContactId")}

ONLY_ONE = {"OpportunityContactRole": {"IsPrimary": "OpportunityId"}}

NAME_FIELDS = {
    "Account": ("Name",),
    "Campaign": ("Name",),
    "Contact": ("FirstName", "LastName"),
    "Lead": ("FirstName", "LastName"),
    "Opportunity": ("Name",),
}


def abilities(
    link_keys: Mapping[str, str], *, settle_seconds: float = 65.0, bulk_above: int = BULK_ABOVE
) -> Capabilities:
    """Capabilities of a connection whose objects carry ``link_keys`` ({object type: external id field}).

    ``settle_seconds`` is the time limit of one request: connecting plus waiting for the reply.
    """
    return Capabilities(
        conditional_write=True,
        undelete=True,
        bin_days=BIN_DAYS,
        merge=True,
        merge_chunk=MERGE_CHUNK,
        merge_sets_fields=True,
        unique_keys=bool(link_keys),
        write_chunk=WRITE_CHUNK,
        read_chunk=READ_CHUNK,
        conditional_chunk=CONDITIONAL_CHUNK,
        parallel_calls=PARALLEL_CALLS,
        bulk_above=bulk_above,
        bulk_chunk=BULK_CHUNK,
        index_lag_seconds=0.0,
        sees_deletions=True,
        echoes_writes=False,
        day_rolls=True,
        settle_seconds=settle_seconds,
        conversions=CONVERSIONS,
        parent_fields=PARENTS,
        only_one=ONLY_ONE,
        link_keys=dict(link_keys),
        name_fields=NAME_FIELDS,
    )
