"""A database behind a url, which is a secret: who only looks into the ledger has none, and what is wrong is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from database_tables import tables

from agent.errors import ConfigError
from connectors.database.connector import Database
from connectors.database.declaration import DatabaseSettings

OF_A_READER = "a reader asks nobody"
"""What a command gets for every secret that asks no vendor anything, such as ``truce pair`` once it is accepted."""


def database(url: str) -> Database:
    found = tables(has_key=True, keeps_deleted=False)
    settings = DatabaseSettings.model_validate({"url": "env:URL", "production": False, "tables": found})
    return Database(settings, file=None, url=url, clock=lambda: datetime.now(UTC))


def test_who_only_looks_knows_the_tables_without_the_url() -> None:
    found = database(OF_A_READER)
    assert found.capabilities.link_keys == {"customers": "truce_key"}
    found.close()


@pytest.mark.parametrize(
    ("url", "what", "step"),
    [
        (OF_A_READER, "the database's url is none", "truce secrets set database.url"),
        ("nosql://localhost/shop", "nobody knows how to talk to nosql", "truce secrets set database.url"),
        ("mysql+aiomysql://localhost/shop", "not installed: aiomysql", "pip install aiomysql"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_at_the_first_question(url: str, what: str, step: str) -> None:
    with pytest.raises(ConfigError, match=what) as raised:
        database(url).identity()
    assert raised.value.next_step == step
