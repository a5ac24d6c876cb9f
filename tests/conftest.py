"""The messages that marks quote (`marks.py`) are those that users see."""

from __future__ import annotations

import re

import pytest

from snnbook import arithmetic
from snnbook.errors import UserError

arithmetic.hold()  # before anything is computed: digests are the same on every processor


@pytest.fixture(autouse=True)
def _quoted_messages(request, monkeypatch):
    """A test that quotes messages raises all of them; one with parameters, one of them for each."""
    quotes = [m.kwargs["says"] for m in request.node.iter_markers("supports") if "says" in m.kwargs]
    if not quotes:
        yield
        return
    messages = []

    def init(self, *args):
        ValueError.__init__(self, *args)
        messages.extend(map(str, args))

    monkeypatch.setattr(UserError, "__init__", init)
    yield
    patterns = {quote: ".*".join(map(re.escape, quote.split("…"))) for quote in quotes}
    seen = [any(re.match(pattern, message) for message in messages) for pattern in patterns.values()]
    assert any(seen) if hasattr(request.node, "callspec") else all(seen), (quotes, messages)
