"""The command line: `snnbook run | plan | list | show | claims | verify | bench | doctor | book`, each with --help."""

from __future__ import annotations

import errno
import json
import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import snnbook
from snnbook.errors import DamagedRecord, UserError, unknown

if TYPE_CHECKING:
    from snnbook.experiments import Store, Study


class _Group(click.Group):
    """Turns a user's mistake into one line and an exit code, and offers the nearest command."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise click.ClickException(str(unknown("command", args[0], self.commands)))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", DamagedRecord)
                warnings.showwarning = lambda message, *_, **__: click.echo(f"warning: {message}", err=True)
                return super().invoke(ctx)
        except UserError as err:
            raise click.ClickException(str(err)) from err
        except OSError as err:
            if err.errno == errno.EPIPE:  # whoever read the output has gone
                raise
            raise click.ClickException(f"{err.filename}: {err.strerror}" if err.filename else str(err)) from err
        except KeyboardInterrupt:
            click.echo("\ninterrupted: finished trials are kept, the same command goes on from there", err=True)
            sys.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(snnbook.__version__)
def main() -> None:
    """Re-run the science of pruning spiking neural networks."""


profile_option = click.option("--profile", default="laptop", show_default=True, help="smoke, laptop or paper.")
results_option = click.option("--results", default="", help="Folder of records; default: the profile's.")
seeds_option = click.option("--seeds", default="", help="Such as 0-4 or 0,2; default: the profile's.")
jobs_option = click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Trials at a time.")
cluster_option = click.option(
    "--cluster", default="", metavar="ADDRESS", help="A Dask scheduler to use instead of local workers."
)
settings_option = click.option(
    "-p", "settings", multiple=True, metavar="KEY=VALUE", help="Override a setting; may be repeated."
)
root_option = click.option("--root", default="", help="Folder of the data sets that are read from disk.")
device_option = click.option("--device", default="", metavar="cpu|cuda", help="Where networks are trained.")


def _options(given: Sequence[str], root: str, device: str) -> str:
    """Options of studies as one text; root and device are fields of their trials like others."""
    machine = {"root": root, "device": device}
    return shlex.join([*given, *(f"{key}={value}" for key, value in machine.items() if value)])


def _studies(name: str) -> list[str]:
    """The names of the studies behind a name: itself, or those that the page of an artefact reads."""
    from snnbook.experiments.studies import names

    if name in names():
        return [name]
    from snnbook import book
    from snnbook.headers import artefacts

    listed = artefacts()
    if name not in listed:
        raise unknown("study, table, figure or algorithm", name, [*names(), *listed])
    title = f"{listed[name].title} of paper {listed[name].paper} ({listed[name].about})"
    page = next((page for page in book.notebooks() if name in page.reproduces), None)
    if page is None:
        raise UserError(f"{name}: {title} has no page yet")
    if not page.reads:
        raise UserError(f"{name}: {title} needs no training; its page computes it: snnbook book --only {page.name}")
    return list(page.reads)


def _chosen(
    names: Sequence[str], profile: str, seeds: tuple[int, ...], given: Mapping[str, Any], store: Store
) -> list[Study]:
    """The studies of these names; of several, each takes those of the options that apply to it."""
    from snnbook.experiments import study
    from snnbook.experiments.studies import applicable

    return [
        study(name, profile, seeds, store, **(given if len(names) == 1 else applicable(name, given, profile, store)))
        for name in names
    ]


@main.command()
@click.argument("name")
@settings_option
@seeds_option
@jobs_option
@profile_option
@results_option
@cluster_option
@root_option
@device_option
def run(
    name: str, settings: tuple[str, ...], seeds: str, jobs: int, profile: str, results: str, cluster: str,
    root: str, device: str,
) -> None:  # fmt: skip
    """Run the trials of NAME that have no record yet, and show what came out.

    NAME is a study, or a table, figure or algorithm of a paper such as A.table2 (see `snnbook list`): then all studies
    are run that its page reads. Each study takes the options of its trials: -p T=8 -p lam=0.1 -p sparsity=0.95 ...
    """
    from snnbook import arithmetic
    from snnbook.experiments import open_store, run_studies
    from snnbook.experiments.results import asked, run_needed

    arithmetic.hold()
    names, store = _studies(name), open_store(profile, results)
    wanted, given = asked(seeds, _options(settings, root, device))
    run_needed(names, profile, store, jobs, cluster)
    chosen = _chosen(names, profile, wanted, given, store)
    done = list(run_studies(chosen, store, jobs, cluster).values())
    ran, reused = (sum(getattr(one, count) for one in done) for count in ("ran", "reused"))
    click.echo(f"{ran} trials run, {reused} reused; records in {store.path}")
    for one in done:
        width = max(len(str(key)) for key in one.records)
        click.echo(f"{one.name:{width}}  {'top-1 %':>14} {'sparsity %':>11} {'T':>5} {'SOPs':>12}")
        for key in one.records:
            top1, sparsity, T, sops = (one.values(key, m) for m in ("top1", "sparsity", "T", "sops"))
            spread = f"± {top1.std(ddof=1):4.2f}" if len(top1) > 1 else "1 seed"
            values = f"{top1.mean():7.2f} {spread} {sparsity.mean():11.2f} {T.mean():5.1f} {sops.mean():12,.0f}"
            click.echo(f"{key!s:{width}}  {values}")


@main.command()
@click.argument("name")
@settings_option
@seeds_option
@profile_option
@results_option
@root_option
@device_option
@click.option("--all", "all_", is_flag=True, help="Every missing trial, not only the first ten.")
def plan(
    name: str, settings: tuple[str, ...], seeds: str, profile: str, results: str, root: str, device: str, all_: bool
) -> None:
    """Say what `snnbook run NAME` would train: how much is stored, what is missing, about how long it takes."""
    from snnbook.experiments import open_store
    from snnbook.experiments import plan as planned
    from snnbook.experiments.results import asked
    from snnbook.experiments.studies import run_before

    names, store = _studies(name), open_store(profile, results)
    wanted, given = asked(seeds, _options(settings, root, device))
    for before in run_before(names, profile, store):
        if left := planned(before.jobs, store).jobs:
            names, chosen = [before.name], [before]
            click.echo(f"{before.name} comes first ({len(left)} trainings): the settings of {name} are chosen by it")
            break
    else:
        chosen = _chosen(names, profile, wanted, given, store)
    width = max(map(len, names))
    for one in chosen:
        jobs = {(trial.id, seed) for trial, seed in one.jobs}
        stored = sum(store.has(*job) for job in jobs)
        what = f"{len(one.trials)} trials, seeds {', '.join(map(str, one.seeds))}"
        click.echo(f"{one.name:{width}}  {what}: {stored} of {len(jobs)} records are stored")
    whole = planned(_jobs(chosen), store)
    click.echo(str(whole))
    missing: dict[str, list[int]] = {}
    for trial, seed in whole.jobs:
        missing.setdefault(trial.id, []).append(seed)
    shown = list(missing.items())[: None if all_ else 10]
    for id, left_seeds in shown:
        click.echo(f"  {id}  seeds {', '.join(map(str, left_seeds))}")
    if len(shown) < len(missing):
        click.echo(f"  and {len(missing) - len(shown)} more (--all)")


def _jobs(studies: Sequence[Study]) -> list[Any]:
    return [job for one in studies for job in one.jobs]


@main.command("list")
@results_option
@profile_option
@click.option("--trials", is_flag=True, help="The stored trials instead, by id with their seeds.")
def list_(results: str, profile: str, trials: bool) -> None:
    """List what there is: the papers' tables and figures with their pages, studies, methods, data sets, networks."""
    from snnbook.experiments import open_store

    store = open_store(profile, results)
    seeds: dict[str, list[int]] = {}
    for id, seed in store.stored():
        seeds.setdefault(id, []).append(seed)
    if trials:
        for id, stored in seeds.items():
            click.echo(f"{id}  seeds {', '.join(map(str, stored))}")
        if not seeds:
            click.echo(f"no records in {store.path}")
        return
    from snnbook import datasets, networks, pruning
    from snnbook.experiments.profiles import PROFILES
    from snnbook.experiments.studies import STUDIES

    groups = {
        **_artefacts(),
        "studies": {name: entry.about for name, entry in STUDIES.items()},
        "methods": pruning.available(), "data sets": datasets.available(),
        "networks": networks.available(), "profiles": PROFILES,
    }  # fmt: skip
    for title, entries in groups.items():
        click.secho(title, bold=True)
        for name, line in entries.items():
            click.echo(f"  {name:<16} {line}")
    click.secho("records", bold=True)
    count = sum(map(len, seeds.values()))
    click.echo(f"  {count} of {len(seeds)} trials in {store.path} (snnbook list --trials)")


