"""The front door to conditions: read them, compile a whole set, evaluate one, explain one.

Evaluation is given canonical values by name: the left-hand names of ``fields``, ``lifecycle`` (the stage's
name) where a lifecycle policy exists, and the flags of FLAGS with True or False. A name that is missing was
not visible: every line about it is neither true nor false (a missing flag is False). ``previous`` are the
values before the change, for ``crossed``, ``changed`` and ``was``.

Reading lines from YAML is ``conditions_read.parse_condition``; it needs the policies' names and types, which
need this module, so it is not imported here.
"""

from __future__ import annotations

from agent.decide.conditions_compile import Matcher, compile_conditions
from agent.decide.conditions_explain import Explanation, explain, holds
from agent.decide.conditions_tree import FLAGS, LIFECYCLE, AllOf, AnyOf, Condition, Leaf, LeafValue, Not, spoken

__all__ = [
    "FLAGS",
    "LIFECYCLE",
    "AllOf",
    "AnyOf",
    "Condition",
    "Explanation",
    "Leaf",
    "LeafValue",
    "Matcher",
    "Not",
    "compile_conditions",
    "explain",
    "holds",
    "spoken",
]
