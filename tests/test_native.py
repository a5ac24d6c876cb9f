"""The door to the compiled kernels: what it refuses, and that all works on processors other than this one."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
import same_bits
import torch

from snnbook import arithmetic, native
from snnbook.errors import UserError
from snnbook.experiments.run import load_sets
from snnbook.neurons import LIF

needs_kernels = pytest.mark.skipif(not native.available(), reason=f"compiled kernels: {native.status}")
ANY_PROCESSOR = Path(__file__).with_name("any_processor.py")


def qemu_version():
    """Major and minor version of qemu-x86_64; (0, 0) where there is none or this is another architecture."""
    if platform.machine() != "x86_64" or (qemu := shutil.which("qemu-x86_64")) is None:
        return 0, 0
    line = subprocess.run([qemu, "--version"], capture_output=True, text=True).stdout
    return tuple(map(int, re.search(r"version (\d+)\.(\d+)", line).groups()))


def on_another_processor(*emulator, **environment):
    """The last line of any_processor.py, which has run to its end."""
    # What holds this process is not for another processor.
    inherited = {name: value for name, value in os.environ.items() if name not in arithmetic.VARIABLES}
    command = [*emulator, sys.executable, ANY_PROCESSOR]
    done = subprocess.run(command, capture_output=True, text=True, env=inherited | environment)
    assert done.returncode == 0, f"ended with {done.returncode}:\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(
    qemu_version() < (7, 2), reason="needs qemu-x86_64 7.2, whose processors have AVX2 (Debian: qemu-user)"
)
@pytest.mark.parametrize(
    ("processor", "levels"), [("Haswell", ["avx2", "portable"]), ("Nehalem", ["portable"])], ids=["Haswell", "Nehalem"]
)
def test_everything_works_on_an_older_processor(processor, levels):
    load_sets(same_bits.SMALLEST)  # which would take an emulator long to generate
    found = on_another_processor("qemu-x86_64", "-cpu", processor, SNNBOOK_NATIVE="1")
    assert found["digest"] == (same_bits.DIGEST if same_bits.due() and processor == "Haswell" else None)
    built = any(Path(native.__file__).parent.glob("_native.*"))
    assert found["levels"] == (levels if built else [])
    assert found["refused"] == [level for level in native.LEVELS if level not in found["levels"]]
    assert found["paths"] == [["event", "masked"]] * (len(found["levels"]) + 1)


def test_everything_works_without_the_compiled_kernels():
    found = on_another_processor(SNNBOOK_NATIVE="0")
    assert found["levels"] == []
    assert found["in use"] is None
    assert found["refused"] == list(native.LEVELS)


@pytest.mark.parametrize("level", ["sse9", *(level for level in native.LEVELS if level not in native.levels)])
def test_a_level_that_this_processor_lacks_is_refused(level):
    with pytest.raises(UserError, match=level), native.using(level):
        pass


@needs_kernels
def test_the_door_itself_refuses_whoever_chose_the_level():
    before = native._level.set("sse9")
    try:
        with pytest.raises(UserError, match="sse9"):
            LIF()(torch.zeros(2, 1, 3))
        with pytest.raises(UserError, match="sse9"):
            native.KernelSequence([("sparse_mean", native.Mean(), 1, 1)])
    finally:
        native._level.reset(before)


@pytest.mark.parametrize("level", [*native.levels, None], ids=str)
def test_the_door_has_every_kernel_that_this_processor_runs(level):
    with native.using(level):
        for kernel, struct in native.KERNELS.items():
            if level is None or (kernel == "sparse_tables" and not native.has_tables()):
                with pytest.raises(UserError, match="kernels"):
                    native._function(kernel, struct())
            else:
                assert native._function(kernel, struct())


@needs_kernels
def test_the_arguments_of_another_kernel_are_refused():
    with pytest.raises(TypeError, match="lif_forward takes Lif, got Select"):
        native.run("lif_forward", native.Select(), 1, 1)


@needs_kernels
def test_a_level_holds_for_a_block_of_code_in_one_thread():
    before, seen = native.level(), []
    with native.using("portable"):
        assert native.level() == "portable"
        with pytest.raises(ZeroDivisionError), native.using(None):
            seen.append(1 / native.available())
        assert native.level() == "portable"
        thread = Thread(target=lambda: seen.append(native.level()))
        thread.start()
        thread.join()
    assert native.level() == before
    assert seen == [before]


@needs_kernels
@pytest.mark.parametrize("struct", native.STRUCTS, ids=lambda struct: struct.__name__)
def test_a_library_with_arguments_of_another_size_is_not_used(struct, monkeypatch):
    monkeypatch.setenv("SNNBOOK_NATIVE", "1")
    longer = type(struct.__name__, (struct,), {"_fields_": [("another", ctypes.c_int64)]})
    monkeypatch.setattr(native, "STRUCTS", [longer if other is struct else other for other in native.STRUCTS])
    loaded = native._load()
    assert (loaded.lib, loaded.levels, loaded.level) == (None, (), None)
    sizes = ctypes.sizeof(struct), ctypes.sizeof(longer)
    assert f"takes {struct.__name__} of {sizes[0]} bytes and this code hands over {sizes[1]}" in loaded.status


@needs_kernels
def test_a_library_of_another_version_is_not_used(monkeypatch):
    monkeypatch.setenv("SNNBOOK_NATIVE", "1")
    monkeypatch.setattr(native, "_ABI", native._ABI + 1)
    loaded = native._load()
    assert loaded.lib is None
    assert "another version" in loaded.status


def test_the_environment_chooses_the_level(monkeypatch):
    monkeypatch.setenv("SNNBOOK_NATIVE", "0")
    assert native._load() == (None, (), None, "switched off by SNNBOOK_NATIVE=0")
    for level in native.levels:
        monkeypatch.setenv("SNNBOOK_NATIVE", level)
        loaded = native._load()
        assert (loaded.levels, loaded.level) == (native.levels, level)
        assert "asked for" in loaded.status
    monkeypatch.setenv("SNNBOOK_NATIVE", "sse9")
    assert native._load().lib is None
