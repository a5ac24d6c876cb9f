"""The blocks of the comparison that put methods in an order: ranks, and which of them the seeds separate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from snnbook.report import arms, ladders, look, orders, plots
from snnbook.report.blocks import Fragment, counted, details, escape, listed, sentences, stacked
from snnbook.report.orders import FEW, MeanRank
from snnbook.report.records import ResultsLike, unique, with_scale
from snnbook.report.tables import NONE, Table, format_number, mean_sd_text

SHOWN = 6  # names in a sentence; more are counted
LETTERS = (
    "Methods that share a letter are not separated: paired t-test over the seeds at 5 %, corrected by Holm's method"
)


def _at(study: ResultsLike, axis: str, data: str, level: str) -> dict[str, np.ndarray]:
    """Method → accuracy in per cent `[1, seeds]` at a budget, the most accurate first; without those that lack one."""
    accuracy = {m: v for m, v in ladders.scores(study, axis, data, level).items() if np.isfinite(v).all() and v.size}
    return dict(sorted(accuracy.items(), key=lambda item: -float(item[1].mean())))


def _budgets(study: ResultsLike, axis: str) -> dict[tuple[str, str], float]:
    """(set, level) → budget on an axis."""
    return {(data, level): x for data in study.sets for level, x in ladders.budgets(study, data, axis).items()}


def _tied(accuracy: orders.Scores) -> list[list[str]]:
    """The groups of methods, in the order given, that the seeds do not separate."""
    return orders.tied(list(accuracy), orders.apart(accuracy))


def _tests(methods: int, seeds: int) -> str:
    return f"n = {seeds}, {counted(methods * (methods - 1) // 2, 'pair')}"


# --- at one budget ----------------------------------------------------------------------------------------


def leaders(study: ResultsLike, axis: str) -> Fragment:
    """The most accurate method at each budget, and those that the seeds do not separate from it."""
    lines = []
    about = ladders.axis(axis)
    for (data, level), budget in _budgets(study, axis).items():
        accuracy = _at(study, axis, data, level)
        if not accuracy:
            continue
        first, *others = accuracy
        values = list(accuracy[first][0])
        text = f"{data}, at {format_number(budget, about.digits)} ({about.title}): {look.named(first)} comes first of "
        text += f"{len(accuracy)} with {mean_sd_text(values)} %"
        separate = orders.apart(accuracy)
        tied = [look.named(m) for m in others if (first, m) not in separate]
        if len(tied) > SHOWN:
            tied = [*tied[:SHOWN], f"{len(tied) - SHOWN} more"]
        text += f"; tied with it: {listed(tied)}" if tied else ", apart from all others"
        lines.append(f"{text} ({_tests(len(accuracy), len(values))}).")
    if not lines:
        return sentences(["No method has a value at these budgets for every seed."])
    return sentences([*lines, look.reconstructions(ladders.methods(study))])


def ties(study: ResultsLike, axis: str) -> Fragment:
    """The order at every budget of an axis, with the groups that the seeds do not separate; the numbers folded away."""
    return stacked(_ties_picture(study, axis), _folded(_ties_table(study, axis)))


def _folded(table: Table) -> Fragment:
    title = "The same as a table"
    return Fragment(details(title, table.html), f"{title}\n\n{table.markdown}")


def _ties_picture(study: ResultsLike, axis: str) -> plots.Picture:
    budgets, about = _budgets(study, axis), ladders.axis(axis)
    columns = max([sum(data == one for data, _ in budgets) for one in study.sets] + [1])
    most = len(ladders.methods(study))
    fig, grid = plots.subplots(
        len(study.sets), columns, figsize=(2.1 * max(3, columns), len(study.sets) * (0.7 + 0.16 * most)), squeeze=False
    )
    numbers = []
    for row, data in zip(grid, study.sets, strict=True):
        for ax in row:
            ax.set_axis_off()
        own = {level: budget for (one, level), budget in budgets.items() if one == data}
        for ax, (level, budget) in zip(row, own.items(), strict=False):
            accuracy = _at(study, axis, data, level)
            groups = _tied(accuracy)
            _order(ax, accuracy, groups, most)
            spent = f"{about.title}: {format_number(budget, about.digits)}"
            ax.set_title(f"{data}, {level}\n{spent}", fontsize=8, loc="left")
            marks = orders.letters(groups)
            each = ", ".join(f"{look.named(m)} {float(v.mean()):.1f} {marks[m]}" for m, v in accuracy.items())
            numbers.append(f"{data}, {level}: {each or 'no method'}")
    seeds = len(ladders.common_seeds(study))
    return plots.picture(
        fig,
        alt=f"The order of the methods at each budget, with accuracies and letters; {LETTERS}. {'; '.join(numbers)}.",
        caption=f"The methods at each budget of {about.title}, the most accurate on top, with their accuracies in per "
        "cent. Methods whose dots are on one vertical line are not separated: paired t-test over the seeds at 5 %, "
        f"corrected by Holm's method for all pairs at the budget (n = {seeds}). Colours are by family. "
        + look.reconstructions(ladders.methods(study)),
        records=unique([study]),
    )


def _order(ax: Axes, accuracy: orders.Scores, groups: Sequence[Sequence[str]], most: int) -> None:
    """Names and accuracies from top to bottom, and a line with dots beside them for each group of several."""
    rows = {method: i for i, method in enumerate(accuracy)}
    for method, i in rows.items():
        text = f"{float(accuracy[method].mean()):.1f} {look.named(method)}"
        ax.text(0, i, text, fontsize=7, va="center", color=look.colour(method), in_layout=False)
    _lines(ax, rows, [group for group in groups if len(group) > 1], 1.15, 0.06)
    ax.set(xlim=(0, 1.7), ylim=(most - 0.4, -0.6))


def _lines(ax: Axes, rows: Mapping[str, int], groups: Sequence[Sequence[str]], first: float, step: float) -> None:
    """A vertical line for each group, from `first` on in steps, with a dot at the row of every member."""
    for i, group in enumerate(groups):
        members = [rows[method] for method in group]
        x = [first + i * step] * len(members)
        ax.plot(x, members, "-", marker=".", ms=3.5, lw=0.8, color=plots.INK, clip_on=False)


def _ties_table(study: ResultsLike, axis: str) -> Table:
    budgets, ranked = _budgets(study, axis), orders.mean_ranks(ladders.scores(study, axis))
    columns = {}
    for data, level in budgets:
        accuracy = _at(study, axis, data, level)
        marks = orders.letters(_tied(accuracy))
        columns[f"{data}, {level}"] = {m: f"{float(v.mean()):.1f} {marks[m]}" for m, v in accuracy.items()}
    rows = [
        {"Method": look.named(method)} | {title: cells.get(method, NONE) for title, cells in columns.items()}
        for method in orders.by_rank(ranked)
    ]
    about = ladders.axis(axis)
    caption = f"Accuracy in per cent at equal {about.short}, in the order of the mean rank. {LETTERS} for all pairs at "
    caption += f"the budget (n = {len(ladders.common_seeds(study))}). {look.reconstructions(ranked)}"
    return Table(pd.DataFrame(rows), with_scale(caption, unique([study])))


# --- over all budgets -------------------------------------------------------------------------------------


def _mean_ties(study: ResultsLike, axis: str) -> tuple[dict[str, MeanRank], list[list[str]]]:
    """The mean ranks on an axis, and the groups of methods with enough budgets that the seeds do not separate."""
    accuracy = ladders.scores(study, axis)
    ranked, by_seed = orders.mean_ranks(accuracy), orders.seed_ranks(accuracy)
    return ranked, _tied({method: by_seed[method] for method in orders.by_rank(ranked) if not ranked[method].few})


def rank_picture(study: ResultsLike) -> plots.Picture:
    """Mean ranks with their intervals on the three axes, and the groups that the seeds do not separate."""
    by_axis = {axis: _mean_ties(study, axis) for axis in ladders.AXES}
    order = orders.by_rank(by_axis["weights"][0])
    rows = {method: i for i, method in enumerate(order)}
    fig, axes = plots.subplots(1, len(by_axis), figsize=(9.5, 0.9 + 0.28 * max(4, len(order))), sharey=True)
    last = len(order) + 1
    numbers = []
    for ax, (axis, (ranked, groups)) in zip(axes, by_axis.items(), strict=True):
        for method, i in rows.items():
            rank = ranked[method]
            if rank.places:
                colour = plots.INK if rank.few else look.colour(method)
                alpha = 0.45 if rank.few else 1.0
                mean = rank.interval
                if mean.n > 1:
                    ax.plot([mean.low, mean.high], [i, i], color=colour, alpha=alpha, lw=2, marker="", ls="-")
                ax.plot(mean.estimate, i, look.marker(method), color=colour, alpha=alpha)
        several = [group for group in groups if len(group) > 1]
        _lines(ax, rows, several, last + 0.8, 0.9)
        ax.set(title=f"equal {ladders.axis(axis).short}", xlabel="mean rank", xlim=(0, last + 1 + 0.9 * len(several)))
        ax.set_xticks([tick for tick in range(1, last, 5)])
        marks = orders.letters(groups)
        each = [
            f"{look.named(m)} {arms.rank_text(ranked[m])} {marks.get(m, '')}".strip() for m in orders.by_rank(ranked)
        ]
        numbers.append(f"equal {ladders.axis(axis).short}: {', '.join(each)}")
    axes[0].set_yticks(range(len(order)), map(look.named, order), fontsize=9)
    axes[0].set_ylim(len(order) - 0.4, -0.6)
    return plots.picture(
        fig,
        alt=f"Mean ranks with intervals and letters. {LETTERS}. {'. '.join(numbers)}.",
        caption="Mean rank over all budgets and sets, with its 95 % interval over the seeds; 1 = always the most "
        "accurate. Methods whose dots are on one vertical line are not separated: paired t-test of their mean ranks "
        f"over the seeds at 5 %, corrected by Holm's method for all pairs (n = {len(ladders.common_seeds(study))}). "
        f"Grey, and in no group: fewer than {FEW} budgets. Without a point: no budget that the ladder reaches. Colours "
        "and shapes of points are by family. " + look.reconstructions(order),
        records=unique([study]),
    )


def rank_table(study: ResultsLike) -> Table:
    """Mean ranks, their intervals, the number of budgets that they stand on, and letters for ties."""
    by_axis = {axis: _mean_ties(study, axis) for axis in ladders.AXES}
    rows = []
    for method in orders.by_rank(by_axis["weights"][0]):
        row: dict[str, object] = {"Method": look.named(method), "Family": look.family(method)}
        for axis, (ranked, groups) in by_axis.items():
            rank, short = ranked[method], ladders.AXES[axis].short
            text = f"{arms.rank_text(rank)} ({rank.places})" if rank.places else NONE
            row[f"at equal {short}"] = _grey(text) if rank.places and rank.few else text
            row[f"ties, {short}"] = orders.letters(groups).get(method, NONE)
        rows.append(row)
    caption = (
        "Mean rank [95 % interval over the seeds] (number of budgets that the ladder reaches). At every budget 1 is "
        f"the first and {len(rows)} the last of the methods that have a value there. {LETTERS} for all pairs "
        f"(n = {len(ladders.common_seeds(study))}); mean ranks of two methods are compared over the budgets that both "
        f"have. Grey, below the others and without a letter: fewer than {FEW} budgets. "
        + look.reconstructions(by_axis["weights"][0])
    )
    return Table(pd.DataFrame(rows), with_scale(caption, unique([study])))


def _grey(text: str) -> Fragment:
    return Fragment(f'<span style="opacity:0.6">{escape(text)}</span>', text)


def rank_sentences(study: ResultsLike) -> Fragment:
    """Who is first in the mean on each axis, who is tied with it, and who stands on too few budgets, in words."""
    lines = []
    for axis, about in ladders.AXES.items():
        ranked, groups = _mean_ties(study, axis)
        order = [method for method in orders.by_rank(ranked) if not ranked[method].few]
        few = [f"{look.named(m)} ({rank.places})" for m, rank in ranked.items() if rank.few]
        text = f"At equal {about.short}: "
        if order:
            first = order[0]
            with_it = [m for m in order if m != first and any({first, m} <= set(group) for group in groups)]
            text += f"{look.named(first)} has the first mean rank, {arms.rank_text(ranked[first])} of {len(ranked)}; "
            text += f"tied with it: {listed(list(map(look.named, with_it)))}" if with_it else "it is tied with none"
            text += f" ({_tests(len(order), ranked[first].interval.n)})"
        else:
            text += f"no method has {FEW} budgets"
        lines.append(text + (f"; fewer than {FEW} budgets: {listed(few)}." if few else "."))
    return sentences([*lines, look.reconstructions(ladders.methods(study))])
