"""Every command explains itself: what it does, an example that works, and help for each argument and option."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import typer.main
from checkout import REPOSITORY

from cenbench.cli.main import app

PRESETS = {path.stem for path in (REPOSITORY / "params" / "presets").glob("*.yaml")}


def commands() -> Iterator[tuple[str, typer.main.TyperCommand]]:
    """(`data show`, command) for every command and sub-command."""

    def below(name: str, command: object) -> Iterator[tuple[str, typer.main.TyperCommand]]:
        if isinstance(command, typer.main.TyperCommand):
            yield name, command
        else:
            for sub_name, sub in command.commands.items():  # type: ignore[attr-defined]
                yield from below(f"{name} {sub_name}".strip(), sub)

    return below("", typer.main.get_command(app))


def test_every_command_has_help_and_an_example_of_itself() -> None:
    found = []
    for name, command in commands():
        if f"Example: [bold]cenbench {name}" not in (command.help or ""):
            found.append(f"{name}: no example")
        found += [f"{name}: no help for {param.name}" for param in command.params if not getattr(param, "help", None)]
    assert not found, "\n" + "\n".join(found)


def test_paragraphs_fit_a_terminal_of_80_columns() -> None:
    """Typer joins the lines of the first paragraph only; a longer line of another one would break into two."""
    found = []
    for name, command in commands():
        for paragraph in (command.help or "").split("\n\n")[1:]:
            lines = [re.sub(r"\[/?bold\]", "", line).strip() for line in paragraph.splitlines()]
            if len(lines) > 1:
                found += [f"{name}: {line}" for line in lines if len(line) > 78]
    assert not found, "\n" + "\n".join(found)


def test_every_command_line_in_a_help_text_is_accepted() -> None:
    """Parsed, not run: each option exists, each required argument is given, each preset is there."""
    known = dict(commands())
    found = []
    for name, command in known.items():
        for line in re.findall(r"\[bold\](cenbench [^[]*)\[/bold\]", command.help or ""):
            words = shlex.split(line.replace("...", ""))[1:]
            length = 2 if " ".join(words[:2]) in known else 1
            mentioned = known.get(" ".join(words[:length]))
            if mentioned is None:
                found.append(f"{name}: {line}")
            elif len(words) > length:  # a bare name only points to the command
                context = mentioned.make_context(name, list(words[length:]))
                asked = context.params.get("preset") or ()
                if not set([asked] if isinstance(asked, str) else asked) <= PRESETS:
                    found.append(f"{name}: {line}")
    assert not found, "\n" + "\n".join(found)
