"""The command line: each command does its work, and a mistake is one line and a code that is not 0."""

import json

import pytest
from click.testing import CliRunner

from snnbook.cli import main


def call(*args):
    return CliRunner().invoke(main, args)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("results"))
    done = call("run", "lamp", "--profile", "smoke", "--seeds", "0", "--jobs", "1", "--results", path)
    assert done.exit_code == 0, done.output
    assert "5 trials run, 0 reused" in done.output
    return path


def test_run_shows_what_came_out_and_reuses_it(folder):
    again = call("run", "lamp", "--profile", "smoke", "--seeds", "0", "--results", folder)
    assert "0 trials run, 4 reused" in again.output
    assert "digits-clutter lamp" in again.output
    assert "98.00" in again.output


def test_run_takes_options(folder):
    done = call("run", "lamp", "-p", "sparsity=0.5", "--profile", "smoke", "--seeds", "0", "--jobs", "1",
                "--results", folder)  # fmt: skip
    assert "50.00" in done.output


def test_list_and_show(folder):
    listed = call("list", "--results", folder).output
    assert "A.ablation" in listed
    assert "digits-dvs" in listed
    name = next(word for word in listed.split() if word.startswith("lamp-digits-clutter-T4-sparsity-0.98"))
    shown = call("show", name, "--results", folder)
    assert "top1" in shown.output
    assert json.loads(call("show", name, "--json", "--results", folder).output)["id"] == name


def test_verify(folder):
    done = call("verify", "--sample", "1", "--results", folder)
    assert done.exit_code == 0
    assert "bit for bit" in done.output


def test_doctor_and_bench():
    assert "compiled kernels" in call("doctor").output
    assert call("bench", "--help").exit_code == 0


def test_a_damaged_record_is_reported_and_run_again(tmp_path):
    args = ("run", "lamp", "--profile", "smoke", "--seeds", "0", "--jobs", "1", "--results", str(tmp_path))
    call(*args)
    path = next(tmp_path.glob("lamp-*/seed-0.json"))
    path.write_text(path.read_text()[:100])
    done = call(*args)
    assert done.exit_code == 0
    assert "truncated" in done.output
    assert "1 trials run, 3 reused" in done.output


@pytest.mark.parametrize("command", ["run", "list", "show", "verify", "bench", "doctor", "book"])
def test_every_command_has_help(command):
    done = call(command, "--help")
    assert done.exit_code == 0
    assert "Usage" in done.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["rum"], "did you mean run"),
        (["run", "A.ablatoin"], "did you mean A.ablation"),
        (["run", "A.ablation", "--profile", "lapto"], "did you mean laptop"),
        (["run", "A.ablation", "--seeds", "x"], "seeds are"),
        (["run", "A.ablation", "-p", "lma=1"], "did you mean lam"),
        (["run", "A.ablation", "-p", "lam"], "key=value"),
        (["run", "A.ablation", "-p", "profile=smoke"], "not an option of a study"),
        (["run", "A.ablation", "-p", "width=abc"], "width must be float"),
        (["run", "A.ablation", "-p", "lam=-1"], "lam must be at least 0"),
        (["run", "A.ablation", "-p", "T=0"], "T must be at least 1"),
        (["run", "lamp", "-p", "sparsity=1.5"], "sparsity must lie in"),
        (["run", "lamp", "-p", "data=digits"], "unknown data set"),
        (["run", "lamp", "--profile", "smoke", "--results", "/dev/null/x"], "cannot write"),
        (["run", "lamp", "--profile", "paper", "--seeds", "0", "--jobs", "1"], "root"),
        (["run", "lamp", "--profile", "smoke", "--seeds", "9", "--jobs", "1", "--device", "gpu"], "device 'gpu'"),
        (["show", "nothing"], "unknown trial"),
        (["book", "--only", "stp/tabel4"], "did you mean stp/table4"),
        (["book", "--options", "lamb=1"], "unknown option"),
        (["bench", "lifs"], "lifs"),
        (["bench", "lif", "--rounds", "0"], "rounds"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(args, message):
    done = call(*args)
    assert done.exit_code != 0
    assert message in done.output
    assert "Traceback" not in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
