"""Paper A, spatio-temporal pruning (Gou et al. 2025): the runs behind its tables, figures and algorithm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from snnbook.experiments.key import Key
from snnbook.experiments.profiles import EVENT_ROLES, dense, trained_on
from snnbook.experiments.store import Store
from snnbook.experiments.studies import register
from snnbook.experiments.studies.compare import arm, levels, plans, settings_at
from snnbook.experiments.trials import Trial

CUTS, SHARE = 14, 0.25  # rounds of pruning, and the share of the survivors that each of them takes
REWIND = 20  # epoch that the rounds go back to at the paper's scale
LAM = 0.01  # at the paper's scale
LAM_LARGE = 0.05
ALL_ROLES = ("CIFAR10", *EVENT_ROLES)


def lam_of(role: str, profile: str) -> float:
    """The threshold of the decision step on the data set of a role: on an embedded one that of the comparison."""
    plan = plans()["stp"]
    return LAM if profile == "paper" else {**plan.shared, **plan.by_role.get(role, {})}["lam"]


def large(name: str) -> str:
    """The name of an arm that is cut in time at `LAM_LARGE` where the set's own lambda is smaller."""
    return f"{name}, λ = {LAM_LARGE:g}"


@register("A.ablation")
def ablation(profile: str) -> dict[Key, Trial]:
    """Paper A Table 4: no, spatial, temporal and both prunings, each with the same epochs from the same dense network.

    lambda on the embedded sets keeps the share of the steps that the paper prints; where that is less than 0.05, the
    arms in time are there at 0.05, too. Fig. 5 shows the whole range. At the paper's scale its protocol is kept: lambda
    0.01, rounds that rewind to epoch 20, and the dense network as it is for "none".
    """
    trials: dict[Key, Trial] = {}
    for role in EVENT_ROLES:
        parent, lam = dense(role, profile), lam_of(role, profile)
        for name in ("none", "S", "T", "S+T"):
            trials[Key(parent.data, name)] = _pruned(parent, name, profile, lam)
        for name in ("T", "S+T") if lam < LAM_LARGE and profile != "paper" else ():
            trials[Key(parent.data, large(name))] = _pruned(parent, name, profile, LAM_LARGE)
    return trials


def _pruned(parent: Trial, name: str, profile: str, lam: float | None = None, **more: Any) -> Trial:
    """An arm of the ablation on a dense network: pruned in space (S), in time at `lam` (T), both, or not ("none")."""
    settings = {"share": SHARE if "S" in name else 0.0, "temporal": "T" in name} | more
    if "T" in name:
        settings["lam"] = lam
    if profile != "paper":
        cuts = 2 if profile == "smoke" else CUTS
        return trained_on(parent, "stp", profile, cuts=cuts, **settings)
    if name == "none":
        return parent
    rounds = {"cuts": CUTS if "S" in name else 1, "rewind": REWIND}
    return replace(parent, method="stp", settings=rounds | settings)


@register("A.steps")
def steps(profile: str) -> dict[Key, Trial]:
    """Paper A Table 5: the ablation again with the recordings cut into 10, 15, 20 and 25 frames."""
    trials: dict[Key, Trial] = {}
    for T in (2, 3, 4, 5) if profile == "smoke" else (10, 15, 20, 25):
        parent = replace(dense("DVS128-Gesture", profile), T=T)
        for name in ("none", "T", "S+T"):
            trials[Key(parent.data, name, T=T)] = _pruned(parent, name, profile, lam_of("DVS128-Gesture", profile))
    return trials


@register("A.listing")
def listing(profile: str) -> dict[Key, Trial]:
    """Paper A Algorithm 1 to the letter, whose sum runs over the wrong weights, beside what is meant."""
    scores = {"as meant": "lamp", "magnitude": "magnitude", "random": "random", "as printed": "lamp_printed"}
    changed: dict[str, dict[str, Any]] = {
        name: {"score": score} if score != "lamp" else {} for name, score in scores.items()
    }
    parents = [dense(role, profile) for role in EVENT_ROLES]
    return {
        Key(parent.data, name): _pruned(parent, "S", profile, **more)
        for parent in parents
        for name, more in changed.items()
    }


