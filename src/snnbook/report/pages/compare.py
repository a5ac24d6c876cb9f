"""The blocks of the pages that compare all methods: ladders, fronts, the change of order, ranks, costs."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from snnbook.report import ladders, plots
from snnbook.report.blocks import Block, details
from snnbook.report.ladders import DENSE, REFERENCE
from snnbook.report.pages.method import (
    FAMILIES,
    arms,
    background,
    colour,
    dense_level,
    family,
    logarithmic,
    lowest,
    mark,
    noted,
    path,
    rank_text,
    sentences,
    stretch,
)
from snnbook.report.records import ResultsLike, number, scale_note, unique
from snnbook.report.stats import mean_interval, mean_sd
from snnbook.report.tables import NONE, Table, change_text, format_number, mean_sd_text


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return ", ".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def _families(study: ResultsLike) -> dict[str, list[str]]:
    """Family → its methods in the study, without the families that have none."""
    found = ladders.methods(study)
    members = {name: [m for m in found if family(m) == name] for name in FAMILIES}
    return {name: there for name, there in members.items() if there}


def by_family(study: ResultsLike, axis: str) -> plots.Picture:
    """Accuracy on one axis: a row of panels for each family, a column for each set."""
    families, roles = _families(study), ladders.roles(study)
    fig, grid = plots.subplots(
        len(families), len(roles), figsize=(9, 2.3 * len(families)), squeeze=False, sharex="col", sharey="col"
    )
    for (name, members), row in zip(families.items(), grid, strict=True):
        for ax, role in zip(row, roles, strict=True):
            background(ax, study, role, axis, members)
            for i, method in enumerate(members):
                style = {"color": plots.PALETTE[i % 6], "marker": plots.MARKERS[i % 6], "ls": plots.LINES[i % 6]}
                ax.plot(*path(ladders.ladder(study, role, method, axis)), label=method, **style)
        row[0].set_ylabel("accuracy, %")
        row[0].set_title(name, loc="left", fontsize=11)
        row[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    for column, role in zip(grid.T, roles, strict=True):
        stretch(column[0], lowest(study, role))
        logarithmic(column[0], axis)
        for ax in column[:-1]:
            ax.set_xlabel("")
        column[-1].set_xlabel(ladders.axis(axis).title)
        column[0].set_title(role)
    about = ladders.axis(axis)
    told = "; ".join(f"{name}: {', '.join(members)}" for name, members in families.items())
    return plots.picture(
        fig,
        alt=f"Accuracy against {about.title}, a row for each family of methods, a column for each data set. {told}. "
        + " ".join(front_sentences(study, axis)),
        caption=f"Accuracy (scale stretched towards 100 %) against {about.title}: a family of methods in each row, "
        "all others in grey behind it, the dense network dashed.",
        records=unique([study]),
    )


# --- fronts -----------------------------------------------------------------------------------------------


def fronts(study: ResultsLike) -> plots.Picture:
    """All points on the three axes, with the front of those that nothing beats."""
    roles = ladders.roles(study)
    fig, grid = plots.subplots(len(ladders.AXES), len(roles), figsize=(9, 9.5), squeeze=False)
    for row, axis in zip(grid, ladders.AXES, strict=True):
        for ax, role in zip(row, roles, strict=True):
            for name, members in _families(study).items():
                found = [path(ladders.ladder(study, role, m, axis)) for m in members]
                spent, reached = ([value for f in found for value in f[i]] for i in (0, 1))
                ax.plot(spent, reached, mark(members[0]), color=colour(members[0]), label=name, alpha=0.75, ls="none")
            best = [(*p.mean, m) for m, p in ladders.front(study, role, axis) if p.mean[0] > 0]
            steps = {"where": "post", "color": plots.INK, "lw": 1, "ls": "-", "marker": ""}
            ax.step([x for x, *_ in best], [y for _, y, _ in best], **steps)
            for x, y, method in best:
                ax.annotate(method, (x, y), (0, 5), textcoords="offset points", fontsize=7, ha="center")
            dense_level(ax, study, role)
            stretch(ax, lowest(study, role))
            logarithmic(ax, axis)
        row[0].set_ylabel("test accuracy, %")
    for ax, role in zip(grid[0], roles, strict=True):
        ax.set_title(role)
    fig.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return plots.picture(
        fig,
        alt="Accuracy of every arm against weights, connections and synaptic operations; the Pareto front as steps. "
        + " ".join(line for axis in ladders.AXES for line in front_sentences(study, axis)),
        caption="Every arm by family, and the Pareto front on each axis: nothing else reaches as much with as little "
        "as the named ones. Means over the seeds.",
        records=unique([study]),
    )


def front_sentences(study: ResultsLike, axis: str) -> list[str]:
    """Which methods are on the front of an axis, in words."""
    lines = []
    for role in ladders.roles(study):
        found = list(dict.fromkeys(method for method, _ in ladders.front(study, role, axis)))
        if found:
            lines.append(f"{role}, front by {ladders.axis(axis).short}: {listed(found)} (from cheap to dear).")
    return lines


def front_table(study: ResultsLike) -> Table:
    """How often each method is on a front: rungs on it, by set and axis."""
    rows = []
    columns = [(role, axis) for role in ladders.roles(study) for axis in ladders.AXES]
    found = {(role, axis): [m for m, _ in ladders.front(study, role, axis)] for role, axis in columns}
    for method in ladders.methods(study):
        counts = {f"{role}: {ladders.AXES[axis].short}": found[role, axis].count(method) for role, axis in columns}
        if any(counts.values()):
            rows.append({"Method": method, "Family": family(method)} | {k: str(v or NONE) for k, v in counts.items()})
    rows.sort(key=lambda row: -sum(int(v) for k, v in row.items() if ":" in k and v != NONE))
    caption = "Rungs of each method on the Pareto front; methods that are on none are left out."
    return Table(pd.DataFrame(rows), noted(caption, study))


# --- order ------------------------------------------------------------------------------------------------


def slopes(study: ResultsLike) -> plots.Picture:
    """Ranks at equal weights, at equal connections and at equal SOPs, a line for each method."""
    roles = ladders.roles(study)
    fig, axes = plots.subplots(1, len(roles), figsize=(4.6 * max(2, len(roles)), 6.2), squeeze=False)
    told = []
    for ax, role in zip(axes[0], roles, strict=True):
        rung = ladders.fullest_rung(study, role)
        by_axis = [ladders.ranks(found) for found in ladders.at_rung(study, role, rung).values()]
        for method in by_axis[0]:
            line = [ranks[method] for ranks in by_axis]
            ax.plot(range(len(line)), line, marker="o", ls="-", color=colour(method), lw=1.4)
            for x, side, where in ((0, -0.08, "right"), (len(line) - 1, 0.08, "left")):
                ax.text(x + side, line[x], method, ha=where, va="center", fontsize=8, color=colour(method))
            told.append(f"{role} {method}: {', '.join(f'{rank:g}' for rank in line)}")
        ax.set_xticks(range(len(ladders.AXES)), [f"equal\n{about.short}" for about in ladders.AXES.values()])
        ax.set(title=f"{role}, at {rung}" if rung else role, xlim=(-1.1, len(ladders.AXES) + 0.1), ylabel="rank")
        ax.set_ylim(max([len(by_axis[0]), 1]) + 0.6, 0.4)
        ax.yaxis.set_major_locator(plots.plt.MaxNLocator(integer=True, min_n_ticks=1))
        ax.grid(axis="y", visible=False)
    return plots.picture(
        fig,
        alt="Lines from the rank at equal weights to that at equal connections and at equal operations. "
        + ("; ".join(told) or "There are not two methods with a value on all axes")
        + ".",
        caption="Rank in accuracy (1 = most accurate) among networks with as many weights, connections, or SOPs. The "
        "budget on each axis is what the middle method spends at the named rung; only methods whose ladders reach it "
        "on all three axes have a line. Colours are by family.",
        records=unique([study]),
    )


def order_table(study: ResultsLike) -> Table:
    """How much the order of the methods changes between two axes, for every rung and set."""
    rows = []
    for role in ladders.roles(study):
        for rung in ladders.budgets(study, role, "sparsity"):
            found = ladders.at_rung(study, role, rung)
            row = {"Data": role, "Budget": rung, "Methods": str(len(found["sparsity"]))}
            for one, two in combinations(ladders.AXES, 2):
                turned = ladders.change(found[one], found[two])
                text = f"{format_number(turned.tau, 2)} ({turned.turned} of {turned.pairs})" if turned.pairs else NONE
                row[f"{ladders.AXES[one].short} → {ladders.AXES[two].short}"] = text
            rows.append(row)
    caption = (
        "Kendall's tau between the orders of the methods on two axes (1: the same, −1: reversed), and the pairs of "
        "methods that change places, of all pairs."
    )
    return Table(pd.DataFrame(rows), noted(caption, study), row_headers=2)


def order_sentences(study: ResultsLike) -> Block:
    """What the change of order comes to, in words."""
    lines = []
    for role in ladders.roles(study):
        rung = ladders.fullest_rung(study, role)
        found = ladders.at_rung(study, role, rung)
        turned = ladders.change(found["sparsity"], found["sops"])
        if not turned.pairs:
            lines.append(f"{role}: there are not two methods that can be compared on all axes.")
            continue
        before, after = ladders.ranks(found["sparsity"]), ladders.ranks(found["sops"])
        text = (
            f"{role}, {rung}: {turned.turned} of {turned.pairs} pairs of methods change places between equal weights "
        )
        text += "and equal SOPs"
        moves = {m: before[m] - after[m] for m in before}
        for verb, method in (
            ("climbs", max(moves, key=lambda m: moves[m])),
            ("falls", min(moves, key=lambda m: moves[m])),
        ):
            if moves[method] * (1 if verb == "climbs" else -1) > 0:
                text += f"; {method} {verb} most, from rank {before[method]:g} to {after[method]:g}"
        lines.append(f"{text}.")
    return sentences(lines)


def leaders(study: ResultsLike, axis: str) -> Block:
    """The most accurate method at each budget, and those that the paired interval cannot tell from it."""
    lines = []
    for role in ladders.roles(study):
        for rung, budget in ladders.budgets(study, role, axis).items():
            found = {m: v[0] for m, v in ladders.scores(study, axis, role, rung).items() if np.isfinite(v).all()}
            if not found:
                continue
            first = max(found, key=lambda m: float(found[m].mean()))
            like = [m for m in found if m != first and not mean_interval(found[first] - found[m]).low > 0]
            about = ladders.axis(axis)
            text = f"{role}, at {format_number(budget, about.digits)} ({about.title}): {first} comes first of "
            text += f"{len(found)} with {mean_sd_text(list(found[first]))} %"
            if len(like) > 6:
                like = [*like[:6], f"{len(like) - 6} more"]
            lines.append(text + (f"; not separable from it: {listed(like)}." if like else ", apart from all others."))
    return sentences(lines or ["No method has a value at these budgets for every seed."])


def rank_picture(study: ResultsLike) -> plots.Picture:
    """Mean ranks with their intervals on the three axes."""
    found = {axis: ladders.mean_ranks(ladders.scores(study, axis)) for axis in ladders.AXES}
    order = _by_rank(found["sparsity"])
    fig, axes = plots.subplots(1, len(found), figsize=(9, 0.6 + 0.28 * max(4, len(order))), sharey=True)
    for ax, (axis, ranked) in zip(axes, found.items(), strict=True):
        for i, method in enumerate(order):
            r = ranked[method]
            if r.n:
                ax.plot([r.low, r.high], [i, i], color=colour(method), lw=2, marker="", ls="-")
                ax.plot(r.estimate, i, mark(method), color=colour(method))
        ax.set(title=f"equal {ladders.axis(axis).short}", xlabel="mean rank", xlim=(0, len(order) + 1))
    axes[0].set_yticks(range(len(order)), order, fontsize=9)
    axes[0].set_ylim(len(order) - 0.4, -0.6)
    told = "; ".join(f"{m}: {', '.join(rank_text(r[m]) for r in found.values())}" for m in order)
    return plots.picture(
        fig,
        alt=f"Mean ranks with intervals at equal weights, connections and operations. {told}.",
        caption="Mean rank over all budgets and sets, with its 95 % bootstrap interval over the seeds; 1 = always the "
        "most accurate. A method without a mark has no budget that its ladder reaches. Colours and marks: by family.",
        records=unique([study]),
    )


def _by_rank(ranked: Mapping[str, ladders.Interval]) -> list[str]:
    return sorted(ranked, key=lambda m: (ranked[m].estimate if ranked[m].n else math.inf, m))


def rank_table(study: ResultsLike) -> Table:
    """Mean ranks, their intervals, and the number of budgets that they stand on."""
    found = {axis: ladders.mean_ranks(ladders.scores(study, axis)) for axis in ladders.AXES}
    rows = []
    for method in _by_rank(found["sparsity"]):
        row = {"Method": method, "Family": family(method)}
        for axis, ranked in found.items():
            r = ranked[method]
            row[f"at equal {ladders.AXES[axis].short}"] = f"{rank_text(r)} ({r.n})" if r.n else NONE
        rows.append(row)
    caption = (
        "Mean rank [95 % bootstrap interval over the seeds] (number of budgets that the ladder reaches). At every "
        f"budget 1 is the first and {len(rows)} the last of the methods that have a value there."
    )
    return Table(pd.DataFrame(rows), noted(caption, study))


# --- cost -------------------------------------------------------------------------------------------------


def cost_table(study: ResultsLike) -> Table:
    """Epochs and processor seconds of each method, and their ratio to the reference's."""
    rows = []
    for role in ladders.roles(study):
        for method in (DENSE, *ladders.methods(study, role)):
            found = ladders.labels(study, role, method)
            usual = [label for label in found if not ladders.apart(study, label)]
            for kind in filter(None, (usual, *([label] for label in found if label not in usual))):
                times = [ladders.seconds(study, label) for label in kind]
                seeds = sorted(set.intersection(*map(set, times)))
                spent = [float(np.mean([t[seed] for t in times])) for seed in seeds]
                own = {number(r.metrics.get("epochs")) for label in kind for r in study.records[label]}
                before = {ladders.start_epochs(study, label) for label in kind}
                ratio = ladders.relative_seconds(study, role, method) if kind is usual else {}
                rows.append(
                    {
                        "Data": role,
                        "Method": method if kind is usual else f"{method}, {kind[0][2]}",
                        "Epochs, dense start": _range(before),
                        "Epochs of its own": _range(own),
                        "CPU seconds": mean_sd_text(spent, 1),
                        f"over {REFERENCE} [95 % interval]": _ratio_text(ratio) if method != REFERENCE else NONE,
                    }
                )
    caption = (
        "What a network costs to train: mean over the ladder ± sd over the seeds (their number). Seconds are processor "
        "time on one thread; a dense start counts with its epochs at the time that an epoch of the dense arm takes."
    )
    return Table(pd.DataFrame(rows), noted(caption, study), row_headers=2)


