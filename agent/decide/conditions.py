"""The front door to conditions: read them, compile a whole set, evaluate one, explain one.

Evaluation is given canonical values by name: the left-hand names of ``fields``, ``lifecycle`` (the stage's
name) where a lifecycle policy exists, and the flags of ``conditions_tree.FLAGS``. A name that is missing was
not visible: every line about it is neither true nor false. ``previous`` are the values before the change, for
``crossed``, ``changed`` and ``was``.
"""

from __future__ import annotations

from agent.decide.conditions_tree import FLAGS, LIFECYCLE, AllOf, AnyOf, Condition, Leaf, LeafValue, Not

__all__ = ["FLAGS", "LIFECYCLE", "AllOf", "AnyOf", "Condition", "Leaf", "LeafValue", "Not"]
