"""Salesforce and HubSpot as their connectors declare them, for claims about policies that need no config."""

from agent.systems import Systems
from connectors.registry import FIRST, declared

SYSTEMS = Systems(declared()[key].system for key in FIRST)
