"""Held changes and whole policies: who agreed to what, and the ceiling over all of it."""
