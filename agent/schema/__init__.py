"""Are both CRMs still as the policies expect, and what they looked like when that was last so."""
