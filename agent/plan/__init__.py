"""Steps 4 and 5 seen whole: what would be written, shown to a person, and applied only if it still stands."""
