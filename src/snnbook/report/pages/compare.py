"""The blocks of the page that compares all methods: ladders, fronts, the change of order, every arm, limits."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from snnbook.pruning import registry
from snnbook.pruning.registry import FAMILIES
from snnbook.report import arms, ladders, look, orders, plots
from snnbook.report.blocks import Fragment, by_value, details, listed, sentences, stacked
from snnbook.report.ladders import DENSE, REFERENCE
from snnbook.report.records import ResultsLike, at_chance, number, records_on, unique, with_scale
from snnbook.report.tables import NONE, Table, format_number, range_text


def _families(study: ResultsLike) -> dict[str, list[str]]:
    """Family → its methods in the study, without the families that have none."""
    methods = ladders.methods(study)
    members = {name: [m for m in methods if look.family(m) == name] for name in FAMILIES}
    return {name: there for name, there in members.items() if there}


def by_family(study: ResultsLike, axis: str) -> plots.Picture:
    """Accuracy on one axis: a row of panels for each family, a column for each set."""
    families, sets = _families(study), study.sets
    fig, grid = plots.subplots(
        len(families), len(sets), figsize=(9, 2.3 * len(families)), squeeze=False, sharex="col", sharey="col"
    )
    for (name, members), row in zip(families.items(), grid, strict=True):
        for ax, data in zip(row, sets, strict=True):
            look.background(ax, study, data, axis, members)
            for i, method in enumerate(members):
                ax.plot(
                    *look.path(ladders.ladder(study, data, method, axis)), label=look.named(method), **plots.series(i)
                )
        row[0].set_ylabel("accuracy, %")
        row[0].set_title(name, loc="left", fontsize=11)
        row[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    for column, data in zip(grid.T, sets, strict=True):
        look.stretch(column[0], look.lowest(study, data))
        look.logarithmic(column[0], axis)
        for ax in column[:-1]:
            ax.set_xlabel("")
        column[-1].set_xlabel(ladders.axis(axis).title)
        column[0].set_title(data)
    about = ladders.axis(axis)
    numbers = "; ".join(f"{name}: {', '.join(map(look.named, members))}" for name, members in families.items())
    return plots.picture(
        fig,
        alt=f"Accuracy against {about.title}, a row for each family of methods, a column for each data set. {numbers}. "
        + " ".join(front_sentences(study, axis)),
        caption=f"Accuracy (scale stretched towards 100 %) against {about.title}: a family of methods in each row, "
        "all others in grey behind it, the dense network dashed. " + look.reconstructions(ladders.methods(study)),
        records=unique([study]),
    )


# --- fronts -----------------------------------------------------------------------------------------------


def fronts(study: ResultsLike) -> plots.Picture:
    """All points on the three axes, with the front of those that nothing beats."""
    sets = study.sets
    fig, grid = plots.subplots(len(ladders.AXES), len(sets), figsize=(9, 9.5), squeeze=False)
    for row, axis in zip(grid, ladders.AXES, strict=True):
        for ax, data in zip(row, sets, strict=True):
            for name, members in _families(study).items():
                paths = [look.path(ladders.ladder(study, data, m, axis)) for m in members]
                spent, reached = ([value for f in paths for value in f[i]] for i in (0, 1))
                ax.plot(
                    spent,
                    reached,
                    look.marker(members[0]),
                    color=look.colour(members[0]),
                    label=name,
                    alpha=0.75,
                    ls="none",
                )
            best = [(*p.mean, m) for m, p in ladders.front(study, data, axis) if p.mean[0] > 0]
            steps = {"where": "post", "color": plots.INK, "lw": 1, "ls": "-", "marker": ""}
            ax.step([x for x, *_ in best], [y for _, y, _ in best], **steps)
            for x, y, method in best:
                ax.annotate(look.named(method), (x, y), (0, 5), textcoords="offset points", fontsize=7, ha="center")
            look.dense_level(ax, study, data)
            look.stretch(ax, look.lowest(study, data))
            look.logarithmic(ax, axis)
        row[0].set_ylabel("test accuracy, %")
    for ax, data in zip(grid[0], sets, strict=True):
        ax.set_title(data)
    fig.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return plots.picture(
        fig,
        alt="Accuracy of every arm against weights, connections and synaptic operations; the Pareto front as steps. "
        + " ".join(line for axis in ladders.AXES for line in front_sentences(study, axis)),
        caption="Every arm by family, and the Pareto front on each axis: nothing else reaches as much with as little "
        "as the named ones. Means over the seeds. " + look.reconstructions(ladders.methods(study)),
        records=unique([study]),
    )


def front_sentences(study: ResultsLike, axis: str) -> list[str]:
    """Which methods are on the front of an axis, in words."""
    lines = []
    for data in study.sets:
        names = list(dict.fromkeys(look.named(method) for method, _ in ladders.front(study, data, axis)))
        if names:
            lines.append(f"{data}, front by {ladders.axis(axis).short}: {listed(names)} (from cheap to dear).")
    return lines


def front_table(study: ResultsLike) -> Table:
    """How often each method is on a front: levels on it, by set and axis."""
    rows = []
    columns = [(data, axis) for data in study.sets for axis in ladders.AXES]
    on_front = {(data, axis): [m for m, _ in ladders.front(study, data, axis)] for data, axis in columns}
    for method in ladders.methods(study):
        counts = {f"{data}: {ladders.AXES[axis].short}": on_front[data, axis].count(method) for data, axis in columns}
        if any(counts.values()):
            rows.append(
                {"Method": look.named(method), "Family": look.family(method)}
                | {k: str(v or NONE) for k, v in counts.items()}
            )
    rows.sort(key=lambda row: -sum(int(v) for k, v in row.items() if ":" in k and v != NONE))
    caption = "Levels of each method on the Pareto front; methods that are on none are left out. "
    caption += look.reconstructions(ladders.methods(study))
    return Table(pd.DataFrame(rows), with_scale(caption, unique([study])))


# --- order ------------------------------------------------------------------------------------------------


def slopes(study: ResultsLike) -> plots.Picture:
    """Ranks at equal weights, at equal connections and at equal SOPs, a line for each method."""
    sets = study.sets
    fig, axes = plots.subplots(1, len(sets), figsize=(4.6 * max(2, len(sets)), 6.2), squeeze=False)
    numbers = []
    for ax, data in zip(axes[0], sets, strict=True):
        level = ladders.fullest_level(study, data)
        by_axis = [orders.ranks(accuracy) for accuracy in ladders.at_level(study, data, level).values()]
        for method in by_axis[0]:
            line = [ranks[method] for ranks in by_axis]
            ax.plot(range(len(line)), line, marker="o", ls="-", color=look.colour(method), lw=1.4)
            for x, side, where in ((0, -0.08, "right"), (len(line) - 1, 0.08, "left")):
                ax.text(
                    x + side, line[x], look.named(method), ha=where, va="center", fontsize=8, color=look.colour(method)
                )
            numbers.append(f"{data} {look.named(method)}: {', '.join(f'{rank:g}' for rank in line)}")
        ax.set_xticks(range(len(ladders.AXES)), [f"equal\n{about.short}" for about in ladders.AXES.values()])
        ax.set(title=f"{data}, at {level}" if level else data, xlim=(-1.1, len(ladders.AXES) + 0.1), ylabel="rank")
        ax.set_ylim(max([len(by_axis[0]), 1]) + 0.6, 0.4)
        ax.yaxis.set_major_locator(plots.plt.MaxNLocator(integer=True, min_n_ticks=1))
        ax.grid(axis="y", visible=False)
    return plots.picture(
        fig,
        alt="Lines from the rank at equal weights to that at equal connections and at equal operations. "
        + ("; ".join(numbers) or "There are not two methods with a value on all axes")
        + ".",
        caption="Rank in accuracy (1 = most accurate) among networks with as many weights, connections, or SOPs. The "
        "budget on each axis is what the middle method spends at the named level; only methods whose ladders reach it "
        "on all three axes have a line. Colours are by family. " + look.reconstructions(ladders.methods(study)),
        records=unique([study]),
    )


def order_table(study: ResultsLike) -> Table:
    """How much the order of the methods changes between two axes, for every level and set."""
    rows = []
    for data in study.sets:
        for level in ladders.budgets(study, data, "weights"):
            by_axis = ladders.at_level(study, data, level)
            row = {"Data": data, "Budget": level, "Methods": str(len(by_axis["weights"]))}
            for one, two in combinations(ladders.AXES, 2):
                turned = orders.change(by_axis[one], by_axis[two])
                text = f"{format_number(turned.tau, 2)} ({turned.turned} of {turned.pairs})" if turned.pairs else NONE
                row[f"{ladders.AXES[one].short} → {ladders.AXES[two].short}"] = text
            rows.append(row)
    caption = (
        "Kendall's tau between the orders of the methods on two axes (1: the same, −1: reversed), and the pairs of "
        "methods that change places, of all pairs."
    )
    return Table(pd.DataFrame(rows), with_scale(caption, unique([study])), row_headers=2)


def order_sentences(study: ResultsLike) -> Fragment:
    """What the change of order comes to, in words."""
    lines = []
    for data in study.sets:
        level = ladders.fullest_level(study, data)
        by_axis = ladders.at_level(study, data, level)
        turned = orders.change(by_axis["weights"], by_axis["sops"])
        if not turned.pairs:
            lines.append(f"{data}: there are not two methods that can be compared on all axes.")
            continue
        before, after = orders.ranks(by_axis["weights"]), orders.ranks(by_axis["sops"])
        text = (
            f"{data}, {level}: {turned.turned} of {turned.pairs} pairs of methods change places between equal weights "
        )
        text += "and equal SOPs"
        climbed = {m: before[m] - after[m] for m in before}
        for verb, most in (("climb", max(climbed.values())), ("fall", min(climbed.values()))):
            movers = [m for m in climbed if most and climbed[m] == most and (most > 0) == (verb == "climb")]
            if movers:
                places = listed([f"{before[m]:g} to {after[m]:g}" for m in movers])
                names = listed([look.named(m) for m in movers])
                text += f"; {names} {verb}{'s' if len(movers) == 1 else ''} most, from rank {places}"
        lines.append(f"{text}.")
    return sentences(lines)


# --- everything -------------------------------------------------------------------------------------------


def everything(study: ResultsLike) -> Fragment:
    """Every arm: a folded table for each set, and all of them as a file."""
    blocks = []
    for data in study.sets:
        keys = [key for m in (DENSE, *ladders.methods(study)) for key in ladders.keys(study, data, m)]
        frame = arms.rows(study, keys).drop(columns="Data")
        records = [r for key in keys for r in study.records[key]]
        shown = Table(frame, with_scale(f"Every arm on {data}: mean ± sd (number of seeds).", records), 2)
        title = f"{data}: {len(keys)} arms"
        blocks.append(Fragment(details(title, shown.html), f"{title}\n\n{shown.markdown}"))
    text = raw(study).to_csv(index=False)
    link = f"data:text/csv;charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"
    html = f'<p><a download="methods.csv" href="{link}">All arms and seeds as a file (CSV)</a></p>'
    every = stacked(*blocks)
    return Fragment(every.html + html, every.markdown)


def raw(study: ResultsLike) -> pd.DataFrame:
    """A row for each arm and seed, in numbers."""
    return pd.DataFrame(
        {
            "data": key.data,
            "method": key.arm,
            "family": look.family(key.arm),
            "level": key.level,
            "seed": r.seed,
            "accuracy": number(r.metrics["top1"]),
            **{axis: about.of(r.metrics) for axis, about in ladders.AXES.items()},
            "epochs": ladders.total_epochs(study, key),
            "cpu_seconds": ladders.seconds(study, key)[r.seed],
            "id": r.id,
        }
        for key, records in study.records.items()
        for r in records
    )


def limits(study: ResultsLike) -> Fragment:
    """What the records themselves say against reading too much into them."""
    lines = []
    for data in study.sets:
        records = records_on(study, data)
        tested = {number(r.metrics["samples_test"]) for r in records} - {math.nan}
        if tested and all(map(math.isfinite, tested)):
            one = 100 / min(tested)
            lines.append(f"{data}: {range_text(tested)} test samples, so that one of them is {one:.2g} points.")
        shortest = min((p.mean[0] for p in ladders.ladder(study, data, REFERENCE, "weights")), default=math.nan)
        ends = {
            m: min(p.mean[0] for p in points)
            for m in ladders.methods(study, data)
            if (points := ladders.ladder(study, data, m, "weights"))
        }
        short = [f"{look.named(m)} ({end:.3g} %)" for m, end in ends.items() if end > shortest * (1 + ladders.SLACK)]
        if short:
            lines.append(
                f"{data}: ladders that end before {REFERENCE}'s {shortest:.3g} % of the weights: {listed(short)}."
            )
        chance = {
            f"{key.arm} {key.level}".strip()
            for key, arm in study.records.items()
            if key.data == data and any(map(at_chance, arm))
        }
        if chance:
            lines.append(f"{data}: arms with a network that guesses, for at least one seed: {listed(sorted(chance))}.")
        absent = [m for m in ladders.methods(study) if m not in ends]
        if absent:
            lines.append(f"{data}: not run here: {listed(absent)}.")
    return sentences(lines or ["There are no records."])


def unequal(study: ResultsLike, tuning: ResultsLike) -> Fragment:
    """What the comparison does not hold equal between methods, from their plans and from the records.

    tuning: the records that settings were chosen from.
    """
    plans = {
        m: plan
        for m in ladders.methods(study)
        if m in registry.METHODS and (plan := registry.METHODS[m].plan) is not None
    }
    lines = [f"Candidates in tuning: {_grouped({m: str(len(plan.candidates)) for m, plan in plans.items()})}."]
    if tuned := unique([tuning]):
        chosen_by = f"{len({r.seed for r in tuned})} seeds on {listed(tuning.sets)}"
        lines.append(
            f"Settings were chosen by {chosen_by}, and are the same at all levels and on {listed(study.sets)}."
        )
    spans = _grouped({m: _span(m, plan) for m, plan in plans.items()})
    lines.append(f"Share of the training within which masks change: {spans}; the others have no such setting.")
    exchanges = _grouped({m: _exchanges(study, m) for m in plans})
    if exchanges != NONE:
        lines.append(f"Exchanges of weights: {exchanges}.")
    by_outcome = [m for m, plan in plans.items() if not all("sparsity" in level for level in plan.levels.values())]
    if by_outcome:
        names = listed([look.named(m) for m in by_outcome])
        lines.append(
            f"Sparsity is an outcome and not a setting: {names}. Their levels lie where they fall, and between them "
            "accuracy is interpolated."
        )
    networks = _grouped({m: registry.described(plan.network) if plan.network else "" for m, plan in plans.items()})
    if networks != NONE:
        lines.append(f"Networks with settings of their own: {networks}.")
    before = {key: epochs for key in study.records if (epochs := ladders.start_epochs(study, key)) > 0}
    started = [look.named(m) for m in ladders.methods(study) if any(key.arm == m for key in before)]
    if started:
        lines.append(
            f"A dense start is counted in epochs ({range_text(before.values())} of them), whatever its weights cost: "
            f"{listed(started)}."
        )
    kinds = sorted({str(r.environment.get("processor")) for r in unique([study])} - {"None"})
    if kinds:
        lines.append(f"Arithmetic in which the records were made, and no other: {listed(kinds)}.")
    return sentences(lines)


def _grouped(values: Mapping[str, str]) -> str:
    """`4 for lamp and set; 2 for stds`: the methods that share a value, without those that have none."""
    groups = by_value({look.named(method): value for method, value in values.items() if value})
    return "; ".join(f"{value} for {listed(names)}" for value, names in sorted(groups.items())) or NONE


def _span(method: str, plan: registry.ComparisonPlan) -> str:
    """The spans that tuning tried for a method, or the fixed one; empty for a method without."""
    settings = registry.settings(method) | dict(plan.shared)
    if "span" not in settings:
        return ""
    tried = sorted({candidate["span"] for candidate in plan.candidates if "span" in candidate})
    return f"{listed([f'{span:g}' for span in tried])} tried" if tried else f"{settings['span']:g} fixed"


def _exchanges(study: ResultsLike, method: str) -> str:
    """How often a method that regrows exchanges weights, and within how many epochs; empty for all others."""
    if look.family(method) not in ("cut and regrow", "rewire by sign"):
        return ""
    records = [r for data in study.sets for key in ladders.keys(study, data, method) for r in study.records[key]]
    settings = [(r.trial.get("settings", {}), number(r.metrics["epochs"])) for r in records]
    counts = {(s["updates"], s.get("span", 1) * epochs) for s, epochs in settings if "updates" in s}
    return listed([f"{updates} in {epochs:g} epochs" for updates, epochs in sorted(counts)])
