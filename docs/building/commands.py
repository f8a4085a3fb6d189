"""Generates the reference of the command line from its parser."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from twindex.api.cli.main import parser

from .docstrings import cell, escaped, table

HEAD = """\
# Command line

`twindex COMMAND --help` prints the same text in a terminal. The exit status is 0 after success, 1
for damaged data or another failure, and 2 for wrong arguments or input. `TWINDEX_DEBUG=1` shows
tracebacks.
"""


def pages() -> dict[str, str]:
    """The generated pages: path below docs/reference -> text."""
    text = [HEAD]
    commands = [(name, sub) for name, sub in walk(parser()) if name != "twindex"]
    rows = [(f"[`{name}`](#{name.replace(' ', '-')})", _summary(sub)) for name, sub in commands]
    text.append(table(("command", ""), rows) + "\n")
    for name, sub in commands:
        text.append(f"## `{name}`\n")
        text.append(f"{_description(sub)}\n")
        text += [f"{title}\n\n{table(('', ''), rows)}\n" for title, rows in _groups(sub)]
        if sub.epilog:
            example = sub.epilog.partition("\n")[2].strip()
            text.append(f"```\n{example}\n```\n")
    return {"commands.md": "\n".join(text)}


def walk(
    top: argparse.ArgumentParser, name: str = "twindex"
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield the name and the parser of each command and sub-command."""
    yield name, top
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, sub in action.choices.items():
                yield from walk(sub, f"{name} {word}")


def arguments(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments and options of a command, except --help."""
    for action in command._actions:
        if not isinstance(action, (argparse._SubParsersAction, argparse._HelpAction)):
            yield action


def help_text(command: argparse.ArgumentParser, action: argparse.Action) -> str:
    """The help text of an argument, with its default; empty if it has none."""
    if not action.help:
        return ""
    return command._get_formatter()._expand_help(action)


def meaning(command: argparse.ArgumentParser, action: argparse.Action) -> str:
    """The help text of an argument without the note on its default."""
    return re.sub(r"\(default: [^)]*\)", "", help_text(command, action)).strip()


def _groups(command: argparse.ArgumentParser) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    known = {id(action) for action in arguments(command)}
    for group in command._action_groups:
        actions = [action for action in group._group_actions if id(action) in known]
        if actions:
            title = (group.title or "").replace("positional arguments", "arguments")
            rows = [(_shown(action), cell(help_text(command, action))) for action in actions]
            yield f"**{title[:1].upper()}{title[1:]}**", rows


def _shown(action: argparse.Action) -> str:
    value = ""
    if action.nargs != 0:
        metavar = action.metavar or (
            "{" + ",".join(map(str, action.choices)) + "}"
            if action.choices
            else action.dest.upper()
        )
        value = metavar if isinstance(metavar, str) else " ".join(metavar)
        if action.nargs in ("*", "+"):
            value += " ..."
    words = [f"{name} {value}".strip() for name in action.option_strings] or [value]
    return ", ".join(f"`{word}`".replace("|", "\\|") for word in words)


def _summary(command: argparse.ArgumentParser) -> str:
    return cell((command.description or "").strip().partition("\n")[0])


def _description(command: argparse.ArgumentParser) -> str:
    return escaped((command.description or "").strip())
