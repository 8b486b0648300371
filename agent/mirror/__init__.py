"""Step 2: our last seen copy of both CRMs, and what still has to be decided. Thrown away, it is read again."""
