"""One training step of whole networks, against SpikingJelly's copies of them, and the share of it spent in neurons."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import datasets, native, networks
from snnbook.bench import peers
from snnbook.bench.timing import Case, Result, interleaved, one_thread, progress, surroundings, timed
from snnbook.experiments.profiles import EVENT_ROLES, dense
from snnbook.experiments.run import network
from snnbook.feeding import fetch, to_network
from snnbook.networks.convnet import ConvNet
from snnbook.report import benchmarks
from snnbook.training import LOSSES, OPTIMIZERS, Recipe, loss_on

NAME = "train"
FOUR_CONV = "4 conv 16-32-64-64"
EMBEDDED = {dense(role, "laptop").data: role for role in ("CIFAR10", *EVENT_ROLES)}
OURS, BF16, PEER = benchmarks.SNNBOOK, benchmarks.NARROW, benchmarks.JELLY
PRECISION = {OURS: "float32", BF16: "bfloat16"}
GOALS = {(FOUR_CONV, OURS): 1.7, (FOUR_CONV, BF16): 2.3, **{(name, OURS): 1.6 for name in EMBEDDED}}
STEPS = 5  # in one run, since a single step is short
LIF_SHARE_GOAL = 10.0  # per cent of a step
MAX_DIFFERENCE = 1e-6  # relative, of loss and gradients in double precision
# As timed, sums in another order flip a few spikes at the threshold, and each layer makes more of them: the loss stays,
# single gradients do not.
MAX_LOSS_DIFFERENCE = {PEER: 1e-2, OURS: 1e-2, BF16: 5e-2}


@dataclass(frozen=True)
class Workload:
    """A network with a batch to train it on: `x` as stored, `[N, C, H, W]` or `[N, T, C, H, W]`; labels `[N]`."""

    name: str
    model: ConvNet
    x: Tensor
    y: Tensor
    recipe: Recipe

    @property
    def T(self) -> int:
        return self.model.T


def _four_conv() -> Workload:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"convolutions": (16, 32, "M", 64, 64, "M"), "hidden": (), "vote": 0}
    model = networks.build("cifarnet", 10, 3, 32, T=4, **settings)
    assert isinstance(model, ConvNet)
    return Workload(FOUR_CONV, model, torch.randn(16, 3, 32, 32), torch.randint(10, (16,)), Recipe(batch_size=16))


def _embedded(name: str) -> Workload:
    """A network of the book, untrained, with the first batch of its data."""
    trial = dense(EMBEDDED[name], "laptop")
    data = datasets.load(name, "train", **trial.data_options)
    x, y = fetch(data, torch.arange(trial.batch_size))
    torch.manual_seed(0)
    model = network(trial, data)
    assert isinstance(model, ConvNet)
    return Workload(name, model, x, y, trial)


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    return OPTIMIZERS[recipe.optimizer](model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)


def _theirs(workload: Workload, x: Tensor, model: nn.Module) -> Tensor:
    """The loss with SpikingJelly: a static image is repeated, and the states are cleared after the step."""
    sequence = x.unsqueeze(0).repeat(workload.T, 1, 1, 1, 1) if x.dim() == 4 else x.transpose(0, 1)
    return LOSSES[workload.recipe.loss](model(sequence), workload.y)


def _ours(workload: Workload, x: Tensor, model: nn.Module, precision: str) -> Tensor:
    """The loss as training has it; the batch is laid out as the network takes it within the step."""
    return loss_on(model, to_network(x, workload.T), workload.y, LOSSES[workload.recipe.loss], precision)


def _step(workload: Workload, variant: str) -> Callable[[], tuple[Tensor, list[Tensor]]]:
    """Training steps on a copy of the network, with the loss and the gradients of the first."""
    if variant == PEER:
        model = peers.spikingjelly_network(workload.model)
    else:
        model = deepcopy(workload.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    optimizer = _optimizer(model, workload.recipe)

    def step() -> tuple[Tensor, list[Tensor]]:
        optimizer.zero_grad()
        loss = (
            _theirs(workload, workload.x, model)
            if variant == PEER
            else _ours(workload, workload.x, model, PRECISION[variant])
        )
        loss.backward()
        optimizer.step()
        if variant == PEER:
            peers.reset(model)
        return loss.detach(), [p.grad for p in model.parameters() if p.grad is not None]

    def steps() -> tuple[Tensor, list[Tensor]]:
        first = step()
        for _ in range(STEPS - 1):
            step()
        return first

    return steps


def _case(workload: Workload, names: list[str], result: Result) -> Case:
    plain = deepcopy(workload.model).train()
    expected = _gradients(_plain(workload, workload.x, plain), plain)

    def check(variant: str, output: tuple[Tensor, list[Tensor]]) -> None:
        (loss, gradients), (loss0, gradients0) = output, expected
        what = f"{workload.name}, {variant}: first loss as timed, relative difference from snnbook in contiguous layout"
        result.check(what, MAX_LOSS_DIFFERENCE[variant], abs(loss / loss0 - 1).item())
        result.measure(benchmarks.GRADIENTS, _distance(gradients, gradients0), workload.name, variant)

    return Case(
        workload.name,
        {"T": workload.T, "batch": len(workload.x), "steps": STEPS},
        1e-3 * STEPS,
        {name: _step(workload, name) for name in names},
        tuple((PEER, own) for own in PRECISION if PEER in names),
        check,
    )


def _plain(workload: Workload, x: Tensor, model: nn.Module) -> Tensor:
    """The loss of ours in the layout in memory that SpikingJelly's copy has."""
    return LOSSES[workload.recipe.loss](model(x if x.dim() == 4 else x.transpose(0, 1)), workload.y)


