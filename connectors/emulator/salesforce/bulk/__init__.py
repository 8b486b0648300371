"""Bulk API 2.0: jobs that take in or give out CSV, worked on while nobody waits for them."""
