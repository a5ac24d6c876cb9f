"""Honest timings: one thread, thread CPU time, interleaved variants, medians of ratios, results checked as well."""

from __future__ import annotations

import importlib
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tqdm import tqdm

from snnbook import native
from snnbook.errors import UserError
from snnbook.experiments.measurements import environment
from snnbook.files import atomic_write

Check = Callable[[str, Any], None]


class WrongResult(UserError):
    """A variant did not compute what it should, so its time means nothing."""


@dataclass(frozen=True)
class Case:
    """Variants that do the same work and are compared with each other.

    sizes: what the work is, in numbers. unit: seconds that a time is given in, such as 1e-9 times the number of
    elements for nanoseconds per element. variants: name → one run of it; what it returns is only looked at by `check`,
    which is called as `check(variant, result)` after the warm-up run and raises WrongResult. pairs: peers, each with
    the variant of ours that it is compared with. clock: how a run is timed: `timed`, `timed_repeatedly` or
    `timed_in_process`. labels: what a page sorts the case by, such as data set and method of a trained network.
    """

    name: str
    sizes: dict[str, int]
    unit: float
    variants: dict[str, Callable[[], Any]]
    pairs: tuple[tuple[str, str], ...] = ()
    check: Check = lambda variant, result: None
    clock: Callable[[Callable[[], Any]], tuple[float, Any]] = field(default=lambda run: timed(run))
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One variant in one case: thread CPU seconds round by round, and their median in the unit of the benchmark."""

    case: str
    sizes: dict[str, int]
    variant: str
    seconds: list[float]
    time: float
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ratio:
    """The median over rounds of the peer's time over ours in the same round."""

    case: str
    peer: str
    ours: str
    ratio: float


@dataclass(frozen=True)
class Memory:
    """Extra peak memory of one run, in bytes and as multiples of what it works on (a tensor, the weights)."""

    case: str
    variant: str
    bytes: int
    times: float


@dataclass(frozen=True)
class Measure:
    """A number that is neither a time nor a ratio of times; kind: what was measured.

    case and variant are empty where the measure has none. unit: empty for a ratio or a share.
    """

    kind: str
    case: str
    variant: str
    unit: str
    value: float


@dataclass(frozen=True)
class Bounded:
    """A number beside its limit. bound: "at least" or "at most". reached: whether the number keeps to the limit."""

    what: str
    bound: str
    limit: float
    value: float
    reached: bool = field(init=False)

    def __post_init__(self) -> None:
        reached = self.value >= self.limit if self.bound == "at least" else self.value <= self.limit
        object.__setattr__(self, "reached", reached)


@dataclass
class Result:
    """What a benchmark measured: times in `unit`, ratios, memory, other measures, goals, and checks, which all held."""

    bench: str
    unit: str
    rounds: int
    quick: bool
    cells: list[Cell] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    goals: list[Bounded] = field(default_factory=list)
    checks: list[Bounded] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)

    def ratio(self, case: str, peer: str, ours: str = "") -> float | None:
        """The peer's time over that of ours (of any of ours, without a name); None if that was not timed."""
        ratios = (r.ratio for r in self.ratios if (r.case, r.peer) == (case, peer) and ours in ("", r.ours))
        return next(ratios, None)

    def measure(self, kind: str, value: float, case: str = "", variant: str = "", unit: str = "") -> None:
        """Note a measure."""
        self.measures.append(Measure(kind, case, variant, unit, value))

    def measured(self, kind: str, case: str = "", variant: str = "") -> float | None:
        """The value of a measure; None if it was not taken."""
        wanted = (kind, case, variant)
        return next((m.value for m in self.measures if (m.kind, m.case, m.variant) == wanted), None)

    def goal(self, what: str, bound: str, limit: float, value: float | None) -> None:
        """Note a goal; without a number (a peer that is not installed) there is nothing to note."""
        if value is not None:
            self.goals.append(Bounded(what, bound, limit, round(value, 4)))

    def check(self, what: str, limit: float, value: float) -> None:
        """Note a check, or if it is there already the larger number. Raises WrongResult above `limit` or at NaN."""
        check = Bounded(what, "at most", limit, value)
        same = next((i for i, known in enumerate(self.checks) if known.what == what), None)
        if same is None:
            self.checks.append(check)
        elif not value <= self.checks[same].value:
            self.checks[same] = check
        if not check.reached:
            raise WrongResult(f"{self.bench} benchmark: {what} is {value:.3g}, and must be at most {limit:.3g}")

    def save(self, folder: Path) -> Path:
        """Write `<bench>.json`, one line for each entry of a list. Raises UserError where that cannot be written."""
        path = folder / f"{self.bench}.json"
        with atomic_write(path) as aside:
            aside.write_text(_text(asdict(self)), encoding="utf-8")
        return path


