"""Somebody is to be forgotten: their values leave, and they are known again by a keyed hash alone."""
