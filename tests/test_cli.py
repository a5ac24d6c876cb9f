"""The command line: each command does its work, and a mistake is one line and a code that is not 0."""

import errno
import json
import shutil

import pytest
from click.testing import CliRunner

from snnbook import book, headers
from snnbook.cli import main

SMOKE = ("--profile", "smoke", "--seeds", "0")


def call(*args):
    return CliRunner().invoke(main, args)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store with a small study."""
    path = str(tmp_path_factory.mktemp("results"))
    done = call("run", "lamp", *SMOKE, "--jobs", "1", "--results", path)
    assert done.exit_code == 0, done.output
    assert "5 trials run, 0 reused" in done.output
    return path


def test_run_shows_what_came_out_and_reuses_it(folder):
    again = call("run", "lamp", *SMOKE, "--results", folder)
    assert "0 trials run, 4 reused" in again.output
    assert "digits-clutter lamp" in again.output
    assert "98.00" in again.output


def test_run_takes_options_and_runs_a_damaged_record_again(folder, tmp_path):
    results = shutil.copytree(folder, tmp_path / "results")
    next(results.glob("lamp-*/seed-0.json")).write_text('{"')
    done = call("run", "lamp", *SMOKE, "--jobs", "1", "--results", str(results))
    assert done.exit_code == 0
    assert "truncated" in done.output
    assert "1 trials run, 3 reused" in done.output
    plan = call("plan", "lamp", *SMOKE, "-p", "sparsity=0.5", "--results", str(results))
    assert "1 of 4 records are stored" in plan.output  # only that of the dense network has no sparsity


def test_plan_says_what_is_stored_and_what_is_missing(folder):
    assert "nothing to train: all 4 records are stored" in call("plan", "lamp", *SMOKE, "--results", folder).output
    more = call("plan", "lamp", "--profile", "smoke", "--seeds", "0-2", "--results", folder)
    assert more.exit_code == 0, more.output
    assert "lamp  4 trials, seeds 0, 1, 2: 4 of 12 records are stored" in more.output
    assert "10 trainings" in more.output  # those of two seeds, and the networks that they start from
    assert "seeds 1, 2" in more.output


def test_the_name_of_an_artefact_stands_for_the_studies_that_its_page_reads(folder):
    done = call("plan", "A.table2", *SMOKE, "--results", folder)
    assert done.exit_code == 0, done.output
    reads = headers.header("stp/table2").reads
    assert len(reads) > 1
    assert [name for name in reads if f"{name} " not in done.output] == []


def test_list_and_show(folder):
    listed = call("list", "--results", folder).output
    lines = {line.split()[0]: line for line in listed.splitlines() if line.strip()}
    assert set(headers.artefacts()) <= set(lines)
    assert lines["A.table4"].split()[1] == "stp/table4"
    assert lines["D.table3"].split()[1:3] == ["not", "yet"]
    assert "digits-dvs" in lines
    assert "5 of 5 trials in" in listed
    ids = call("list", "--trials", "--results", folder).output.split()
    name = next(word for word in ids if word.startswith("lamp-digits-clutter"))
    assert name not in listed
    shown = call("show", name, "--results", folder)
    assert "top1" in shown.output
    assert json.loads(call("show", name, "--json", "--results", folder).output)["id"] == name


def test_verify(folder):
    done = call("verify", "--sample", "1", "--cheapest", "--results", folder)
    assert done.exit_code == 0, done.output
    assert "bit for bit" in done.output


def test_claims_are_judged_by_what_is_stored():
    done = call("claims", "--paper", "A")
    assert done.exit_code == 0, done.output
    ids = [line.split()[0] for line in done.output.splitlines() if line.startswith("A-")]
    assert len(ids) == len(set(ids)) > 0
    assert f"of {len(ids) + int(done.output.split()[-8])} claims are not testable here" in done.output


def test_claims_say_which_studies_are_missing(folder):
    done = call("claims", "--profile", "smoke", "--results", folder)
    assert done.exit_code == 0, done.output
    assert "A.rounds lacks" in done.output
    assert "claims are not testable here" in done.output


def test_doctor_prints_every_check(monkeypatch):
    from snnbook import doctor

    made = [doctor.Check("one thing", True, "here it is"), doctor.Check("another", False, "slower")]
    monkeypatch.setattr(doctor, "checks", lambda: made)
    lines = call("doctor").output.splitlines()
    assert [line.split() for line in lines] == [
        ["ok", "one", "thing", "here", "it", "is"],
        ["missing", "another", "slower"],
    ]


@pytest.mark.parametrize(
    "args",
    [
        ["run", "lamp", *SMOKE, "-p", "epochs=1"],
        ["bench", "lif", "--quick"],
        ["book", "--profile", "smoke", "--only", "ideas/lif"],
    ],
)
def test_a_place_that_cannot_be_written_is_one_line_and_the_way_out(args, monkeypatch):
    monkeypatch.setenv("SNNBOOK_BUILD", "/dev/null/build")
    done = call(*args)
    assert done.exit_code == 1
    (line,) = (line for line in done.output.splitlines() if line.startswith("Error"))
    assert line.startswith("Error: cannot write /dev/null/build/")
    assert "set SNNBOOK_BUILD" in line


def test_an_error_of_the_system_has_no_traceback(monkeypatch):
    def denied(*_):
        raise PermissionError(errno.EACCES, "Permission denied", "/a/file")

    monkeypatch.setattr(headers, "artefacts", denied)
    done = call("run", "A.table2")
    assert (done.exit_code, done.output) == (1, "Error: /a/file: Permission denied\n")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_what_has_no_page_is_said_to_have_none(command, monkeypatch):
    monkeypatch.setattr(book, "notebooks", list)
    done = call(command, "B.tableA1")
    assert done.exit_code == 1
    assert done.output.startswith("Error: B.tableA1: Table A1 of paper B (")
    assert done.output.endswith(" has no page yet\n")


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_help(command):
    done = call(command, "--help")
    assert done.exit_code == 0
    assert "Usage" in done.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["rum"], "did you mean run"),
        (["run", "A.abaltion"], "did you mean A.ablation"),
        (["run", "A.tabel4"], "did you mean A.table4"),
        (["run", "A.fig2"], "snnbook book --only stp/fig2"),
        (["run", "A.ablation", "--profile", "lapto"], "did you mean laptop"),
        (["run", "A.ablation", "--seeds", "x"], "seeds are"),
        (["run", "A.ablation", "-p", "lma=1"], "did you mean lam"),
        (["run", "A.ablation", "-p", "lam"], "key=value"),
        (["run", "A.ablation", "-p", "profile=smoke"], "not an option of a study"),
        (["run", "A.ablation", "-p", "width=abc"], "width must be"),
        (["run", "A.ablation", "-p", "lam=-1"], "lam must be at least 0"),
        (["run", "A.ablation", "-p", "T=0"], "T must be at least 1"),
        (["run", "lamp", "-p", "sparsity=1.5"], "sparsity must lie in"),
        (["run", "lamp", "-p", "data=digits"], "unknown data set"),
        (["run", "lamp", "--profile", "smoke", "--results", "/dev/null/x"], "cannot write"),
        (["run", "lamp", "--profile", "paper", "--seeds", "0", "--jobs", "1"], "root"),
        (["run", "lamp", "--profile", "smoke", "--seeds", "9", "--jobs", "1", "--device", "gpu"], "device"),
        (["show", "nothing"], "unknown trial"),
        (["verify", "nothing"], "unknown trial"),
        (["claims", "--paper", "E"], "unknown paper"),
        (["book", "--only", "stp/tabel4"], "did you mean stp/table4"),
        (["book", "--options", "lamb=1"], "unknown option"),
        (["book", "--fresh", "--stored"], "leave out --stored"),
        (["run", "compare", "-p", "lamb=1"], "unknown option"),
        (["plan", "compare", "--seeds", "x"], "seeds are"),
        (["book", "--only", "ideas/lif", "--profile", "smok"], "did you mean smoke"),
        (["bench", "lifs"], "lifs"),
        (["bench", "lif", "--rounds", "0"], "rounds"),
        (["list", "--results", __file__], "is a file"),
        (["book", "--seeds", "1-0"], "seeds are"),
        (["book", "--options", "sparsity"], "key=value"),
        (["claims", "--paper", "D", "--write", "/dev/null/x.csv"], "cannot write /dev/null/x.csv: Not a directory"),
        (["bench", "lif", "--output", "/dev/null/x"], "cannot write /dev/null/x: Not a directory"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(args, message):
    done = call(*args)
    assert done.exit_code != 0
    assert message in done.output
    assert "Traceback" not in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
