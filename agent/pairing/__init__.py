"""Pairing seen as a whole, a person's word on pairs, and suspected duplicates."""
