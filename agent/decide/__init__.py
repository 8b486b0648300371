"""Step 4: decide. Pure functions of a View and the policies: packaged lists, but no clock, no randomness."""
