"""The command line: `snnbook run | list | show | verify | bench | doctor | book`, each with --help."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import warnings
from typing import Any

import click

import snnbook
from snnbook.errors import DamagedRecord, UserError, unknown


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


@main.command()
@click.argument("name")
@click.option("-p", "parameters", multiple=True, metavar="KEY=VALUE", help="Override a setting; may be repeated.")
@seeds_option
@jobs_option
@profile_option
@results_option
@click.option("--cluster", default="", metavar="ADDRESS", help="A Dask scheduler to use instead of local workers.")
@click.option("--root", default="", help="Folder of the papers' data sets (profile paper).")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
def run(
    name: str, parameters: tuple[str, ...], seeds: str, jobs: int, profile: str, results: str, cluster: str,
    root: str, device: str,
) -> None:  # fmt: skip
    """Run the trials of a study (see `snnbook list`) that have no record yet, and show what came out.

    Each study takes the options of its trials: -p T=8 -p lam=0.1 -p sparsity=0.95 -p epochs=20 ...
    """
    from snnbook.experiments import open_store, run_study, study
    from snnbook.experiments import trials as t

    given = t.options(shlex.join(parameters)) | {"device": device} | ({"root": root} if root else {})
    store = open_store(profile, results)
    chosen = study(name, profile, t.seeds(seeds) if seeds else (), store, **given)
    found = run_study(chosen, store, jobs, cluster)
    click.echo(f"{found.ran} trials run, {found.reused} reused; records in {store.path}")
    width = max(len(str(label)) for label in found.records)
    click.echo(f"{'':{width}}  {'top-1 %':>14} {'sparsity %':>11} {'T':>5} {'SOPs':>12}")
    for label in found.records:
        top1, sparsity, T, sops = (found.values(label, m) for m in ("top1", "sparsity", "T", "sops"))
        spread = f"± {top1.std(ddof=1):4.2f}" if len(top1) > 1 else "1 seed"
        values = f"{top1.mean():7.2f} {spread} {sparsity.mean():11.2f} {T.mean():5.1f} {sops.mean():12,.0f}"
        click.echo(f"{label!s:{width}}  {values}")


@main.command("list")
@results_option
@profile_option
def list_(results: str, profile: str) -> None:
    """List what there is: studies, methods, data sets, networks, profiles, and the stored trials."""
    from snnbook import datasets, networks, pruning
    from snnbook.experiments import open_store
    from snnbook.experiments.profiles import PROFILES
    from snnbook.experiments.studies import STUDIES

    about = {name: entry.about for name, entry in STUDIES.items()}
    groups = {
        "studies": about, "methods": pruning.available(), "data sets": datasets.available(),
        "networks": networks.available(), "profiles": PROFILES,
    }  # fmt: skip
    for title, entries in groups.items():
        click.secho(title, bold=True)
        for name, line in entries.items():
            click.echo(f"  {name:<16} {line}")
    store = open_store(profile, results)
    seeds: dict[str, list[int]] = {}
    for id, seed in store.stored():
        seeds.setdefault(id, []).append(seed)
    click.secho(f"trials in {store.path}", bold=True)
    for id, found in seeds.items():
        click.echo(f"  {id}  seeds {', '.join(map(str, found))}")
    if not seeds:
        click.echo("  none")


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
@click.option("--sample", default=3, show_default=True, type=click.IntRange(1), help="How many stored trials.")
@click.option("--seed", default=0, show_default=True, help="Which ones: the draw is random but repeatable.")
@results_option
@profile_option
def verify(sample: int, seed: int, results: str, profile: str) -> None:
    """Re-run a sample of stored trials and compare: bit for bit on one machine, within a tolerance elsewhere."""
    from snnbook.experiments import open_store
    from snnbook.experiments.verify import verify as checks

    wrong = 0
    for check in checks(open_store(profile, results), sample, seed):
        click.echo(f"{check.outcome:<8} {check.id} seed {check.seed}: {check.why}")
        wrong += check.outcome == "differs"
    if wrong:
        raise click.ClickException(f"{wrong} of {sample} re-runs differ from their records")


@main.command()
@click.argument("what", type=click.Choice(["lif", "train", "lamp", "sparse", "trained", "all"]), default="all")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Interleaved rounds.")
@click.option("--quick", is_flag=True, help="Small sizes only; kept in build/bench.")
@click.option("--large", is_flag=True, help="LAMP for 100 million weights as well.")
@click.option("--output", default="", metavar="FOLDER", help="Where the results go; default: data/bench.")
def bench(what: str, rounds: int, quick: bool, large: bool, output: str) -> None:
    """Time the neurons, the training step, LAMP and sparse inference on one thread, against the peers that are there.

    `trained` times trained networks of every method, compiled; it trains those that data/compiled lacks, about an
    hour for all. `make bench` makes an environment with the peers and runs everything.
    """
    from pathlib import Path

    from snnbook import bench as b
    from snnbook import paths

    if not b.installed():
        click.echo(b.HOW, err=True)
    folder = Path(output) if output else paths.bench(quick)
    for name in b.BENCHES if what == "all" else (what,):
        result = b.run(name, rounds, quick, **({"large": True} if large and name == "lamp" else {}))
        click.secho(name, bold=True)
        for line in b.report(result):
            click.echo(f"  {line}")
        click.echo(f"  kept in {result.save(folder)}")


@main.command()
def doctor() -> None:
    """Say what works on this machine, what is slower or missing, and why."""
    import platform

    import torch

    from snnbook import datasets, native, paths
    from snnbook.datasets import cache
    from snnbook.experiments.measurements import processor

    def line(good: bool, what: str, text: str) -> None:
        click.echo(f"{'ok     ' if good else 'missing'}  {what:<18} {text}")

    line(
        True,
        "snnbook",
        f"{snnbook.__version__}, Python {platform.python_version()}, torch {torch.__version__}",
    )
    line(True, "processor", f"{processor()}, {torch.get_num_threads()} threads")
    line(
        native.available(),
        "compiled kernels",
        native.status if native.available() else f"{native.status}; slower",
    )
    gpu = torch.cuda.is_available()
    line(
        gpu,
        "GPU",
        torch.cuda.get_device_name() if gpu else "none; only the paper profile would gain from one",
    )
    npm = shutil.which("npm") is not None
    line(npm, "npm", "formulas are stored with the book" if npm else "formulas in the book need the internet")
    try:
        line(True, "printed numbers", str(paths.data()))
    except UserError as err:
        line(False, "printed numbers", str(err))
    folder = cache.folder()
    line(True, "data cache", str(folder))
    line(True, "data sets", ", ".join(datasets.available()))


@main.command()
@profile_option
@click.option("--fresh", is_flag=True, help="Train everything anew, in a folder of its own below build/.")
@click.option("--only", multiple=True, metavar="NOTEBOOK", help="Only this notebook, such as stp/table4.")
@seeds_option
@results_option
@jobs_option
@click.option("--options", default="", help='"key=value key=value" for the studies.')
def book(profile: str, fresh: bool, only: tuple[str, ...], seeds: str, results: str, jobs: int, options: str) -> None:
    """Run what has no record yet, execute the notebooks and render the book."""
    from snnbook import book as b

    b.build(profile, fresh, only, seeds, results, jobs, options)
