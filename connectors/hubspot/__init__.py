"""HubSpot through its real Python client, wrapped where that client breaks our promises."""

from connectors.hubspot.declaration import CONNECTOR

__all__ = ["CONNECTOR"]
