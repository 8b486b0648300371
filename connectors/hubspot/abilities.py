"""What HubSpot can do, as the engine asks it. Imports no client library, so that a reader may ask it too."""

from __future__ import annotations

from collections.abc import Mapping

from agent.connector import Capabilities
from agent.errors import ConfigError, NotFound
from connectors.hubspot.ids import checked_object_type, checked_property
from connectors.hubspot.vendor import VENDOR, clears_before_moving_back, name_fields, pair_types, parent_fields

READ_CHUNK = 100
WRITE_CHUNK = 100
HISTORY_CHUNK = 50
"""A batch read with histories takes half as many records as one without."""

PARALLEL_CALLS = 8
"""So many keep up 19 calls a second, which an account allows, when a call takes 400 milliseconds."""

SEARCH_LIMIT = 200
"""Most records per page of a search."""

INDEX_LAG_SECONDS = 120.0
"""Searches were seen lagging by seconds; two minutes leave room for a bad day."""


def abilities(
    link_keys: Mapping[str, str],
    stored_ids: Mapping[str, Mapping[str, str]],
    *,
    settle_seconds: float = 65.0,
) -> Capabilities:
    """Capabilities of a portal whose objects carry ``link_keys`` ({object type: unique property}).

    ``conditional_write`` is False: a version is compared right before the write, and one round trip stays open.
    ``settle_seconds`` is the time limit of one request: connecting plus waiting for the reply.

    Raises:
        ConfigError: a link key that cannot be a property.
    """
    for object_type, name in link_keys.items():
        try:
            checked_object_type(object_type)
            checked_property(name)
        except NotFound as error:
            where = f"hubspot.link_keys.{object_type}"
            raise ConfigError(error.what, where=where, next_step="truce doctor") from None
    return Capabilities(
        conditional_write=False,
        undelete=False,
        merge=True,
        merge_chunk=1,
        tells_erasures_for=VENDOR["bin_days"],
        unique_keys=bool(link_keys),
        history_chunk=HISTORY_CHUNK,
        write_chunk=WRITE_CHUNK,
        read_chunk=READ_CHUNK,
        conditional_chunk=WRITE_CHUNK,
        parallel_calls=PARALLEL_CALLS,
        index_lag_seconds=INDEX_LAG_SECONDS,
        clears_before_moving_back=clears_before_moving_back(),
        sees_deletions=False,
        echoes_writes=True,
        settle_seconds=settle_seconds,
        parent_fields=parent_fields(),
        link_keys=dict(link_keys),
        stored_ids={object_type: dict(names) for object_type, names in stored_ids.items()},
        name_fields=name_fields(),
        natural_ids=frozenset(pair_types()),
        opt_out_fields=VENDOR["opt_out_fields"],
    )
