"""A policy by its name, or the one that was meant."""

from __future__ import annotations

from collections.abc import Mapping

from agent.decide.policy import Header
from agent.decide.suggest import did_you_mean
from agent.errors import NotFound


def header_named(name: str, headers: Mapping[str, Header]) -> Header:
    """Raises NotFound: there is none of that name."""
    header = headers.get(name)
    if header is None:
        known = did_you_mean(name, sorted(headers), label="Known")
        raise NotFound(f"there is no policy {name}", why=known, next_step="truce check")
    return header