def _range(values: Iterable[float]) -> str:
    found = sorted(values)
    if not found:
        return NONE
    return f"{found[0]:g}" if found[0] == found[-1] else f"{found[0]:g} to {found[-1]:g}"


def _ratio_text(ratio: Mapping[int, float]) -> str:
    found = mean_interval(list(ratio.values()))
    if not math.isfinite(found.estimate):
        return NONE
    if found.n < 2:
        return f"{found.estimate:.2f} (1 seed: no interval)"
    return f"{found.estimate:.2f} [{format_number(found.low)}, {format_number(found.high)}]"


def cost_picture(study: ResultsLike) -> plots.Picture:
    """Processor time of each method over that of the reference."""
    roles = ladders.roles(study)
    ratios = {(r, m): ladders.relative_seconds(study, r, m) for r in roles for m in ladders.methods(study, r)}
    means = {key: mean_sd(list(found.values()))[0] for key, found in ratios.items()}

    def middle(method: str) -> float:
        found = [means[role, method] for role in roles if math.isfinite(means.get((role, method), math.nan))]
        return float(np.mean(found)) if found else math.inf

    order = sorted(ladders.methods(study), key=lambda m: (middle(m), m))
    fig, axes = plots.subplots(
        1, len(roles), figsize=(9, 0.6 + 0.28 * max(4, len(order))), sharey=True, sharex=True, squeeze=False
    )
    for ax, role in zip(axes[0], roles, strict=True):
        for i, method in enumerate(order):
            found = list(ratios.get((role, method), {}).values())
            ax.plot(found, [i] * len(found), mark(method), color=colour(method), ls="none")
        ax.axvline(1, color=plots.INK, lw=1.2, ls=(0, (6, 3)))
        ax.set(title=role, xlabel=f"CPU seconds over those of {REFERENCE}")
    axes[0, 0].set_yticks(range(len(order)), order, fontsize=9)
    axes[0, 0].set_ylim(len(order) - 0.4, -0.6)
    told = "; ".join(f"{role} {m}: {format_number(x)}" for (role, m), x in means.items())
    return plots.picture(
        fig,
        alt=f"Points, one per seed: processor time of each method over that of {REFERENCE}. {told}.",
        caption=f"Processor time of a training over that of {REFERENCE}, a point for each seed, the cheapest on top. "
        "Dense starts are counted in.",
        records=unique([study]),
    )


