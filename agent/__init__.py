"""How a change is decided, allowed, recorded, made and undone. Knows no vendor."""

__version__ = "0.1.0"
