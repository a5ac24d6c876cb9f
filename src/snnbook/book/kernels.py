"""Kernels that are forks of one process, which has imported what the pages import.

Imports take most of a short page's time. The process runs nothing but imports, so a kernel begins as a new interpreter
that has done the same imports would. Started from a script, it asks for the `if __name__ == "__main__":` that
`multiprocessing` asks for.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from multiprocessing import forkserver
from pathlib import Path
from threading import Thread
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

NAME = "snnbook-forked"
IMPORTS = (
    "IPython.display",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "matplotlib.backends.backend_svg",
    "matplotlib.pyplot",
    "pandas",
    "scipy.stats",
    "torch._dynamo",  # every optimizer of torch imports it
    "snnbook.experiments",
    "snnbook.report.page",
    "snnbook.report.plots",
    __name__,
)


def prepare(environment: Mapping[str, str]) -> dict[str, Any]:
    """Start the process that is forked, and give the metadata of a kernel spec that uses it.

    environment: variables of the process that libraries read when they are imported. Where forks are not safe (the
    system libraries of macOS) or unknown, nothing starts and there are no metadata: such a kernel is a new process.
    """
    if sys.platform != "linux":
        return {}
    factory = KernelProvisionerFactory.instance()
    factory.provisioners[NAME] = EntryPoint(NAME, f"{__name__}:Forked", factory.GROUP_NAME)
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        forkserver.set_forkserver_preload(list(IMPORTS))
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return {"kernel_provisioner": {"provisioner_name": NAME}}


def _run_kernel(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()  # an interrupt at the terminal goes to who started the kernel, and not to the kernel
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    IPKernelApp.launch_instance(argv=arguments)


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


class _Process(multiprocessing.get_context("forkserver").Process):  # type: ignore[misc]
    """With the methods of a `subprocess.Popen` that a provisioner calls."""

    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        return self.exitcode

    def wait(self) -> int | None:
        self.join()
        return self.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


class Forked(LocalProvisioner):
    """Starts the kernel of a spec whose command is `python -m ipykernel_launcher` with arguments."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        self.cwd = kwargs.get("cwd") or Path.cwd()
        self.process = _Process(target=_run_kernel, args=(cmd[3:], kwargs["env"], str(self.cwd)))
        self.process.start()
        self.pid = self.process.pid
        return self.connection_info