def cost_sentences(study: ResultsLike) -> Block:
    """Who trains for how long, in words."""
    lines = []
    for role in ladders.roles(study):
        dense = ladders.total_epochs(study, (role, DENSE, ""))
        usual = [x for m in ladders.methods(study, role) for x in ladders.labels(study, role, m)]
        longer = [x for x in usual if ladders.apart(study, x)]
        totals = [ladders.total_epochs(study, x) for x in usual if x not in longer]
        total = _range(x for x in [dense] if math.isfinite(x))
        lines.append(f"{role}, epochs in total: the dense network {total}, the arms on the ladders {_range(totals)}.")
        for x in longer:
            total = f"{ladders.total_epochs(study, x):g}"
            lines.append(f"{role}: {x[1]} ({x[2]}) takes {total} epochs and is shown apart.")
        split: dict[tuple[float, float], list[str]] = {}
        for x in usual:
            if x not in longer:
                before = ladders.start_epochs(study, x)
                members = split.setdefault((before, ladders.total_epochs(study, x) - before), [])
                members += [x[1]] * (x[1] not in members)
        for (first, own), members in split.items():
            how = f"{own:g} epochs after a dense start of {first:g}" if first else f"{own:g} epochs from scratch"
            lines.append(f"{role}, {how}: {listed(members)}.")
    return sentences(lines)


