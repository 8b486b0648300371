"""One of a few words; a mistyped one is answered with the word that was probably meant."""

from __future__ import annotations

from typing import Any

import click


class Choice(click.Choice[str]):
    """Like click's, with a guess."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from agent.decide.suggest import nearest

        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            near = nearest(str(value), self.choices)
            if near is None:
                raise
            self.fail(f"{error.message} Did you mean {near!r}?", param, ctx)
