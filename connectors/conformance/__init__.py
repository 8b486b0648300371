"""The one conformance suite: every sentence of the port as a claim that any connector must keep.

The same claims run in the tests, at practice systems with faults at hand, and by ``truce conformance`` at an account,
where only some of it can be arranged. They know no vendor; where the port leaves a choice they ask ``capabilities``.
"""