def _text(result: dict[str, Any]) -> str:
    parts = []
    for name, value in result.items():
        if isinstance(value, list) and value:
            plain = ({k: v for k, v in entry.items() if (k, v) != ("labels", {})} for entry in value)
            entries = ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in plain)
            parts.append(f' "{name}": [\n{entries}\n ]')
        else:
            indent = 1 if isinstance(value, dict) else None
            text = json.dumps(value, ensure_ascii=False, indent=indent).replace("\n", "\n ")
            parts.append(f' "{name}": {text}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread, and for every variant an allocator that keeps its memory (`native.keep_memory`)."""
    native.keep_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Thread CPU seconds of a run, and what it returned."""
    start = time.thread_time()
    result = run()
    return time.thread_time() - start, result


def timed_repeatedly(run: Callable[[], Any], least: float = 0.03) -> tuple[float, Any]:
    """Thread CPU seconds of a run, the mean of as many as take `least` together, and what the last returned.

    What runs for a few milliseconds is otherwise timed with its memory not yet in the caches, as no second run has it.
    """
    spent, n = 0.0, 0
    while spent < least:
        seconds, result = timed(run)
        spent, n = spent + seconds, n + 1
    return spent / n, result


def timed_in_process(run: Callable[[], float]) -> tuple[float, None]:
    """Thread CPU seconds of a run in a `Process`, which takes the time itself and returns nothing else."""
    return run(), None


class Process:
    """A process that runs one variant only, with its library and its allocator as they come.

    `prepare(*args)`, a function of a module, is called there and returns `make`; calling the process with the
    arguments of a case (plain values) runs `make(*case)()` there and gives its thread CPU seconds.
    """

    def __init__(self, prepare: Callable[..., Callable[..., Callable[[], Any]]], *args: str | int):
        self.call = [prepare.__module__, prepare.__name__, json.dumps(args)]
        code = "from snnbook.bench.timing import serve; serve()"
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", code, *self.call], stdin=pipe, stdout=pipe, text=True)

    def __call__(self, *case: str | int) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(case), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{' '.join(self.call)} failed in a process of its own, see above")
        return json.loads(answer)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # closes its input, which ends it


def serve() -> None:
    """What a `Process` does: module, function and arguments (JSON) from the command line, cases from the input."""
    make = _prepared()
    for line in sys.stdin:
        print(timed(make(*json.loads(line)))[0], flush=True)


def _prepared() -> Callable[..., Any]:
    module, function, args = sys.argv[1:]
    torch.set_num_threads(1)
    return getattr(importlib.import_module(module), function)(*json.loads(args))


def interleaved(cases: Sequence[Case], rounds: int) -> tuple[list[Cell], list[Ratio]]:
    """Every variant of every case once a round, after a warm-up round.

    The order within a case is drawn anew each round (seed 0), since a run finds caches as the one before it left them.
    Returns all times, and the ratios of the pairs. Raises WrongResult where a check fails, UserError for `rounds` < 1.
    """
    if rounds < 1:
        raise UserError(f"rounds must be at least 1, got {rounds}")
    order = random.Random(0)
    seconds: dict[tuple[str, str], list[float]] = {(c.name, v): [] for c in cases for v in c.variants}
    with progress((rounds + 1) * len(seconds)) as bar:
        for i in range(rounds + 1):
            for case in cases:
                for name in order.sample(list(case.variants), len(case.variants)):
                    bar.set_description_str(f"{case.name}, {name}", refresh=False)
                    spent, result = case.clock(case.variants[name])
                    if i:
                        seconds[case.name, name].append(round(spent, 7))
                    else:  # the first round warms up
                        case.check(name, result)
                    del result
                    bar.update()
    cells = [
        Cell(c.name, c.sizes, name, own := seconds[c.name, name], float(f"{median(own) / c.unit:.4g}"), c.labels)
        for c in cases
        for name in c.variants
    ]
    ratios = [
        Ratio(c.name, peer, ours, round(median_ratio(seconds[c.name, peer], seconds[c.name, ours]), 3))
        for c in cases
        for peer, ours in c.pairs
    ]
    return cells, ratios


def median_ratio(peer: Iterable[float], ours: Iterable[float]) -> float:
    """The median over rounds of the peer's time over ours in the same round."""
    return median(a / b for a, b in zip(peer, ours, strict=True))


def progress(total: int) -> tqdm:
    """A bar on standard error that leaves no trace."""
    return tqdm(total=total, leave=False, file=sys.stderr, mininterval=0.5 if sys.stderr.isatty() else 30)


def peak_memory(prepare: Callable[..., Callable[[], Any]], *args: str | int) -> int | None:
    """Bytes that one run needs at its peak beyond what is there before it, in a process of its own.

    `prepare(*args)`, a function of a module, gets everything ready and returns the run. None where the system does not
    report it, or kills the process. There the C library hands freed tensors back at once, so that the peak is that of
    tensors in use and not of what the allocator holds.
    """
    code = "from snnbook.bench.timing import print_peak; print_peak()"
    call = [prepare.__module__, prepare.__name__, json.dumps(args)]
    settings = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 16)}
    done = subprocess.run([sys.executable, "-c", code, *call], capture_output=True, text=True, env=settings)
    if done.returncode > 0:
        raise RuntimeError(f"{' '.join(call)} failed in a process of its own:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def print_peak() -> None:
    """What the process of `peak_memory` does: module, function and arguments (JSON) from the command line."""
    run = _prepared()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the highest resident size starts anew
        before = _status("VmRSS")
        result = run()
        print(_status("VmHWM") - before)
        del result
    except OSError:
        print("null")


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {key}")


def measure_peak_memory(result: Result, case: str, runs: Mapping[str, tuple[Any, ...]]) -> None:
    """Measure the peak memory of each variant: name → bytes to compare with, and the arguments of `peak_memory`."""
    with progress(len(runs)) as bar:
        for name, (size, *call) in runs.items():
            bar.set_description_str(f"{case}, peak memory of {name}", refresh=False)
            peak = peak_memory(*call)
            if peak is not None:
                result.memory.append(Memory(case, name, peak, round(peak / size, 2)))
            bar.update()


def surroundings(packages: Iterable[str] = ()) -> dict[str, Any]:
    """The machine and the versions, as a result holds them; of `packages` those that are installed."""
    facts = environment()
    for name in ("profile", "device"):
        del facts[name]
    facts |= {
        "model": _processor_model(),
        "cores": os.cpu_count(),
        "native": native.status,
    }
    for name in packages:
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return facts


def _processor_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    numbers = ", ".join(f"{k} {facts[v]}" for k, v in (("family", "cpu family"), ("model", "model")) if v in facts)
    return f"{facts.get('model name', platform.machine())} ({numbers})" if numbers else platform.machine()