def apart_table(study: ResultsLike) -> Block:
    """The arms that train for longer, each beside the same method and the reference at equal weights."""
    rows = []
    for role in ladders.roles(study):
        for method in ladders.methods(study, role):
            for label in ladders.labels(study, role, method):
                if ladders.apart(study, label):
                    mine = ladders.point(study.records[label], "sparsity")
                    row = {"Data": role, "Arm": f"{method}, {label[2]}"}
                    row["Epochs"] = f"{ladders.total_epochs(study, label):g}"
                    row["Accuracy, %"] = mean_sd_text(list(mine.y.values()))
                    for title, other in (("the same method", method), (REFERENCE, REFERENCE)):
                        found = ladders.at_budget(ladders.ladder(study, role, other, "sparsity"), mine.x)
                        row[f"minus {title}, usual epochs [95 % interval]"] = change_text(dict(mine.y), found)
                    rows.append(row)
    if not rows:
        return sentences(["No arm of these records trains for longer than the others."])
    caption = "Arms with more epochs than the others, and what the epochs bring at equal weights."
    return Table(pd.DataFrame(rows), noted(caption, study), row_headers=2)


# --- everything -------------------------------------------------------------------------------------------


def everything(study: ResultsLike) -> Block:
    """Every arm: a folded table for each set, and all of them as a file."""
    blocks = []
    for role in ladders.roles(study):
        found = [label for m in (DENSE, *ladders.methods(study)) for label in ladders.labels(study, role, m)]
        frame = arms(study, found).drop(columns="Data")
        records = [r for label in found for r in study.records[label]]
        shown = Table(frame, f"Every arm on {role}: mean ± sd (number of seeds). {scale_note(records)}".strip(), 2)
        title = f"{role}: {len(found)} arms"
        blocks.append(Block(details(title, shown.html), f"{title}\n\n{shown.markdown}"))
    text = raw(study).to_csv(index=False)
    link = f"data:text/csv;charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"
    html = f'<p><a download="methods.csv" href="{link}">All arms and seeds as a file (CSV)</a></p>'
    return Block("".join(b.html for b in blocks) + html, "\n\n".join(b.markdown for b in blocks))


