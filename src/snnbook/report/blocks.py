"""Fragments of a page, which show themselves: HTML in a notebook or book, plain text elsewhere."""

from __future__ import annotations

import html
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from snnbook.errors import UserError

Value = TypeVar("Value", bound=Hashable)


class Fragment:
    """HTML for a page with the same content as Markdown."""

    def __init__(self, html: str, markdown: str):
        self.html, self.markdown = html, markdown

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/markdown": self.markdown, "text/plain": self.markdown}

    def __str__(self) -> str:
        return self.markdown

    def show(self) -> None:
        """Display it in the running notebook, or print it where there is none."""
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            print(self)
            return
        if get_ipython() is None:
            print(self)
        else:
            display(self)


def escape(text: object) -> str:
    """Text as it may stand in HTML, in attributes as well."""
    return html.escape(str(text), quote=True)


def required(kind: str, text: str) -> str:
    """The text, stripped. Raises UserError if there is none, which would shut readers out."""
    if not str(text or "").strip():
        raise UserError(f"{kind} is empty; say in words what the reader is to see")
    return str(text).strip()


def paragraph(text: str) -> Fragment:
    """Text by itself."""
    return Fragment(f"<p>{text}</p>", text)


def sentences(lines: Iterable[str]) -> Fragment:
    """Sentences as a list, one item for each; empty ones are left out."""
    lines = list(filter(None, lines))
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return Fragment(f"<ul>{items}</ul>", "\n".join(f"- {line}" for line in lines))


def listed(names: Sequence[str]) -> str:
    """`a, b and c`; empty for no names."""
    return ", ".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, word: str) -> str:
    """`1 seed`, `5 seeds`."""
    return f"{number} {word}{'s' if number != 1 else ''}"


def by_value(values: Mapping[str, Value]) -> dict[Value, list[str]]:
    """Value → the names that share it, in order."""
    groups: dict[Value, list[str]] = {}
    for name, value in values.items():
        groups.setdefault(value, []).append(name)
    return groups


def stacked(*fragments: Fragment) -> Fragment:
    """Fragments one below the other, as one."""
    return Fragment("".join(f.html for f in fragments), "\n\n".join(f.markdown for f in fragments))


def definitions(items: Iterable[tuple[str, str]]) -> str:
    """A `<dl>` of (term, HTML)."""
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{text}</dd>" for term, text in items)
    return f"<dl>{rows}</dl>"


def details(title: str, body: str) -> str:
    """HTML that is folded away behind its title."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"
