"""Two directives that write pages from the code, so that they cannot be out of date.

``registered`` lists what a registry holds, from its cards; ``commands`` shows the help of every command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from brainmark.core import Entry


def listing(kind: str) -> str:
    """Return the entries of a registry ("models", "datasets", ...) as Markdown."""
    from brainmark import core

    return "\n\n".join(_entry(entry) for entry in getattr(core, kind).entries())


def _entry(entry: Entry) -> str:
    """Name, summary, then what the card states, one line each."""
    card = entry.card.model_dump(exclude={"summary", "cite"}, exclude_defaults=True)
    lines = [f"## `{entry.name}`", "", entry.card.summary, ""]
    for name, value in card.items():
        if name == "sources":
            sizes = [f" ({s['size']:,} bytes)" if s.get("size") is not None else "" for s in value[:3]]
            lines += [f"- source: <{s['url']}>{size}" for s, size in zip(value[:3], sizes, strict=True)]
            lines += [f"- and {len(value) - 3} more sources"] if len(value) > 3 else []
        elif value not in ((), None):
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
            lines.append(f"- {name}: {shown}")
    if entry.options:
        lines.append("- options: " + ", ".join(f"`{k}={v!r}`" for k, v in entry.options.items()))
    lines += ["", "```bibtex", entry.card.cite, "```"]
    return "\n".join(lines)


def commands() -> str:
    """Return the help of every command as Markdown."""
    import typer

    from brainmark.cli.app import COMMANDS, app, load_command

    pages = {"brainmark": typer.main.get_command(app)}
    pages |= {f"brainmark {name}": load_command(name) for name in sorted(COMMANDS)}
    return "\n\n".join(_command(command, path) for path, command in pages.items())


def _command(command: Any, path: str) -> str:
    """Usage, help, arguments and options of one command."""
    context = command.make_context(path, [], resilient_parsing=True)
    usage = command.get_usage(context).split(":", 1)[1].strip()
    lines = [f"## `{path}`", "", _markdown(command.help), "", "```text", usage, "```", ""]
    for parameter in command.params:
        option = parameter.param_type_name == "option"
        names = [*parameter.opts, *parameter.secondary_opts] if option else [parameter.name.upper()]
        lines += [", ".join(f"`{name}`" for name in names), f": {_markdown(parameter.help)}", ""]
    return "\n".join(lines)


def _markdown(text: str | None) -> str:
    """Turn the terminal's markup into Markdown."""
    marked = re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", text or "")
    return re.sub(r"[ \t]*\n[ \t]*", "\n", marked).strip()


class Registered(SphinxDirective):
    """``{registered} models``."""

    required_arguments = 1
    option_spec: ClassVar = {}

    def run(self) -> list[Node]:
        return self.parse_text_to_nodes(listing(self.arguments[0]), allow_section_headings=True)


class Commands(SphinxDirective):
    """``{commands}``."""

    option_spec: ClassVar = {}

    def run(self) -> list[Node]:
        return self.parse_text_to_nodes(commands(), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("registered", Registered)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
