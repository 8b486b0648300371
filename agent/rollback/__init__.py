"""Undo: what is chosen, what becomes of each cell, and the batch that does it."""
