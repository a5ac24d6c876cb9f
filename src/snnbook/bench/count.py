"""What counting costs: a pass in which every product is read off, beside the plain forward pass. `snnbook bench count`.

The network is paper B's on CIFAR-10 at a quarter of its width, the size that the book's own are nearest to.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnbook import measure, networks
from snnbook.bench.timing import Case, Result, interleaved, one_thread, surroundings
from snnbook.report.benchmarks import COUNTED, PLAIN

NAME = "count"
SIZES = ((4, 16), (4, 64), (8, 64))  # time steps, samples
WIDTH = 0.25
LIMIT = 1.5


def _case(T: int, samples: int, result: Result) -> Case:
    torch.manual_seed(0)
    model = networks.build("cifarnet", width=WIDTH, T=T).eval()
    x = (torch.rand(T, samples, 3, 32, 32) < 0.1).float()
    logits = model(x)

    def check(name: str, value: Tensor | measure.SOPs) -> None:
        if isinstance(value, measure.SOPs):
            share = sum(value.accumulates.values()) / (value.total + value.encoding_sops)
            result.check(
                "distance of the counted accumulates from the SOPs of a network of spikes", 1e-9, abs(1 - share)
            )
        else:
            result.check("distance of the logits after a counted pass", 0.0, float((value - logits).abs().max()))

    runs = {PLAIN: lambda: model(x), COUNTED: lambda: measure.sops(model, x)}
    sizes = {"T": T, "samples": samples, "parameters": _parameters(model)}
    return Case(f"T={T}, {samples} samples", sizes, 1e-3, runs, ((COUNTED, PLAIN),), check)


def _parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def bench(rounds: int = 5, quick: bool = False) -> Result:
    """Time a counted pass against a plain one. Raises WrongResult where counting changes what the network puts out."""
    result = Result(NAME, "ms", rounds, quick, environment=surroundings())
    with one_thread(), torch.no_grad():
        cases = [_case(T, samples, result) for T, samples in (SIZES[:1] if quick else SIZES)]
        result.cells, result.ratios = interleaved(cases, rounds)
    worst = max(result.ratio(case.name, COUNTED) or 0.0 for case in cases)
    result.goal("a counted pass over a plain one, the most", "at most", LIMIT, None if quick else worst)
    return result