@register("A.rounds")
def rounds(profile: str) -> dict[Key, Trial]:
    """Paper A Tables 2 and 3: LAMP, without and with the decision step, and IMP; 14 rounds that rewind.

    The arm "restarts" goes through the same rounds and prunes nothing: what longer training does by itself.
    """
    trials: dict[Key, Trial] = {}
    for role in ALL_ROLES:
        trials |= _in_rounds(role, 2, profile, in_time=role in EVENT_ROLES, restarts=True)
    return trials


@register("A.hundred")
def hundred(profile: str) -> dict[Key, Trial]:
    """Paper A Table 2, the rows of CIFAR-100 and VGG16. Rounds go back to a late epoch and are short."""
    return _in_rounds("CIFAR100", 9, profile)


def _in_rounds(role: str, rewind: int, profile: str, in_time: bool = False, restarts: bool = False) -> dict[Key, Trial]:
    """Cuts of a quarter, each followed by a training that goes back to the same early epoch.

    The arms share the dense network of their first round and what they go back to. Every round is a whole training, so
    its end is a point of its own; see the extra "rounds" of a trial.
    """
    common: dict[str, Any] = {
        "cuts": 2 if profile == "smoke" else CUTS,
        "share": SHARE,
        "rewind": {"smoke": 1, "laptop": rewind, "paper": REWIND}[profile],
    }
    arms: dict[str, tuple[str, dict[str, Any]]] = {"IMP": ("imp", {}), "S": ("stp", {"temporal": False})}
    if in_time:
        arms["S+T"] = "stp", {"lam": lam_of(role, profile)}
    if restarts:
        arms["restarts"] = "stp", {"temporal": False, "share": 0.0}
    parent = replace(dense(role, profile), fisher_samples=0, extras=("rounds", "weights"))
    return {
        Key(parent.data, name): replace(parent, method=method, settings=common | settings)
        for name, (method, settings) in arms.items()
    }


@register("A.dense")
def dense_networks(profile: str) -> dict[Key, Trial]:
    """Paper A Figs. 1, 3, 4, 7 and 8 and Eq. 15: the dense networks, looked at more closely."""
    extras = ("outputs", "taylor", "weights")
    trials = [replace(dense(role, profile), fisher_samples=0, extras=extras) for role in ALL_ROLES]
    return {Key(trial.data, "dense"): trial for trial in trials}


@register("A.curves")
def curves(profile: str) -> dict[Key, Trial]:
    """Paper A Figs. 5 and 6: the curves over time steps of the dense event networks.

    Ours are read out as currents. The arm "votes" ends as the paper's networks do, in neurons that vote with spikes,
    and is trained on the squared error of their rates, as its public code does.
    """
    trials: dict[Key, Trial] = {}
    for role in EVENT_ROLES:
        parent = dense(role, profile)
        voting = dict(parent.network_settings) | {"vote": 10, "spiking_output": True}
        trials[Key(parent.data, "dense")] = parent
        trials[Key(parent.data, "votes")] = replace(parent, network_settings=voting, loss="squared_error")
    return trials


@register("A.matched", needs=("compare.tuning",))
def matched(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """Paper A Tables 2 and 3: the methods that they name, each over its levels, with the same epochs in total.

    On DVS128-Gesture's part those that Table 3 names for its data; a run there takes three times as long.
    """
    by_method = plans()
    of_both, of_one = ("imp", "stds", "sccd"), ("deepr", "gradr", "unstructured")
    spatial = replace(by_method["stp"], shared={**by_method["stp"].shared, "temporal": False}, by_role={})
    trials: dict[Key, Trial] = {}
    for role in ALL_ROLES:
        data = dense(role, profile).data
        trials[Key(data, "dense")] = arm(role, "dense", by_method["dense"], {}, profile)
        ours = {"S": spatial} | ({"S+T": by_method["stp"]} if role in EVENT_ROLES else {})
        rivals = of_both if role == "DVS128-Gesture" else of_both + of_one
        for name, plan in (ours | {name: by_method[name] for name in rivals}).items():
            method = "stp" if name in ours else name
            for level in levels(plan, profile, role):
                settings = settings_at(method, level, store)
                trials[Key(data, name, level)] = arm(role, method, plan, settings, profile)
    return trials
