"""A config file as people read it: every setting with its description above it, taken from ``agent.config.config``.

``truce init`` writes one with the answers given; ``config.example.yaml`` is the one with every example filled in.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from agent.config.config import Config, group_of, settings_of
from agent.declaration import LoginSettings, Settings

WIDTH = 100
_HEAD = "The settings of one Truce installation. No secret stands here, only where each secret is kept."
_LEFT_OUT = "A line `# name: value` is not in force: it shows the default, or an example where nothing is the default."

Values = Mapping[str, Any]


def example(kind: type[Config]) -> str:
    """``config.example.yaml``: what has to be set with an example, everything else with its default."""
    needed = {name: _example_of(setting) for name, setting in settings_of(kind) if _is_system(setting)}
    return config_text(kind, {**needed, "run": {"mode": "ask"}})


def config_text(kind: type[Config], values: Values) -> str:
    """A whole config file. ``values`` are nested as the settings are; what is left out keeps its default."""
    lines = [*_comment(_HEAD, ""), *_comment(_LEFT_OUT, "")]
    for name, setting in settings_of(kind):
        lines += ["", *_setting(name, setting, values, "")]
    return "\n".join(lines) + "\n"


def _setting(name: str, setting: FieldInfo, values: Values, indent: str) -> Iterator[str]:
    group = group_of(setting)
    if group is not None:
        yield from _comment((group.__doc__ or "").strip(), indent)
        inner: Values = values.get(name, {})
        yield f"{indent}{name}:"
        for each, part in settings_of(group):
            yield from _setting(each, part, inner, indent + "  ")
        return
    yield from _comment(setting.description or "", indent)
    if name in values:
        yield f"{indent}{name}: {_yaml(values[name])}"
    else:
        yield f"{indent}# {name}: {_yaml(_shown_default(setting))}"


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
    )


def _shown_default(setting: FieldInfo) -> Any:
    """The default; where that is nothing, an example says more."""
    default = setting.get_default(call_default_factory=True)
    if default in (None, {}) and setting.examples:
        return setting.examples[0]
    return str(default) if isinstance(default, Path) else default


def _is_system(setting: FieldInfo) -> bool:
    group = group_of(setting)
    return group is not None and issubclass(group, Settings)


def _example_of(setting: FieldInfo) -> Any:
    """The first example; of a group, those of what must be set."""
    group = group_of(setting)
    if group is None:
        return (setting.examples or [None])[0]
    by_login = next(iter(group.needs.values())) if issubclass(group, LoginSettings) else ()
    parts = settings_of(group)
    return {name: _example_of(part) for name, part in parts if part.is_required() or name in by_login}


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("...").strip()
