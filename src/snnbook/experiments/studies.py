"""Studies: the trials behind each table and figure, by the name of what they reproduce.

A study is a function of the profile, and of options that override what its trials have in common. Settings of the
embedded sets were tuned on their validation splits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from snnbook import paths, pruning
from snnbook.errors import UserError, unknown
from snnbook.experiments.compared import ARMS, Arm, Settings, described
from snnbook.experiments.trials import Trial

Label = tuple[str, ...]

PROFILES = {
    "smoke": "a few seconds a page: tiny subsets and networks, to see that everything runs",
    "laptop": "the book's default: embedded data, real training, minutes",
    "paper": "the papers' data sets, networks and epochs; needs the data, and a GPU helps",
}
SEEDS = {"smoke": (0, 1), "laptop": (0, 1, 2, 3, 4), "paper": (0, 1, 2, 3, 4)}


def results_folder(profile: str) -> Path:
    """Where a profile keeps its records: with the repository, but for smoke runs, which are thrown away.

    Raises UserError for an unknown profile, and where there is no repository.
    """
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    return paths.results(profile)


@dataclass(frozen=True)
class Study:
    """A named set of trials, each with a label that pages and claims use, and the seeds to run them with."""

    name: str
    profile: str
    trials: dict[Label, Trial]
    seeds: tuple[int, ...]


# One entry per role: the data set, its network and the dense recipe. Labels use the embedded data's name throughout;
# a network that paper A trains on CIFAR-100 is a role of its own.
_READOUT = {"vote": 0, "hidden": (128,), "norm_hidden": True, "gain": 2.0, "bias": False, "dropout": 0.0}
_LAPTOP: dict[str, dict[str, Any]] = {
    "digits-clutter": {
        "T": 4,
        "network": "cifarnet",
        "network_settings": _READOUT | {"convolutions": (16, 16, "M", 32, 64, "M", 64, 128)},
        "epochs": 12,
        "batch_size": 50,
    },
    "digits-dvs": {
        "T": 10,
        "network": "cifar10dvs",
        "network_settings": _READOUT | {"convolutions": (16, "M", 32, "M", 64, 64)},
        "epochs": 10,
        "batch_size": 24,
        "fisher_samples": 32,
    },
    "arms-dvs": {
        "T": 20,
        "network": "dvsgesture",
        "network_settings": _READOUT | {"convolutions": (16, "M", 32, "M", 64, 64, 64)},
        "epochs": 12,
        "batch_size": 20,
        "fisher_samples": 32,
    },
    # A plain network of six convolutions in the part of VGG16, which learns a quarter of a hundred classes in minutes.
    "vgg16": {
        "data": "digits-100",
        "T": 4,
        "network": "cifarnet",
        "network_settings": _READOUT | {"hidden": (64,), "convolutions": (16, 32, "M", 32, 32, "M", 64, 64)},
        "epochs": 12,
    },
}
_PAPER: dict[str, dict[str, Any]] = {
    "digits-clutter": {
        "data": "cifar10", "T": 8, "network": "cifarnet", "epochs": 300, "batch_size": 16, "lr": 1e-4,
        "loss": "squared_error",
    },
    "digits-dvs": {
        "data": "cifar10_dvs", "T": 10, "network": "cifar10dvs", "epochs": 300, "batch_size": 16, "lr": 1e-3,
        "fisher_samples": 32,
    },
    "arms-dvs": {
        "data": "dvs128_gesture", "T": 20, "network": "dvsgesture", "epochs": 300, "batch_size": 8, "lr": 1e-3,
        "fisher_samples": 32,
    },
    "vgg16": {
        "data": "cifar100", "T": 5, "network": "vgg16", "epochs": 300, "batch_size": 128, "optimizer": "sgd", "lr": 0.3,
        "weight_decay": 5e-4,
    },
}  # fmt: skip


def dense(role: str, profile: str) -> Trial:
    """The dense network of a role, which every method starts from."""
    if profile == "paper":
        return Trial(**_PAPER[role])
    home = Trial(**{"data": role} | _LAPTOP[role])
    if profile == "smoke":
        sizes: dict[str, Any] = {"T": min(home.T, 4), "width": 0.25, "epochs": 2, "batch_size": 16, "train_size": 44}
        home = replace(home, **sizes, fisher_samples=min(home.fisher_samples, 2))
    return home


def after(parent: Trial, method: str, profile: str, **settings) -> Trial:
    """A trial that goes on from a dense one; all methods get the same epochs and its learning rate."""
    epochs = {"smoke": 3, "laptop": 18, "paper": 300}[profile]
    return replace(
        parent,
        method=method,
        settings=tuple(settings.items()),
        epochs=epochs,
        fisher_samples=0,
        start=parent,
    )


def _ablation(profile: str) -> dict[Label, Trial]:
    """Paper A Table 4: no, spatial, temporal and both prunings, each with the same epochs from the same dense network.

    lambda is 0.05 on the embedded sets, where the paper's 0.01 keeps most steps; Fig. 5 shows the whole range.
    At the paper's scale its protocol is kept: lambda 0.01, rounds that rewind to epoch 20, and the dense network as it
    is for "none".
    """
    return {
        (role, arm): _pruned(dense(role, profile), arm, profile)
        for role in EVENT_SETS
        for arm in ("none", "S", "T", "S+T")
    }


EVENT_SETS = ("digits-dvs", "arms-dvs")


def _pruned(parent: Trial, arm: str, profile: str, **more: Any) -> Trial:
    """An arm of the ablation on a dense network: pruned in space (S), in time (T), both or neither ("none")."""
    settings = {"share": 0.25 if "S" in arm else 0.0, "temporal": "T" in arm} | more
    if profile != "paper":
        return after(parent, "stp", profile, cuts=2 if profile == "smoke" else 14, lam=0.05, **settings)
    if arm == "none":
        return parent
    rounds = {"cuts": 14 if "S" in arm else 1, "lam": 0.01, "rewind": 20}
    return replace(parent, method="stp", settings=tuple((rounds | settings).items()))


def _total_steps(profile: str) -> dict[Label, Trial]:
    """Paper A Table 5: the ablation again with the recordings cut into 10, 15, 20 and 25 frames."""
    trials: dict[Label, Trial] = {}
    for T in (2, 3, 4, 5) if profile == "smoke" else (10, 15, 20, 25):
        parent = replace(dense("arms-dvs", profile), T=T)
        for arm in ("none", "T", "S+T"):
            trials["arms-dvs", arm, str(T)] = _pruned(parent, arm, profile)
    return trials


def _listing(profile: str) -> dict[Label, Trial]:
    """Paper A Algorithm 1 to the letter, whose sum runs over the wrong weights, beside what is meant."""
    scores = {"as meant": "lamp", "magnitude": "magnitude", "random": "random", "as printed": "lamp_printed"}
    return {
        (role, name): _pruned(dense(role, profile), "S", profile, **({} if score == "lamp" else {"score": score}))
        for role in EVENT_SETS
        for name, score in scores.items()
    }


def _rounds(profile: str) -> dict[Label, Trial]:
    """Paper A Tables 2 and 3: LAMP, without and with the decision step, and IMP; 14 rounds that rewind."""
    trials: dict[Label, Trial] = {}
    for role in ("digits-clutter", *EVENT_SETS):
        trials |= _in_rounds(role, role, ("IMP", "S", "S+T") if role in EVENT_SETS else ("IMP", "S"), 2, profile)
    return trials


def _hundred(profile: str) -> dict[Label, Trial]:
    """Paper A Table 2, the rows of CIFAR-100 and VGG16. Rounds go back to a late epoch and are short."""
    return _in_rounds("vgg16", "digits-100", ("IMP", "S"), 9, profile)


def _in_rounds(role: str, data: str, arms: tuple[str, ...], rewind: int, profile: str) -> dict[Label, Trial]:
    """Cuts of a quarter, each followed by a training that goes back to the same early epoch.

    The arms share the dense network of their first round and what they go back to. Every round is a whole training, so
    its end is a point of its own; see the detail "rounds" of a trial.
    """
    common: dict[str, Any] = {
        "cuts": 2 if profile == "smoke" else 14,
        "share": 0.25,
        "rewind": {"smoke": 1, "laptop": rewind, "paper": 20}[profile],
    }
    lam = 0.01 if profile == "paper" else 0.05
    what: dict[str, tuple[str, dict[str, Any]]] = {
        "IMP": ("imp", {}),
        "S": ("stp", {"temporal": False}),
        "S+T": ("stp", {"lam": lam}),
    }
    return {
        (data, arm): replace(
            dense(role, profile),
            method=what[arm][0],
            settings=tuple((common | what[arm][1]).items()),
            fisher_samples=0,
            details=("rounds", "weights"),
        )
        for arm in arms
    }


def _dense(profile: str) -> dict[Label, Trial]:
    """Paper A Figs. 1, 3, 4, 7 and 8 and Eq. 15: the dense networks, looked at more closely."""
    details = ("outputs", "taylor", "weights")
    return {
        (role, "dense"): replace(dense(role, profile), fisher_samples=0, details=details)
        for role in ("digits-clutter", *EVENT_SETS)
    }


def _matched(profile: str) -> dict[Label, Trial]:
    """Paper A Tables 2 and 3: the methods that they name, each over its ladder, with the same epochs in total.

    On arms-dvs those that Table 3 names for its data; a run there takes three times as long.
    """
    of_both, of_one = ("imp", "stds", "sccd"), ("deepr", "gradr", "unstructured")
    spatial = replace(ARMS["stp"], fixed={**ARMS["stp"].fixed, "temporal": False}, on={})
    trials: dict[Label, Trial] = {}
    for role in ("digits-clutter", *EVENT_SETS):
        trials[role, "dense", ""] = _arm(role, "dense", ARMS["dense"], {}, profile)
        ours = {"S": spatial} | ({"S+T": ARMS["stp"]} if role in EVENT_SETS else {})
        rivals = of_both if role == "arms-dvs" else of_both + of_one
        for name, arm in (ours | {name: ARMS[name] for name in rivals}).items():
            for rung, settings in list(arm.ladder.items())[: 2 if profile == "smoke" else None]:
                trials[role, name, rung] = _arm(role, "stp" if name in ours else name, arm, settings, profile)
    return trials


def _curves(profile: str) -> dict[Label, Trial]:
    """Paper A Figs. 5 and 6 read the curves over time steps of the dense event networks."""
    return {(role, "dense"): dense(role, profile) for role in ("digits-dvs", "arms-dvs")}


def _lamp(profile: str) -> dict[Label, Trial]:
    """LAMP against magnitude and noise at one sparsity, on the static set."""
    parent = dense("digits-clutter", profile)
    trials: dict[Label, Trial] = {("digits-clutter", "dense"): after(parent, "dense", profile)}
    for method in ("random", "magnitude", "lamp"):
        trials["digits-clutter", method] = after(parent, method, profile, sparsity=0.98)
    return trials


COMPARED_ON = ("digits-clutter", "digits-dvs")


def _compare(profile: str) -> dict[Label, Trial]:
    """All methods on two sets, each over its ladder of sparsities, with the same epochs in total."""
    trials: dict[Label, Trial] = {}
    for role in COMPARED_ON:
        parent = dense(role, profile)
        trials[role, "dense", ""] = _arm(role, "dense", ARMS["dense"], {}, profile)
        for method, arm in ARMS.items():
            for rung, settings in list(arm.ladder.items())[: 2 if profile == "smoke" else None]:
                trials[role, method, rung] = _arm(role, method, arm, settings, profile)
        if profile != "smoke" and role == COMPARED_ON[0]:  # such a run costs as much as eight others
            whole = {"cuts": 14, "share": 0.25, "rewind": 20 if profile == "paper" else 2}
            more = replace(parent, method="imp", settings=tuple(whole.items()), fisher_samples=0)
            trials[role, "imp", "98 %, 25 % a round"] = more
    return trials


def _arm(role: str, method: str, arm: Arm, rung: Settings, profile: str) -> Trial:
    """One rung of a method: as many epochs in total as any other, from the dense network or from scratch."""
    parent = dense(role, profile)
    epochs = {"smoke": 4, "laptop": 20, "paper": 600}[profile]
    settings: dict[str, Any] = {**arm.chosen, **arm.on.get(role, {}), **rung}
    if profile == "smoke":  # there are not more epochs than for these
        settings |= {name: small for name, small in (("cuts", 2), ("rewind", 1)) if name in settings}
    if "cuts" in settings and "sparsity" in settings:
        settings["share"] = 1 - (1 - settings.pop("sparsity")) ** (1 / settings["cuts"])
    if "rewind" in settings:  # trainings of its own, which add up
        epochs = (epochs + settings["cuts"] * settings["rewind"]) // (settings["cuts"] + 1)
    elif not arm.scratch:
        epochs -= parent.epochs
    start = None if arm.scratch else parent
    chosen = tuple(settings.items())
    return replace(parent, method=method, settings=chosen, fisher_samples=0, epochs=epochs, start=start)


def _tuning(profile: str) -> dict[Label, Trial]:
    """What the settings of the comparison were chosen from, on one set and one rung; see `experiments.compared`."""
    role = COMPARED_ON[0]
    trials: dict[Label, Trial] = {}
    for method, arm in ARMS.items():
        for candidate in arm.candidates[: 2 if profile == "smoke" else None]:
            rung = arm.ladder[arm.tuned]
            trials[role, method, described(candidate)] = _arm(role, method, arm, {**rung, **candidate}, profile)
    return trials


STUDIES: dict[str, Callable[[str], dict[Label, Trial]]] = {
    "A.table4": _ablation,
    "A.fig5": _curves,
    "A.fig6": _curves,
    "A.rounds": _rounds,
    "A.vgg16": _hundred,
    "A.matched": _matched,
    "A.table5": _total_steps,
    "A.algorithm1": _listing,
    "A.dense": _dense,
    "lamp": _lamp,
    "decision-step": _curves,
    "compare": _compare,
    "compare.tuning": _tuning,
}
OWN_SEEDS = {"compare.tuning": (100,)}  # not one of those that results are shown for


def names() -> list[str]:
    """The names of all studies."""
    return list(STUDIES)


def study(name: str, profile: str = "laptop", seeds: tuple[int, ...] = (), **options) -> Study:
    """The study `name` at a profile; `options` override fields of its trials or settings of their methods.

    Raises UserError for an unknown study, profile or option, and for values out of range.
    """
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    known = known_options(name, profile)
    for key in options:
        if key not in known:
            raise unknown(f"option of {name}", key, known)
    trials = {label: _changed(trial, options) for label, trial in STUDIES[name](profile).items()}
    return Study(name, profile, trials, seeds or OWN_SEEDS.get(name) or SEEDS[profile])


def known_options(name: str, profile: str = "laptop") -> set[str]:
    """The options that the trials of a study take. Raises UserError for an unknown study."""
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return _FIELDS.union(*(pruning.settings(trial.method) for trial in STUDIES[name](profile).values()))


def applicable(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Those of `options` that a study takes: one text of options serves all pages of a book.

    Raises UserError for an option that no study takes.
    """
    anywhere = set().union(*(known_options(each) for each in STUDIES))
    for key in options:
        if key not in anywhere:
            raise unknown("option", key, anywhere)
    return {key: value for key, value in options.items() if key in known_options(name)}


_FIELDS = {f.name for f in fields(Trial)} - {"start", "settings", "network_settings", "method", "details"}
_SHARED = {"data", "T", "network", "width", "train_size"}  # what shapes data or network shapes the start as well


def _changed(trial: Trial, options: dict[str, Any]) -> Trial:
    """`trial` with the options that apply to it."""
    mine = {k: v for k, v in options.items() if k in _FIELDS}
    settings = {k: v for k, v in options.items() if k in pruning.settings(trial.method)}
    try:
        start = trial.start and replace(trial.start, **{k: v for k, v in mine.items() if k in _SHARED})
        return replace(trial, **mine, settings=tuple((dict(trial.settings) | settings).items()), start=start)
    except TypeError as err:
        raise UserError(f"an option has a value of the wrong kind: {err}") from err
