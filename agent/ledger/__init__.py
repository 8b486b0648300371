"""Step 6: every write recorded before it is made, in one chained file, and what proves, copies and reads it."""
