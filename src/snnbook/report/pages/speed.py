"""The page on speed: what `snnbook bench` found, from its JSON files alone, and what it fell short of."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from snnbook.report import plots
from snnbook.report.benchmarks import (
    DECIDED_OTHERWISE,
    IN_ONE_PROCESS,
    JELLY,
    LIF_SHARE,
    NARROW,
    SNNBOOK,
    STEP_BY_STEP,
    Bench,
    Benches,
    measures,
    missing,
    needs,
    timings,
)
from snnbook.report.blocks import Fragment, paragraph, sentences
from snnbook.report.records import RecordLike
from snnbook.report.tables import Table, duration, format_number

NAMES = ("lif", "train", "lamp", "count")
# A peer's time is shown with its usual settings; every setting is in the file.
SHOWN = (SNNBOOK, NARROW, STEP_BY_STEP, JELLY, "snnTorch", "Norse", "sinabs")
FACTS = {
    "model": "Processor",
    "processor": "Instruction set",
    "cores": "Cores",
    "native": "Compiled kernels",
    "when": "When (UTC)",
    "commit": "Commit",
    "python": "Python",
}
PACKAGES = ("snnbook", "torch", "spikingjelly", "snntorch", "norse", "sinabs")

MILLION = 1 << 20  # elements are counted in binary


def machine(benches: Benches) -> Fragment:
    """Where and with which versions each benchmark was run."""
    if not benches:
        return missing("lif")
    rows = []
    for key, title in (FACTS | {name: name for name in PACKAGES}).items():
        values = {name: str(result["environment"].get(key, "–")) for name, result in benches.items()}
        if set(values.values()) != {"–"}:
            rows.append({"": title} | values)
    rows.append({"": "Interleaved rounds"} | {name: str(result["rounds"]) for name, result in benches.items()})
    if any(result["quick"] for result in benches.values()):
        scale = {name: "quick: small sizes" if result["quick"] else "full" for name, result in benches.items()}
        rows.append({"": "Scale"} | scale)
    return Table(pd.DataFrame(rows), "The machine and the versions, by benchmark.")


def verdict(benches: Benches, names: Sequence[str] = NAMES) -> Fragment:
    """In words: which goals are reached, and each that is not with its number."""
    goals = [goal for result in benches.values() for goal in result["goals"]]
    absent = [name for name in names if name not in benches]
    lines = []
    if goals:
        short = [goal for goal in goals if not goal["reached"]]
        lines.append(f"{len(goals) - len(short)} of {len(goals)} goals are reached on this machine.")
        lines += [
            f"Not reached: {goal['what']}: {goal['value']:.3g}; the goal was {goal['bound']} {goal['limit']:g}."
            for goal in short
        ]
    elif benches:
        lines.append("None of the goals was put to the test: a goal needs the full sizes, and most need the peers.")
    lines += [missing(name).markdown for name in absent]
    return sentences(lines)


def goals(benches: Benches) -> Fragment:
    """Every goal with its number, and whether it is reached."""
    rows = [
        {
            "What": goal["what"],
            "Goal": f"{goal['bound']} {goal['limit']:g}",
            "Found": f"{goal['value']:.3g}",
            "Outcome": "✓ reached" if goal["reached"] else "✗ not reached",
        }
        for result in benches.values()
        for goal in result["goals"]
    ]
    if not rows:
        return verdict(benches)
    caption = "Goals and what was found. Ratios: the peer's time over ours, the median over rounds."
    return Table(pd.DataFrame(rows), caption)


def checks(benches: Benches) -> Fragment:
    """Every check of the results that the times rest on; a benchmark in which one fails leaves no file."""
    rows = [
        {"Benchmark": name, "Checked": check["what"], "At most": f"{check['limit']:.2g}",
         "Found": f"{check['value']:.2g}"}
        for name, result in benches.items()
        for check in result["checks"]
    ]  # fmt: skip
    if not rows:
        return verdict(benches)
    return Table(pd.DataFrame(rows), "What was checked in the same runs.", row_headers=2)


def _style(variant: str) -> dict[str, Any]:
    """Ours in both precisions shares a colour; every variant has a marker and a line of its own."""
    if variant == NARROW:
        return {"color": plots.PALETTE[0], "marker": "P", "linestyle": (0, (2, 1)), "markerfacecolor": "none"}
    return plots.series([name for name in SHOWN if name != NARROW].index(variant))


def _curve(lif: Bench, variant: str, along: str, fixed: str, at: int) -> tuple[list[int], list[float]]:
    cells = [c for c in lif["cells"] if c["variant"] == variant and c["sizes"][fixed] == at]
    cells.sort(key=lambda c: c["sizes"][along])
    return [c["sizes"][along] for c in cells], [c["time"] for c in cells]


def _most_compared(lif: Bench, key: str) -> int:
    """The T or the size at which most was timed."""
    values = [c["sizes"][key] for c in lif["cells"]]
    return max(sorted(set(values)), key=values.count)


@needs("lif")
def neurons(lif: Bench) -> Fragment:
    """Time per element of the LIF neurons forwards and backwards, against T and against size."""
    elements, T = _most_compared(lif, "elements"), _most_compared(lif, "T")
    fig, (left, right) = plots.subplots(1, 2, figsize=(9, 4), sharey=True)
    numbers = []
    for variant in SHOWN:
        for ax, along, fixed, at in ((left, "T", "elements", elements), (right, "elements", "T", T)):
            x, y = _curve(lif, variant, along, fixed, at)
            if x:
                ax.plot(x, y, label=variant, **_style(variant))
                if ax is left:
                    numbers.append(f"{variant} {min(y):.2g} to {max(y):.2g}")
    left.set_xscale("log", base=2)
    steps = sorted({c["sizes"]["T"] for c in lif["cells"]})
    left.set_xticks(steps, [str(t) for t in steps])
    left.set(yscale="log", xlabel="time steps T", ylabel="ns per element")
    right.set(xscale="log", xlabel="elements (T times neurons)")
    left.set_title(f"{elements / MILLION:g}M elements")
    right.set_title(f"T = {T}")
    sizes = sorted({c["sizes"]["elements"] for c in lif["cells"]})
    right.set_xticks(sizes, [f"{n / MILLION:g}M" for n in sizes])
    right.minorticks_off()
    _y_ticks(left, [c["time"] for c in lif["cells"] if c["variant"] in SHOWN])
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize="small")
    alt = f"Two panels of time per element on logarithmic axes. Against T, in ns: {'; '.join(numbers)}."
    caption = (
        "Time per element of the LIF neurons, forwards and backwards, median over rounds. Left: against the number of "
        "time steps. Right: against size; a level line means that time grows with the work and no faster."
    )
    return plots.picture(fig, alt, caption)


def _y_ticks(ax: Axes, values: Sequence[float]) -> None:
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if min(values) / 2 <= t <= 2 * max(values)]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()


@needs("lif")
def neuron_ratios(lif: Bench) -> Fragment:
    """How many times our time each peer takes, over T."""
    at = _most_compared(lif, "elements")
    steps = sorted({c["sizes"]["T"] for c in lif["cells"]})
    size = {c["case"]: c["sizes"] for c in lif["cells"]}
    rows: dict[str, dict[str, str]] = {}
    for r in lif["ratios"]:
        sizes = size[r["case"]]
        if sizes["elements"] == at:
            row = rows.setdefault(r["peer"], {"Peer": r["peer"], "Compared with": r["ours"]})
            row[f"T = {sizes['T']}"] = f"{r['ratio']:.1f}"
    columns = ["Peer", "Compared with", *(f"T = {t}" for t in steps)]
    caption = (
        f"LIF forwards and backwards, {at / MILLION:g}M elements: the peer's time over that of the variant of ours "
        "with the same dynamics, median over rounds."
    )
    return Table(pd.DataFrame(list(rows.values()), columns=columns), caption)


@needs("lif")
def neuron_ratios_together(lif: Bench) -> Fragment:
    """The same ratios in one process, whose allocator keeps freed memory for all."""
    rows: dict[str, dict[str, str]] = {}
    for (case, peer), ratio in measures(lif, IN_ONE_PROCESS).items():
        rows.setdefault(peer, {"Peer": peer})[case.removesuffix(" elements")] = f"{ratio:.1f}"
    caption = (
        "The same ratios where all variants share one process and freed memory is kept for all of them: without the "
        "page faults of fresh memory, what is left is arithmetic and memory traffic."
    )
    return Table(pd.DataFrame(list(rows.values())), caption)


def _memory(result: Bench, caption: str) -> Fragment:
    rows = [
        {
            "Work": m["case"],
            "Variant": m["variant"],
            "MB": f"{m['bytes'] / 1e6:,.0f}",
            "Times the data": f"{m['times']:.2f}",
        }
        for m in result["memory"]
    ]
    if not rows:
        return paragraph("Peak memory was not measured: this system does not tell it.")
    return Table(pd.DataFrame(rows), caption, row_headers=2)


@needs("lif")
def neuron_memory(lif: Bench) -> Fragment:
    """Extra peak memory of the LIF neurons, as multiples of the input."""
    return _memory(
        lif,
        "Extra peak memory of one pass forwards and backwards: output, incoming gradient, gradient of the input and "
        "whatever else is kept, without the input itself; as multiples of the input.",
    )


@needs("train")
def steps(train: Bench) -> Fragment:
    """Bars of the time of one training step, by network and variant."""
    cases = list(dict.fromkeys(c["case"] for c in train["cells"]))
    variants = list(dict.fromkeys(c["variant"] for c in train["cells"]))
    time = timings(train)
    fig, ax = plots.subplots(figsize=(8, 3.6))
    width = 0.8 / len(variants)
    for i, variant in enumerate(variants):
        at = [k + width * (i - (len(variants) - 1) / 2) for k in range(len(cases))]
        values = [time[case, variant] for case in cases]
        ax.bar(at, values, width, label=variant, color=_style(variant)["color"], hatch=plots.HATCHES[i],
               edgecolor=plots.INK, alpha=0.7)  # fmt: skip
    ax.set_xticks(range(len(cases)), [_network(train, case) for case in cases])
    ax.set(ylabel="ms per step")
    ax.grid(axis="x", visible=False)
    ax.legend()
    numbers = "; ".join(f"{case}: " + ", ".join(f"{v} {time[case, v]:.3g}" for v in variants) for case in cases)
    caption = "One training step: gradients to zero, forwards, loss, backwards, optimiser; median over rounds."
    return plots.picture(fig, f"Bars of milliseconds per training step. {numbers}.", caption)


def _network(train: Bench, case: str) -> str:
    sizes = next(c["sizes"] for c in train["cells"] if c["case"] == case)
    return f"{case}\nT = {sizes['T']}, batch {sizes['batch']}"


@needs("train")
def step_ratios(train: Bench) -> Fragment:
    """SpikingJelly's step over ours by network, and what share of ours the neurons take."""
    ratio = {(r["case"], r["ours"]): r["ratio"] for r in train["ratios"]}
    share = measures(train, LIF_SHARE)
    time = timings(train)
    rows = []
    for case, variant in time:
        if variant in (SNNBOOK, NARROW):
            part = share.get((case, variant), float("nan"))
            times = ratio.get((case, variant), float("nan"))
            rows.append(
                {
                    "Network": case,
                    "Variant": variant,
                    "ms per step": format_number(time[case, variant], 1),
                    "SpikingJelly's time over ours": format_number(times),
                    "LIF, % of our step": format_number(part, 1),
                }
            )
    caption = "Training steps: how many times ours SpikingJelly's takes, and how much of ours is spent in the neurons."
    return Table(pd.DataFrame(rows), caption, row_headers=2)


