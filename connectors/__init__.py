"""How one vendor is read and written. Knows no policy."""