def _artefacts() -> dict[str, dict[str, str]]:
    """Paper → artefact → its page or that there is none yet, and what it shows."""
    from snnbook.headers import artefacts, owners
    from snnbook.report.papers import PAPERS

    owner = owners()
    listed: dict[str, dict[str, str]] = {}
    for name, artefact in artefacts().items():
        paper = f"paper {artefact.paper}, {PAPERS[artefact.paper].short}"
        listed.setdefault(paper, {})[name] = f"{owner.get(name, 'not yet'):<24} {artefact.about}"
    return listed


@main.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="The whole records, one per line.")
@results_option
@profile_option
def show(id: str, as_json: bool, results: str, profile: str) -> None:
    """Show a stored trial: its configuration and metrics. ID may be shortened to its start or its hash.

    For the name of a method: its settings and their defaults.
    """
    from snnbook import pruning
    from snnbook.experiments import open_store

    if id in pruning.available():
        click.secho(id, bold=True)
        click.echo(f"  {pruning.available()[id]}")
        for key, value in pruning.settings(id).items():
            click.echo(f"  {key:<18} {value}")
        return
    records = open_store(profile, results).find(id)
    if as_json:
        for record in records:
            click.echo(json.dumps(record.body(), sort_keys=True))
        return
    click.secho(records[0].id, bold=True)
    for key, value in records[0].trial.items():
        click.echo(f"  {key:<18} {value}")
    click.secho(f"  {'seed':<20}" + "".join(f"{r.seed:>14}" for r in records), bold=True)
    for key in records[0].metrics:
        values = [r.metrics[key] for r in records]
        shown = (f"{v:>14.6g}" if isinstance(v, int | float) else f"{'–' if v is None else v!s:>14}" for v in values)
        click.echo(f"  {key:<20}" + "".join(shown))
    click.echo(f"  {'wall time, s':<20}" + "".join(f"{r.environment.get('wall_s', ''):>14}" for r in records))


