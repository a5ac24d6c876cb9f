"""Writing: files appear whole or not at all, and what the system refuses is one line that says where else to write."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from snnbook import paths
from snnbook.errors import UserError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """A block that writes to a folder or file: what the system refuses there is raised as a UserError.

    It names the file, why it cannot be written, and where it could be. Errors about files that lie elsewhere pass.
    """
    try:
        yield
    except (ConnectionError, TimeoutError):  # of another process, and no file
        raise
    except OSError as err:
        file = Path(os.fsdecode(err.filename)) if isinstance(err.filename, str | bytes) else path
        if path.is_relative_to(file):
            file = path
        elif not file.is_relative_to(path):
            raise
        raise _refused(file, err) from err


def _refused(path: Path, err: OSError) -> UserError:
    return UserError(f"cannot write {path}: {err.strerror or err}; {paths.elsewhere(path)}")


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A file beside `path` to write; it takes the place of `path` when the block ends, and is gone if that fails.

    Folders are made as needed. Raises UserError, which says where else to write, where they or the file cannot be
    written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
        os.close(handle)
        try:
            yield Path(name)
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as err:
        raise _refused(path, err) from err


def check_writable(folder: Path) -> None:
    """Raise UserError now, rather than after an hour of work, for a folder in which no file can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0")
    except OSError as err:
        raise _refused(folder, err) from err


@contextlib.contextmanager
def held(folder: Path, alone: bool = True, wait: bool = False) -> Iterator[None]:
    """Hold a folder that is there while a block runs: alone, or together with others that do not want it alone.

    The system takes the lock back when the process ends, however that happens; no file is left, and the folder need
    not be writable. Where locks are unknown to the system, nothing is held. wait: until the others are done. Raises
    UserError at once where another process holds the folder, unless `wait`.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise UserError(f"another snnbook is at work in {folder}: wait until it has ended") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)
