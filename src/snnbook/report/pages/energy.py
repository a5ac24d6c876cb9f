"""The page on energy: what models charge and what their sources print, and the records of the comparison under each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from snnbook import joules
from snnbook.joules import MODELS, Shape
from snnbook.report import ladders, look, orders, papers, plots
from snnbook.report.blocks import Fragment, listed, sentences
from snnbook.report.ladders import DENSE, Point
from snnbook.report.record_energy import layer_counts, printed_case
from snnbook.report.records import RecordLike, ResultsLike, by_seed, unique, with_scale
from snnbook.report.tables import NONE, Table, format_number

SOPS = "sops"
FLAT = 1.05  # a model whose dearest arm spends less than this many times its cheapest one tells no arms apart
UNITS = ((1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ"), (1e-12, "pJ"))


def joules_text(value: float) -> str:
    """`3.49 µJ`: an energy in J with three digits and the unit that suits it."""
    if not math.isfinite(value):
        return NONE
    size, unit = next(((size, unit) for size, unit in UNITS if abs(value) >= size), UNITS[-1])
    return f"{float(f'{value / size:.3g}'):g} {unit}"


# --- models -----------------------------------------------------------------------------------------------


def models() -> Table:
    """The models, their sources, the layers that they know, and what they need of a network."""
    rows = [
        {
            "Model": f"`{name}`",
            "In short": about.title,
            "Source": about.source,
            "Layers": "any" if about.kinds is None else listed(about.kinds),
            "Needs": "operations" if about.operations else "operations, spikes and shapes",
        }
        for name, about in MODELS.items()
    ]
    return Table(pd.DataFrame(rows), "The energy models of this book; the name is what `measure.energy` takes.")


def printed() -> Table:
    """What the sources print beside what the models give for the same counts."""
    rows = []
    for row in papers.energies().to_dict("records"):
        ours = row["layers"] * joules.charged([printed_case(row)], row["model"]).total
        digits = row["digits"] - 1
        rows.append(
            {
                "Model": f"`{row['model']}`",
                "Source": f"{row['source']}, {row['place']}",
                "Case": row["case"],
                "Printed, J": f"{row['printed_J']:.{digits}e}".replace("-", "−"),
                "Ours, J": f"{ours:.{digits}e}".replace("-", "−"),
            }
        )
    return Table(pd.DataFrame(rows), "Energies that the sources print, and ours from the same counts.", row_headers=3)


def chips() -> Table:
    """The energy of a synaptic operation on chips, as paper B prints it."""
    rows = [
        {
            "Chip": row["chip"],
            "As printed": f"{row['printed']:g} {row['unit']}"
            + (f" ({c})" if isinstance(c := row["condition"], str) else ""),
            "pJ per SOP": format_number(row["pJ_per_SOP"], 2),
            "Quoted from": row["reference"],
        }
        for row in papers.chips().to_dict("records")
    ]
    return Table(pd.DataFrame(rows), "Energy per synaptic operation, as paper B quotes it in A.10.", row_headers=2)


# --- records ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spent:
    """What the networks of a study spend.

    totals: model → (trial's id, seed) → J per sample. levels: data set → the level at which methods are compared there,
    see `ladders.fullest_level`.
    """

    study: ResultsLike
    totals: Mapping[str, Mapping[tuple[str, int], float]]
    levels: Mapping[str, str]

    def of(self, model: str, record: RecordLike) -> float:
        """J per sample of a record; for "sops", its synaptic operations per sample."""
        return float(record.metrics["sops"]) if model == SOPS else self.totals[model][record.id, record.seed]

    def dense(self, data: str, model: str) -> dict[int, float]:
        """Seed → J per sample, or SOPs, of the dense network of a set."""
        return {r.seed: self.of(model, r) for r in self.study.records.get((data, DENSE), ())}

    def ladder(self, data: str, method: str, model: str) -> list[Point]:
        """The levels of a method on a set: per cent of what the dense network of the seed spends, and accuracy."""
        whole = self.dense(data, model)

        def share(record: RecordLike) -> float:
            return 100 * self.of(model, record) / whole[record.seed] if whole.get(record.seed) else math.nan

        groups = [(key.level, self.study.records[key]) for key in ladders.usual_keys(self.study, data, method)]
        return [Point(level, {r.seed: share(r) for r in group}, by_seed(group, "top1")) for level, group in groups]

    def every_ladder(self, data: str, model: str) -> dict[str, list[Point]]:
        """Method → its `ladder`, for the methods that were run on a set."""
        return {method: self.ladder(data, method, model) for method in ladders.methods(self.study, data)}

    def flat(self, data: str, model: str) -> bool:
        """Whether a model charges all pruned networks on a set alike."""
        points = [p for of_method in self.every_ladder(data, model).values() for p in of_method]
        known = [share for p in points for share in p.x.values() if math.isfinite(share)]
        return not known or max(known) <= FLAT * min(known)


def spent(study: ResultsLike, shapes: Callable[[RecordLike], Mapping[str, Shape]]) -> Spent:
    """The joules of all records of a study under every model; layers that a model does not know are left out.

    shapes: `experiments.shapes`. Raises UserError for a record that does not hold what a model needs.
    """
    totals: dict[str, dict[tuple[str, int], float]] = {name: {} for name in MODELS}
    for record in unique([study]):
        layers = layer_counts(record, shapes(record))
        for name, of_model in totals.items():
            of_model[record.id, record.seed] = joules.charged(layers, name, known_only=True).total
    return Spent(study, totals, {data: ladders.fullest_level(study, data) for data in study.sets})


def at_equal_weights(found: Spent, data: str, model: str) -> dict[str, float]:
    """Method → what it spends, in per cent of the dense network, at the weights of the level; mean over the seeds.

    Between two levels of a method the logarithm is interpolated, over that of the weights left.
    """
    weights = {m: ladders.ladder(found.study, data, m, "weights") for m in ladders.methods(found.study, data)}
    budget = ladders.middle(weights).get(found.levels[data], math.nan)
    seeds = found.dense(data, model)
    shares: dict[str, float] = {}
    for method, spending in found.every_ladder(data, model).items():
        points = [
            replace(left, y={seed: math.log(share) for seed, share in level.x.items() if share > 0})
            for left, level in zip(weights[method], spending, strict=True)
        ]
        logs = ladders.at_budget(points, budget)
        shares[method] = float(np.mean(np.exp([logs.get(seed, math.nan) for seed in seeds]))) if seeds else math.nan
    return {method: share for method, share in shares.items() if math.isfinite(share)}


def _columns() -> dict[str, str]:
    """SOPs and the models → their names on the page."""
    return {SOPS: "SOPs", **{name: name for name in MODELS}}


def shares(found: Spent) -> Table:
    """What every method spends at equal weights, in per cent of the dense network, and the dense network in joules."""
    rows = []
    for data in found.study.sets:
        row = {"Data": data, "Method": "dense network"}
        for name, title in _columns().items():
            values = list(found.dense(data, name).values())
            mean = float(np.mean(values)) if values else math.nan
            row[title] = (f"{mean:,.0f}" if math.isfinite(mean) else NONE) if name == SOPS else joules_text(mean)
        rows.append(row)
        by_column = {name: at_equal_weights(found, data, name) for name in _columns()}
        members = [m for m in ladders.methods(found.study, data) if any(m in c for c in by_column.values())]
        members.sort(key=lambda m: by_column[SOPS].get(m, math.inf))
        for method in members:
            cells = {_columns()[name]: _percent(column.get(method, math.nan)) for name, column in by_column.items()}
            rows.append({"Data": data, "Method": look.named(method), **cells})
    levels = "; ".join(f"{data}: {level or 'none'}" for data, level in found.levels.items())
    caption = (
        f"What is left of the energy of the dense network at equal weights ({levels}), in per cent, mean over the "
        "seeds; the rows of the dense network are in SOPs and joules per sample. Sorted by SOPs. `spikesim` counts the "
        f"convolutions alone. {look.reconstructions(ladders.methods(found.study))}"
    )
    return Table(pd.DataFrame(rows), with_scale(caption.strip(), unique([found.study])), row_headers=2)


def _percent(share: float) -> str:
    return f"{float(f'{share:.3g}'):g} %" if math.isfinite(share) else NONE


def picture(found: Spent) -> plots.Picture:
    """What is left under each model at equal weights, a row for each method."""
    sets, columns = found.study.sets, _columns()
    members = ladders.methods(found.study)
    fig, axes = plots.subplots(
        1, len(sets), figsize=(9, 1.4 + 0.28 * max(4, len(members))), squeeze=False, sharey=True, sharex=True
    )
    first = at_equal_weights(found, sets[0], SOPS)
    order = sorted(members, key=lambda m: first.get(m, math.inf))
    numbers = []
    for ax, data in zip(axes[0], sets, strict=True):
        for i, (name, title) in enumerate(columns.items()):
            share = at_equal_weights(found, data, name)
            places = [(share[m], j) for j, m in enumerate(order) if m in share]
            if places:
                x, y = zip(*places, strict=True)
                ax.plot(x, y, label=title, **{**plots.series(i), "linestyle": "none"})
                numbers.append(f"{data}, {title}: {_percent(min(x))} to {_percent(max(x))}")
        ax.set(title=f"{data}, {found.levels[data]}", xscale="log", xlabel="left of the dense network, %")
        ax.xaxis.set_major_formatter(plots.PLAIN)
    axes[0, 0].set_yticks(range(len(order)), [look.named(m) for m in order])
    axes[0, 0].invert_yaxis()
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(columns), fontsize=9)
    return plots.picture(
        fig,
        alt="Points for every method: per cent of the dense network's energy that is left under each model. "
        + "; ".join(numbers)
        + ".",
        caption="What is left of the dense network's SOPs and joules at equal weights, under each model. Methods are "
        "sorted by SOPs on the first set.",
        records=unique([found.study]),
    )


def accuracies(found: Spent, data: str, model: str) -> dict[str, float]:
    """Method → accuracy in per cent at equal energy under a model, mean over the seeds.

    The energy is the share of the dense network's that the middle method spends at the level of comparison. Empty for a
    model that charges all alike.
    """
    if found.flat(data, model):
        return {}
    by_method = found.every_ladder(data, model)
    budget = ladders.middle(by_method).get(found.levels[data], math.nan)
    reached = {m: ladders.at_budget(points, budget) for m, points in by_method.items()}
    means = {m: float(np.mean(list(values.values()))) for m, values in reached.items() if values}
    return {m: mean for m, mean in means.items() if math.isfinite(mean)}


def changes(found: Spent, data: str, model: str) -> tuple[orders.Change, orders.Change]:
    """From SOPs to a model, how the order of methods changes: by what they spend at equal weights, and by accuracy.

    The latter is at equal SOPs or energy. Where a model charges all alike there is no order, and so no pair.
    """
    if found.flat(data, model):
        return orders.change({}, {}), orders.change({}, {})
    spending, reached = ([of(found, data, name) for name in (SOPS, model)] for of in (at_equal_weights, accuracies))
    return orders.change(*spending), orders.change(*reached)


def order(found: Spent) -> Table:
    """How the order of the methods changes from SOPs to the energy under each model."""
    rows = []
    for data in found.study.sets:
        for name in (SOPS, *MODELS):
            row = {"Data": data, "Model": _columns()[name]}
            row["Spends least"] = _first({m: -share for m, share in at_equal_weights(found, data, name).items()})
            row["Pairs turned, by energy"] = row["Tau, by energy"] = NONE
            row["Most accurate"] = _first(accuracies(found, data, name))
            row["Pairs turned, by accuracy"] = row["Tau, by accuracy"] = NONE
            if name != SOPS:
                for change, by in zip(changes(found, data, name), ("energy", "accuracy"), strict=True):
                    row[f"Pairs turned, by {by}"] = f"{change.turned} of {change.pairs}" if change.pairs else NONE
                    row[f"Tau, by {by}"] = format_number(change.tau)
            if found.flat(data, name):
                row["Spends least"] = NONE
            rows.append(row)
    caption = (
        "The order of the methods under each model against their order by SOPs: by energy, at equal weights; by "
        "accuracy, at equal energy. Turned pairs are those of two methods that change places; Kendall's tau is 1 for "
        "the same order and −1 for the reverse. A model that charges all networks alike has no order."
    )
    return Table(pd.DataFrame(rows), with_scale(caption, unique([found.study])), row_headers=2)


def _first(reached: Mapping[str, float]) -> str:
    if not reached:
        return NONE
    best = max(reached.values())
    return listed([look.named(m) for m, value in reached.items() if value == best])


def order_sentences(found: Spent) -> Fragment:
    """Whether the order of methods depends on the model, in words."""
    lines = []
    for data in found.study.sets:
        level = found.levels[data]
        flat = [f"`{name}`" for name in MODELS if found.flat(data, name)]
        if flat:
            lines.append(f"{data}: {listed(flat)} charges every pruned network alike, and orders none of them.")
        for name in MODELS:
            spending, reached = changes(found, data, name)
            if spending.pairs:
                text = f"{spending.turned} of {spending.pairs} pairs of methods change places in what they spend at "
                text += "equal weights"
                if reached.pairs:
                    text += f", and {reached.turned} of {reached.pairs} in accuracy at equal energy"
                lines.append(f"{data}, {level}, from SOPs to `{name}`: {text}.")
        spread = {name: list(at_equal_weights(found, data, name).values()) for name in _columns()}
        ranges = [
            f"{_columns()[name]} {_percent(min(values))} to {_percent(max(values))}"
            for name, values in spread.items()
            if values
        ]
        if ranges:
            lines.append(
                f"{data}, {level}, left of the dense network, cheapest to dearest method: {'; '.join(ranges)}."
            )
    return sentences(lines or ["There are no records."])
