"""Salesforce behind the port: ``connector.Salesforce`` on the simple-salesforce library."""

from connectors.salesforce.declaration import CONNECTOR

__all__ = ["CONNECTOR"]
