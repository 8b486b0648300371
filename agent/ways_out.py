"""What a person does about an error of a vendor, for the page on which all other pages rely: ``truce doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.errors import AccessDenied, BadReply, ConnectorError, NotFound, NotPermitted, TruceError, Unavailable

PERMISSIONS = "truce doctor --permissions"
GRANT = f"grant what is missing to Truce's user; the whole list: {PERMISSIONS}"


@dataclass(frozen=True, slots=True)
class WaysOut:
    """What leads out of an error of one vendor. ``secrets`` are the settings of its keys, ``elsewhere`` is where
    requests go in place of the vendor."""

    system: str
    name: str
    secrets: Sequence[str]
    status_page: str
    elsewhere: str

    def of(self, error: TruceError) -> tuple[str, ...]:
        """The error's own step, where it has one that leads further than to here; else what its kind calls for."""
        if isinstance(error, ConnectorError) and error.mend:
            return (error.mend,)
        if error.next_step not in ("", "truce doctor"):
            return (error.next_step,)
        if isinstance(error, NotPermitted):
            return (GRANT,)
        if isinstance(error, AccessDenied):
            return (f"look whether these are still good: {', '.join(self.secrets)}; set one: truce secrets set NAME",)
        if isinstance(error, Unavailable):
            where = f", or see {self.status_page}" if self.status_page else ""
            wait = f"if other pages open from this computer, {self.name} is away: wait a few minutes{where}"
            sent = f"requests go to {self.elsewhere}, as base_url in config.yaml says: does it run?"
            return (sent, wait) if self.elsewhere else (wait,)
        if isinstance(error, BadReply):
            return (
                f"in config.yaml under {self.system}: correct base_url and api_version, where they are set",
                "if they are right, something answers in its place: a proxy, or the login page of a network",
            )
        if isinstance(error, NotFound):
            return (
                f"if it is there, show it to Truce's user: {PERMISSIONS}",
                "if not, correct its name in the policies",
            )
        return ()
