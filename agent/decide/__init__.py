"""Step 4: decide. Pure functions of a View and the policies: packaged lists, but no clock, no randomness.

``decide`` is the front door; ``prepare`` is called once per policy set, so that deciding only compares values.
"""

from agent.decide.decide import decide
from agent.decide.prepared import Prepared, prepare

__all__ = ["Prepared", "decide", "prepare"]