def work(records: Sequence[RecordLike], profile: str) -> Fragment:
    """How long the stored trials of a profile took, by data set, as their records say."""
    spent: dict[str, list[float]] = {}
    for record in records:
        if (seconds := record.environment.get("wall_s")) is not None:
            spent.setdefault(record.trial["data"], []).append(seconds)
    if not spent:
        return paragraph(f"There are no records of the profile {profile} yet.")
    everything = [seconds for each in spent.values() for seconds in each]
    rows = [
        {
            "Data": data,
            "Trainings": str(len(seconds)),
            "Median": duration(median(seconds)),
            "All": duration(sum(seconds)),
            "Two at a time": duration(sum(seconds) / 2),
        }
        for data, seconds in {**dict(sorted(spent.items())), "all": everything}.items()
    ]
    caption = (
        f"Time of the trainings behind the profile {profile}, measurements included, from the records. Each ran on one "
        "thread, two at a time; the last column is half of the sum."
    )
    return Table(pd.DataFrame(rows), caption)


@needs("lamp")
def lamp(lamp: Bench) -> Fragment:
    """Times of the three ways to LAMP's masks, and where they decide otherwise."""
    ratio = {(r["case"], r["peer"]): r["ratio"] for r in lamp["ratios"]}
    other = measures(lamp, DECIDED_OTHERWISE)
    rows = []
    for c in lamp["cells"]:
        case, variant = c["case"], c["variant"]
        differ = other.get((case, variant))
        rows.append(
            {
                "Size": case,
                "Method": variant,
                "ms": f"{c['time']:,.0f}",
                "Time over ours": format_number(ratio.get((case, variant), float("nan")), 1),
                "Weights decided otherwise": None if differ is None else f"{differ:.0f}",
            }
        )
    caption = (
        "LAMP scores, threshold and masks at 98 % sparsity. Last column: weights whose mask is not that of the exact "
        "ranks in double precision."
    )
    return Table(pd.DataFrame(rows), caption, row_headers=2)


@needs("lamp")
def lamp_memory(lamp: Bench) -> Fragment:
    """Extra peak memory of LAMP, as multiples of the weights."""
    return _memory(lamp, "Extra peak memory of one LAMP cut, masks included, as multiples of the weights.")
