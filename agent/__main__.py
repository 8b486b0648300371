"""``python -m agent`` is the ``truce`` command."""

from agent.cli import main

main()