@main.command()
@click.option("--paper", default="", metavar="LETTER", help="Only the claims of this paper.")
@click.option("--write", "file", type=click.Path(dir_okay=False), help="Write the verdicts in numbers to a CSV file.")
@results_option
@profile_option
def claims(paper: str, file: str | None, results: str, profile: str) -> None:
    """Show the verdict on every claim of the papers, from the stored records; nothing is trained.

    Those of the repository's records are kept with it: snnbook claims --write data/verdicts.csv.
    """
    from snnbook.experiments import open_store, run_study
    from snnbook.experiments import plan as planned
    from snnbook.files import writing
    from snnbook.report import claims as c
    from snnbook.report import papers

    if paper:
        papers.paper(paper)
    store, read = open_store(profile, results), {}
    for one in _chosen(c.studies_read(), profile, (), {}, store):
        left = planned(one.jobs, store).jobs
        if left:
            click.echo(f"{one.name} lacks {len(left)} trainings: snnbook run {one.name}", err=True)
        else:
            read[one.name] = run_study(one, store)
    board = c.verdicts(read, paper=paper or None)
    for line in c.lines(board):
        click.echo(line)
    if file:
        with writing(Path(file)):
            text = c.table(board).to_csv(index=False, lineterminator="\n")
            Path(file).write_text(text, encoding="utf-8", newline="\n")
    tally = c.counts(board)
    click.echo(c.CONDITIONAL)
    click.echo(", ".join(f"{n} {outcome}" for outcome, n in tally.items() if outcome != c.NOT_TESTABLE))
    click.echo(f"{tally[c.NOT_TESTABLE]} of {len(board)} claims are not testable here")


