"""What other libraries count as synaptic operations, from `data/bench/sops.json`, beside a loop and our own count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from snnbook.report import plots
from snnbook.report.benchmarks import ENTERING, MULTIPLIED, OPERATIONS, OTHER_COUNTERS, Bench, measures, needs
from snnbook.report.blocks import Fragment, listed, sentences
from snnbook.report.tables import Table

NAME = "sops"
OURS = "snnbook"
PRUNED = (
    "all weights",
    "10 % of the weights",
    "2 % of the weights",
    "2 % of every layer",
    "half of the neurons",
    "10 % of the weights, half of the neurons",
)
SPECIAL = ("border", "average pooling", "residual sum")
Counts = Mapping[str, float]  # case → operations per sample


def entered(bench: Bench) -> dict[str, float]:
    """Case → the sum of all values that entered its layers when the other libraries counted."""
    return {case: value for (case, _), value in measures(bench, ENTERING).items()}


def _ratio(reported: float, exact: float) -> str:
    ratio = reported / exact
    return "exact" if abs(ratio - 1) < 1e-9 else f"{ratio:.3g} ×"


@needs(NAME)
def ratios(bench: Bench, loop: Counts, ours: Counts) -> Fragment:
    """Each count over that of the loop, for the networks that are pruned more and more."""
    return _table(bench, loop, ours, PRUNED, "What each counter reports, as a multiple of what the loop counts.")


@needs(NAME)
def special(bench: Bench, loop: Counts, ours: Counts) -> Fragment:
    """The same for a border, an average pooling and a residual sum."""
    return _table(bench, loop, ours, SPECIAL, "Three layers that counters disagree on, as multiples of the loop.")


def _table(bench: Bench, loop: Counts, ours: Counts, cases: Sequence[str], caption: str) -> Table:
    reported = measures(bench, OPERATIONS)
    rows = []
    for case in cases:
        row = {"Network": case, "Loop, SOPs": f"{loop[case]:,.10g}", OURS: _ratio(ours[case], loop[case])}
        rows.append(row | {other: _ratio(reported[case, other], loop[case]) for other in OTHER_COUNTERS})
    return Table(pd.DataFrame(rows), caption)


@needs(NAME)
def agreement(bench: Bench, loop: Counts, ours: Counts) -> Fragment:
    """In words: what each counter gets right, and the most that it overstates."""
    reported = measures(bench, OPERATIONS)
    lines = []
    for counter in (OURS, *OTHER_COUNTERS):
        over = {case: (ours[case] if counter == OURS else reported[case, counter]) / loop[case] for case in loop}
        right = [case for case, ratio in over.items() if abs(ratio - 1) < 1e-9]
        worst = max(over, key=lambda case: over[case])
        least = min(over, key=lambda case: over[case])
        line = f"{counter} is exact in {len(right)} of {len(over)} networks"
        line += f": {listed(right)}" if 0 < len(right) < len(over) else ""
        if over[worst] > 1 + 1e-9:
            line += f". The most that it overstates is {over[worst]:.3g} times ({worst})"
        if over[least] < 1 - 1e-9:
            line += f". It understates {least}, {over[least]:.3g} of the loop"
        lines.append(f"{line}.")
    return sentences(lines)


@needs(NAME)
def chart(bench: Bench, loop: Counts, ours: Counts) -> Fragment:
    """Each count over that of the loop as a group of points for each network, on a logarithmic axis."""
    reported = measures(bench, OPERATIONS)
    fig, ax = plots.subplots(figsize=(6.4, 3.8))
    counters = (OURS, *OTHER_COUNTERS)
    for i, counter in enumerate(counters):
        over = [(ours[case] if counter == OURS else reported[case, counter]) / loop[case] for case in PRUNED]
        at = [n + 0.13 * (i - 2) for n in range(len(PRUNED))]
        ax.plot(over, at, label=counter, **plots.series(i) | {"linestyle": "", "markersize": 7})
    ax.axvline(1, color=plots.INK, linewidth=1)
    ax.set_yticks(range(len(PRUNED)), [case.replace(", ", ",\n") for case in PRUNED])
    ax.set(xscale="log", xlabel="reported ÷ loop")
    ax.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    ax.minorticks_off()
    ax.invert_yaxis()
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=3, fontsize="small")
    most = {counter: max(reported[case, counter] / loop[case] for case in PRUNED) for counter in OTHER_COUNTERS}
    text = listed([f"{counter} up to {ratio:.3g} times" for counter, ratio in most.items()])
    return plots.picture(
        fig,
        alt=f"Points of five counters for five networks; ours lie at 1. Against the loop {text}.",
        caption="Operations that a counter reports, over those that a loop counts, on one network with fewer and fewer "
        "weights and neurons. At the line a counter is exact.",
    )


@needs(NAME)
def multiplied(bench: Bench) -> Fragment:
    """NeuroBench's split into additions and multiplications in the special cases."""
    operations, of_them = measures(bench, OPERATIONS), measures(bench, MULTIPLIED)
    rows = []
    for case in SPECIAL:
        macs = of_them[case, "NeuroBench"]
        row = {"Network": case, "Additions": f"{operations[case, 'NeuroBench'] - macs:,.10g}"}
        rows.append(row | {"Multiplications": f"{macs:,.10g}"})
    return Table(pd.DataFrame(rows), "How NeuroBench divides its count, per sample.")


@needs(NAME)
def versions(bench: Bench) -> Fragment:
    """Versions of the libraries and where they counted."""
    known = bench["environment"]
    rows = [{"Package": name, "Version": known[name.lower()]} for name in OTHER_COUNTERS]
    rows += [{"Package": name, "Version": known[name]} for name in ("snnbook", "torch", "python")]
    return Table(pd.DataFrame(rows), f"The versions that counted, on {known['when'][:10]}.")