def raw(study: ResultsLike) -> pd.DataFrame:
    """A row for each arm and seed, in numbers."""
    return pd.DataFrame(
        {
            "data": label[0],
            "method": label[1],
            "family": family(label[1]),
            "rung": label[2],
            "seed": r.seed,
            "accuracy": number(r.metrics.get("top1")),
            **{axis: about.of(r.metrics) for axis, about in ladders.AXES.items()},
            "epochs": ladders.total_epochs(study, label),
            "cpu_seconds": ladders.seconds(study, label)[r.seed],
            "id": r.id,
        }
        for label, records in study.records.items()
        for r in records
    )


def limits(study: ResultsLike) -> Block:
    """What the records themselves say against reading too much into them."""
    lines = []
    for role in ladders.roles(study):
        records = [r for label, found in study.records.items() if label[0] == role for r in found]
        tested = {number(r.metrics.get("samples_test")) for r in records} - {math.nan}
        if tested and all(map(math.isfinite, tested)):
            one = 100 / min(tested)
            lines.append(f"{role}: {_range(tested)} test samples, so that one of them is {one:.2g} points.")
        shortest = min((p.mean[0] for p in ladders.ladder(study, role, REFERENCE, "sparsity")), default=math.nan)
        ends = {
            m: min(p.mean[0] for p in points)
            for m in ladders.methods(study, role)
            if (points := ladders.ladder(study, role, m, "sparsity"))
        }
        short = [f"{m} ({end:.3g} %)" for m, end in ends.items() if end > shortest * (1 + ladders.SLACK)]
        if short:
            lines.append(
                f"{role}: ladders that end before {REFERENCE}'s {shortest:.3g} % of the weights: {listed(short)}."
            )
        chance = {
            " ".join(label[1:]).strip()
            for label, found in study.records.items()
            if label[0] == role and any(_at_chance(r.metrics) for r in found)
        }
        if chance:
            lines.append(f"{role}: arms with a network that guesses, for at least one seed: {listed(sorted(chance))}.")
        absent = [m for m in ladders.methods(study) if m not in ends]
        if absent:
            lines.append(f"{role}: not run here: {listed(absent)}.")
    return sentences(lines or ["There are no records."])


def _at_chance(metrics: ladders.Metrics) -> bool:
    """Whether an accuracy is within three standard deviations of guessing."""
    chance, n = number(metrics.get("chance")) / 100, number(metrics.get("samples_test"))
    return number(metrics.get("top1")) / 100 <= chance + 3 * math.sqrt(chance * (1 - chance) / n)
