"""What cannot be written is one line that says where else to write; a lock lasts no longer than its process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile

import pytest

from snnbook import paths
from snnbook.book.runs import empty_unless
from snnbook.errors import UserError
from snnbook.files import atomic_write, check_writable, held, writing

REFUSALS = (errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENOTDIR)


def refuse(code, path):
    raise OSError(code, os.strerror(code), *([str(path)] if path else []))


def test_a_folder_that_cannot_be_written_is_noticed_first(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=rf"^cannot write {tmp_path}/file/results: Not a directory; name another place"):
        check_writable(tmp_path / "file" / "results")
    check_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.supports(
    "Places",
    "a read-only place, a full disk",
    "refused",
    says="cannot write …; set SNNBOOK_BUILD to a folder that can be written",
)
@pytest.mark.parametrize("code", REFUSALS)
def test_every_refusal_is_one_line_with_the_file_and_the_way_out(code, tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBOOK_BUILD", str(tmp_path))
    file = tmp_path / "book" / "page.html"
    for named in (file, None):  # a full disk names no file
        with pytest.raises(UserError) as refused, writing(tmp_path):
            refuse(code, named)
        assert str(refused.value) == (
            f"cannot write {named or tmp_path}: {os.strerror(code)}; set SNNBOOK_BUILD to a folder that can be written"
        )
    monkeypatch.setattr(tempfile, "mkstemp", lambda **_: refuse(code, file.with_name(".writing-1")))
    with (
        pytest.raises(UserError, match=rf"^cannot write {file}: {os.strerror(code)}; set SNNBOOK_BUILD"),
        atomic_write(file),
    ):
        pass


def test_errors_that_are_not_about_the_folder_pass(tmp_path):
    for error in (PermissionError(errno.EACCES, "", "/elsewhere"), BrokenPipeError(errno.EPIPE, ""), ValueError()):
        with pytest.raises(type(error)), writing(tmp_path):
            raise error


def test_each_folder_of_ours_can_be_moved_as_the_error_says(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBOOK_CACHE", str(tmp_path / "cache"))
    for folder, way_out in (
        (paths.build() / "book" / "laptop", "SNNBOOK_BUILD"),
        (paths.results("smoke"), "--results, or set SNNBOOK_BUILD"),
        (paths.results("laptop"), "--results"),
        (paths.bench(), "--output"),
        (paths.compiled(), "SNNBOOK_DATA"),
        (tmp_path / "cache" / "a", "SNNBOOK_CACHE"),
        (paths.data() / "verdicts.csv", "name another place"),
        (tmp_path / "mine", "name another place"),
    ):
        assert way_out in paths.elsewhere(folder)


HOLDER = """
import sys
from pathlib import Path
from snnbook.files import held
with held(Path(sys.argv[1]), alone=sys.argv[2] == "alone"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Starts a process that holds the folder."""
    started = []

    def start(how):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path), how], **pipes)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of folders there")
def test_a_folder_is_held_by_one_until_its_process_has_ended_however_it_ends(tmp_path, holder):
    process = holder("alone")
    with pytest.raises(UserError, match=rf"^another snnbook is at work in {tmp_path}: wait") as refused, held(tmp_path):
        pass
    assert "\n" not in str(refused.value)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with held(tmp_path):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of folders there")
def test_a_folder_that_trials_are_written_to_is_shared_and_not_emptied(tmp_path, holder):
    holder("together")
    (tmp_path / "record").touch()
    with held(tmp_path, alone=False):
        pass
    with pytest.raises(UserError, match="another snnbook is at work"):
        empty_unless(tmp_path, tmp_path / ".code", "changed")
    assert (tmp_path / "record").exists()
