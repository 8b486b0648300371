"""Cells that Truce leaves alone: after an undo, in a fight, or at a person's wish; and how one is let go."""
