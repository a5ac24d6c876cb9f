"""The tables of what is supported and of what differs are what the marks of the tests say."""

from __future__ import annotations

import marks
import pytest


def test_the_tables_are_what_the_marks_say():
    for file, text in marks.tables().items():
        assert file.is_file(), "run: python tests/marks.py"
        assert file.read_text(encoding="utf-8") == text, "run: python tests/marks.py"


def test_every_kind_is_in_the_one_and_every_peer_in_the_other():
    assert {row[0] for row in marks.support()} == set(marks.KINDS)
    peers = {path.name for path in (marks.TESTS / "peers").glob("test_*.py")}
    assert {row[-1].split("/")[-1].split("::")[0] for row in marks.definitions()} == peers


def _read(folder, *decorators):
    test = "\n".join((*(f"@pytest.mark.{d}" for d in decorators), "def test_it():\n    pass\n"))
    (folder / "test_own.py").write_text(test, encoding="utf-8")
    return marks.support(folder), marks.definitions(folder)


def test_marks_are_read_with_their_test(tmp_path):
    support, definitions = _read(
        tmp_path,
        "supports('State', 'a clock', 'refused', says='a clock …')",
        "supports('Synapses', 'F.linear', 'counted by ' 'name')",
        "differs('a tie', ours='first', theirs={'B': 'last', 'A': 'both'})",
        "skip",
    )
    at = "test_own.py::test_it"
    assert support == [
        ("Synapses", "F.linear", "counted by name", "", at),
        ("State", "a clock", "refused", "a clock …", at),
    ]
    assert definitions == [("a tie", "first", "A", "both", at), ("a tie", "first", "B", "last", at)]
    assert marks.as_csv(marks.SUPPORT, support).splitlines()[:2] == [
        "kind,what,outcome,says,test",
        f"Synapses,F.linear,counted by name,,{at}",
    ]


@pytest.mark.parametrize(
    ("decorators", "why"),
    [
        (["supports('Stat', 'a', 'counted')"], "the kind 'Stat' is none of Synapses"),
        (["supports('State', 'a', 'seen')"], "the outcome 'seen' begins with none of counted"),
        (["supports('State', 'a')"], "missing .* 'outcome'"),
        (["supports('State', a, 'counted')"], "malformed"),
        (["supports('State', 'a', 'counted')", "supports('State', 'a', 'refused')"], "State, a stands at"),
        (["differs('a', ours='b', theirs={'C': 'd'})"] * 2, "a, C stands at"),
        (
            ["differs('a', ours='b', theirs={'C': 'd'})", "differs('a', ours='e', theirs={'F': 'd'})"],
            "ours is 'e' here",
        ),
    ],
)
def test_marks_that_say_nothing_are_refused_by_their_test(decorators, why, tmp_path):
    with pytest.raises(ValueError, match=rf"^test_own\.py::test_it: .*{why}"):
        _read(tmp_path, *decorators)
