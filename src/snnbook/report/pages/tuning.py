"""The page on tuning: every candidate by its validation accuracy, which one is used, and whether it lies at an edge.

A key's level names the candidate and where it was tried, such as `span 0.4, updates 12, at 98 %`. Nothing here reads
what was measured on the test split.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from snnbook.pruning import registry
from snnbook.report import ladders, look, plots
from snnbook.report.blocks import Fragment, by_value, counted, listed, sentences
from snnbook.report.records import ResultsLike, by_seed, unique, with_scale
from snnbook.report.tables import NONE, Table, format_number, range_text

if TYPE_CHECKING:
    from snnbook.experiments.key import Key


@dataclass(frozen=True)
class Choice:
    """How the candidates of a method did.

    scores: candidate → mean validation accuracy over the seeds at the budget that they are compared at, in per cent, in
    the order in which they were tried; -inf for one that does not pass it. axis, budget: of what they leave as much
    there, of ladders.AXES, and how much, in per cent. edges: names of settings whose best value is the largest or
    smallest tried.
    """

    scores: Mapping[str, float]
    axis: str
    budget: float
    edges: Sequence[str] = ()

    @property
    def best(self) -> str:
        """The candidate with the highest score, the first of equals."""
        return max(self.scores, key=self.scores.__getitem__)


Choices = Mapping[str, Choice]


def choice(method: str, scores: Sequence[float], edges: Sequence[str]) -> Choice:
    """The candidates of a method's plan with their scores, in its order, and the settings that lie at an edge."""
    plan = registry.METHODS[method].plan or registry.ComparisonPlan()
    by_candidate = dict(zip(map(registry.described, plan.candidates), scores, strict=True))
    return Choice(by_candidate, plan.axis, plan.budget, tuple(edges))


def _trials(study: ResultsLike, method: str, candidate: str) -> dict[Key, dict[int, float]]:
    """The trials of a candidate → seed → accuracy on the validation split in per cent."""
    return {
        key: by_seed(records, "top1_validation")
        for key, records in study.records.items()
        if key.arm == method and key.level.startswith(f"{candidate}, at ")
    }


def candidates(study: ResultsLike, choices: Choices, used: Collection[Key]) -> Table:
    """Every trial of every candidate, seed by seed, and the candidate's score; `used` are trials of the comparison."""
    seeds = sorted({r.seed for r in unique([study])})
    rows = []
    for method, its in choices.items():
        for candidate, score in its.scores.items():
            for key, accuracy in _trials(study, method, candidate).items():
                left = ladders.point(study.records[key], its.axis).mean[0]
                words = [(candidate == its.best, "best"), (key in used, "used")]
                rows.append(
                    {
                        "Method": look.named(method),
                        "Trial": key.level,
                        "Left": f"{format_number(left)} % of the {its.axis}",
                        **{f"Seed {seed}, %": format_number(accuracy.get(seed, math.nan), 1) for seed in seeds},
                        "At the common budget, %": format_number(score),
                        "minus best": NONE
                        if candidate == its.best
                        else format_number(score - its.scores[its.best], 2, signed=True),
                        "Note": ", ".join(word for is_so, word in words if is_so) or NONE,
                    }
                )
    columns = ["Method", "Trial", "Left", *(f"Seed {seed}, %" for seed in seeds)]
    columns += ["At the common budget, %", "minus best", "Note"]
    caption = (
        "Accuracy on the validation split for each seed, and the mean over the seeds at the budget at which all "
        f"candidates of a method are compared; {NONE}: it does not pass that budget. Used: a trial of the comparison. "
    )
    caption += look.reconstructions(choices)
    return Table(pd.DataFrame(rows, columns=columns), with_scale(caption, unique([study])), row_headers=2)


def summary(study: ResultsLike, choices: Choices, used: Collection[Key]) -> Fragment:
    """How many candidates and seeds each method had, which choices lie at an edge, and which are not the best."""
    lines, edges, unused = [], [], []
    for method, its in choices.items():
        edges += [f"{look.named(method)} ({listed(list(its.edges))})"] if its.edges else []
        mine = next((c for c in its.scores if any(key in used for key in _trials(study, method, c))), None)
        if mine is None:
            unused.append(look.named(method))
        elif its.scores[its.best] > its.scores[mine]:
            gap = format_number(its.scores[its.best] - its.scores[mine])
            lines.append(
                f"{look.named(method)}: {its.best} was better by {gap} points than {mine}, which the comparison uses."
            )
    by_count = by_value({look.named(method): len(its.scores) for method, its in choices.items()})
    numbers = [f"{counted(n, 'candidate')}: {listed(names)}." for n, names in sorted(by_count.items())]
    budgets = by_value({look.named(m): f"{its.budget:g} % of the {its.axis}" for m, its in choices.items()})
    numbers += [f"Compared at {budget}: {listed(names)}." for budget, names in budgets.items()]
    numbers += [f"Seeds: {range_text({r.seed for r in unique([study])})}, none of them one of the comparison."]
    numbers += [f"At the edge of what was tried: {listed(edges)}." if edges else "No chosen value is at an edge."]
    lines += [f"The comparison of this profile uses no candidate of {listed(unused)}."] if unused else []
    return sentences([*numbers, *lines, look.reconstructions(choices)])


def picture(study: ResultsLike, choices: Choices) -> plots.Picture:
    """The candidates of each method by their score, the best filled, with the seeds where one trial is a candidate."""
    fig, ax = plots.subplots(figsize=(8, 0.8 + 0.3 * max(3, len(choices))))
    numbers = []
    for i, (method, its) in enumerate(choices.items()):
        for candidate, score in its.scores.items():
            face = look.colour(method) if candidate == its.best else "none"
            trials = list(_trials(study, method, candidate).values())
            if len(trials) == 1:
                seeds = list(trials[0].values())
                ax.plot(seeds, [i] * len(seeds), "-", marker="|", color=look.colour(method), lw=0.8, ms=4, alpha=0.7)
            if math.isfinite(score):
                ax.plot(score, i, "o", color=look.colour(method), markerfacecolor=face, ms=7)
        each = ", ".join(f"{candidate} {format_number(score, 1)}" for candidate, score in its.scores.items())
        numbers.append(f"{look.named(method)}: {each}")
    ax.set_yticks(range(len(choices)), map(look.named, choices), fontsize=9)
    ax.set_ylim(len(choices) - 0.4, -0.6)
    ax.set_xlabel("validation accuracy at the common budget, %")
    return plots.picture(
        fig,
        alt=f"Validation accuracy of every candidate in per cent. {'; '.join(numbers)}.",
        caption="Validation accuracy of the candidates of each method at the budget at which they are compared; "
        "filled: the best, which the comparison uses. Lines: from seed to seed, where a candidate has one trial. "
        + look.reconstructions(choices),
        records=unique([study]),
    )
