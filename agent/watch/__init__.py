"""Beside another sync: what Truce would have written, and what became of it."""