def _gradients(loss: Tensor, model: nn.Module) -> tuple[Tensor, list[Tensor]]:
    return loss.detach(), list(torch.autograd.grad(loss, list(model.parameters())))


def _distance(gradients: list[Tensor], base: list[Tensor]) -> float:
    """The norm of the difference of all gradients over the norm of those of `base`."""
    a, b = (torch.cat([t.flatten() for t in tensors]) for tensors in (gradients, base))
    return ((a - b).norm() / b.norm()).item()


def _same_network(workload: Workload, result: Result) -> None:
    """In double precision no spike flips, so that loss and gradients of all copies have to be equal."""
    x, plain = workload.x.double(), deepcopy(workload.model).double().train()
    loss0, gradients0 = _gradients(_plain(workload, x, plain), plain)
    last = deepcopy(plain).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    logits = last(to_network(x, workload.T))  # not by `loss_on`, whose losses are in single precision
    copies = {f"{OURS} in channels-last layout": _gradients(LOSSES[workload.recipe.loss](logits, workload.y), last)}
    if "spikingjelly" in peers.installed():
        theirs = peers.spikingjelly_network(workload.model).double().train()
        copies[PEER] = _gradients(_theirs(workload, x, theirs), theirs)
    for copy, (loss, gradients) in copies.items():
        name = f"{workload.name}, {copy} against {OURS}, double precision, relative difference"
        result.check(f"{name} of the loss", MAX_DIFFERENCE, abs(loss / loss0 - 1).item())
        result.check(f"{name} of the gradients", MAX_DIFFERENCE, _distance(gradients, gradients0))


@contextmanager
def _time_in_lif() -> Iterator[list[float]]:
    """Thread CPU seconds in the compiled LIF passes, summed up in a list of one."""
    spent, passes = [0.0], (native.lif_forward, native.lif_backward)

    def timing(run: Callable[..., Any]) -> Callable[..., Any]:
        def run_timed(*args: Any, **settings: Any) -> Any:
            start = time.thread_time()
            output = run(*args, **settings)
            spent[0] += time.thread_time() - start
            return output

        return run_timed

    try:
        for run in passes:
            setattr(native, run.__name__, timing(run))
        yield spent
    finally:
        for run in passes:
            setattr(native, run.__name__, run)


def _measure_lif_share(cases: list[Case], rounds: int, result: Result) -> None:
    """Measure which share of our step the LIF passes take, in rounds of their own: it costs a little time."""
    with progress(len(cases) * rounds) as bar:
        for case in cases:
            bar.set_description_str(f"{case.name}, share of the neurons", refresh=False)
            for name in (v for v in PRECISION if v in case.variants):
                shares = []
                for _ in range(rounds):
                    with _time_in_lif() as spent:
                        step = timed(case.variants[name])[0]
                    shares.append(100 * spent[0] / step)
                result.measure(benchmarks.LIF_SHARE, round(median(shares), 2), case.name, name, "%")
            bar.update(rounds)


def bench(rounds: int = 5, quick: bool = False, names: tuple[str, ...] = ()) -> Result:
    """Time one training step (zero_grad, forward, loss, backward, optimiser step) of the networks in `names`.

    Raises WrongResult if SpikingJelly's copy is another network than ours, or if a variant loses the loss.
    """
    result = Result(NAME, "ms per step", rounds, quick, environment=surroundings(peers.PACKAGES))
    chosen = names or (FOUR_CONV, *islice(EMBEDDED, 1 if quick else None))
    workloads = [_four_conv() if name == FOUR_CONV else _embedded(name) for name in chosen]
    variants = [OURS, BF16] + [PEER] * ("spikingjelly" in peers.installed())
    with one_thread():
        for workload in workloads:
            _same_network(workload, result)
        cases = [_case(workload, variants, result) for workload in workloads]
        result.cells, result.ratios = interleaved(cases, rounds)
        if native.available():
            _measure_lif_share(cases, rounds, result)
    _goals(result)
    return result


def _goals(result: Result) -> None:
    for (name, own), goal in GOALS.items():
        what = f"training step, {name}, {own} against {PEER}, times"
        result.goal(what, "at least", goal, result.ratio(name, PEER, own))
    for name in EMBEDDED:
        share = result.measured(benchmarks.LIF_SHARE, name, OURS)
        result.goal(f"{name}, {OURS}: per cent of the step in the LIF passes", "at most", LIF_SHARE_GOAL, share)