@main.command()
@click.argument("id", default="")
@click.option("--sample", default=3, show_default=True, type=click.IntRange(1), help="How many stored records.")
@click.option("--seed", default=0, show_default=True, help="Which ones: the draw is random but repeatable.")
@click.option("--cheapest", is_flag=True, help="Those that took the least time, instead of a draw.")
@results_option
@profile_option
@root_option
def verify(id: str, sample: int, seed: int, cheapest: bool, results: str, profile: str, root: str) -> None:
    """Re-run stored records and compare: bit for bit on x86-64 with AVX2, within what seeds spread over elsewhere.

    With an ID, which may be shortened to its start or its hash, only records of this trial.
    """
    from snnbook import arithmetic
    from snnbook.experiments import open_store
    from snnbook.experiments.verify import verify as checks

    arithmetic.hold()
    outcomes = []
    for check in checks(open_store(profile, results), sample, seed, cheapest, id, root):
        click.echo(f"{check.outcome:<8} {check.id} seed {check.seed}: {check.why}")
        outcomes.append(check.outcome)
    if wrong := outcomes.count("differs"):
        raise click.ClickException(f"{wrong} of {len(outcomes)} re-runs differ from their records")


@main.command()
@click.argument("name", default="all")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Interleaved rounds.")
@click.option("--quick", is_flag=True, help="Small sizes only; kept in build/bench.")
@click.option("--large", is_flag=True, help="LAMP for 100 million weights as well.")
@click.option("--output", default="", metavar="FOLDER", help="Where the results go; default: data/bench.")
def bench(name: str, rounds: int, quick: bool, large: bool, output: str) -> None:
    """Run the benchmark NAME, or all: on one thread, against the peers that are installed.

    lif times the neurons, train a training step, lamp the masks of LAMP, count a pass in which operations are counted,
    and sparse the inference of pruned networks. sops times nothing; it counts operations with other libraries.
    trained times trained networks of every method, compiled; it trains those that data/compiled lacks, about an hour
    for all. `make bench` makes an environment with the peers and runs everything.
    """
    from snnbook import bench as b
    from snnbook import paths
    from snnbook.files import check_writable

    if not b.installed():
        click.echo(b.HOW, err=True)
    folder = paths.absolute(output) if output else paths.bench(quick)
    check_writable(folder)
    for chosen in b.possible() if name == "all" else (name,):
        result = b.run(chosen, rounds, quick, **({"large": True} if large and chosen == "lamp" else {}))
        click.secho(chosen, bold=True)
        for line in b.report(result):
            click.echo(f"  {line}")
        click.echo(f"  kept in {result.save(folder)}")


@main.command()
def doctor() -> None:
    """Say what works on this machine, what is slower or missing, and why."""
    from snnbook.doctor import checks

    for check in checks():
        click.echo(f"{'ok' if check.good else 'missing':<7}  {check.name:<18} {check.text}")


@main.command()
@profile_option
@click.option("--fresh", is_flag=True, help="Train everything anew, in a folder of its own below build/.")
@click.option("--only", multiple=True, metavar="NOTEBOOK", help="Only this notebook, such as stp/table4.")
@click.option("--stored", is_flag=True, help="Train nothing: leave out pages of which records are missing.")
@seeds_option
@results_option
@jobs_option
@click.option("--options", default="", help='"key=value key=value" for the studies.')
@root_option
@device_option
def book(
    profile: str, fresh: bool, only: tuple[str, ...], stored: bool, seeds: str, results: str, jobs: int, options: str,
    root: str, device: str,
) -> None:  # fmt: skip
    """Run what has no record yet, execute the notebooks and render the book."""
    from snnbook import book as b

    b.build(profile, fresh, only, seeds, results, jobs, f"{options} {_options((), root, device)}".strip(), stored)
