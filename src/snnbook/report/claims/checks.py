"""How a check enters itself: the claim that it decides, the studies that it reads, and the records that it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from snnbook.errors import UserError
from snnbook.report.claims.judging import UNDECIDED, Arm, Comparison, Verdict, conclude, doubts, guarded, named, present
from snnbook.report.records import RecordLike, ResultsLike, played

Studies = Mapping[str, ResultsLike]  # name → results
Arms = Mapping[Arm, Sequence[RecordLike]]  # of one data set
Body = Callable[[Arms, str], Iterator[Comparison]]

# Claim → its check, a function of the studies, and the names of those that it reads. Filled by `enter`.
CHECKS: dict[str, Callable[[Studies], Verdict]] = {}
STUDIES_READ: dict[str, tuple[str, ...]] = {}


class NotTestable(Exception):
    """The runs do not exist, or not under the claim's condition."""


def claim(
    claim: str,
    studies: Sequence[str],
    datasets: Sequence[str],
    needs: Sequence[Arm],
    note: str = "",
    curves: Sequence[str] = (),
    guard: bool = True,
    unlike: Callable[[Sequence[RecordLike]], str] = lambda records: "",
) -> Callable[[Body], Body]:
    """Enter `body(arms, dataset) → comparisons` as the check of a claim.

    It runs once for each of the paper's `datasets`, on the study's own data set that is it or plays it, and gets the
    records of that set by arm. `needs` are the arms and `curves` the curves that it cannot do without; of several
    `studies` that have an arm the first counts. `note` is a sentence for the reason. guard: nothing holds on a set
    where a finished network of an arm that it needs is in doubt, see `doubts`; False for a body that sees to it round
    by round and for claims about how much is left in a layer. unlike: why the records are not made as the claim's own;
    where it says something they are evidence and no verdict.
    """

    def register(body: Body) -> Body:
        def check(at_hand: Studies) -> Verdict:
            chosen = [needed(at_hand, name) for name in studies]
            comparisons: list[Comparison] = []
            used: list[RecordLike] = []
            roles: dict[str, str] = {}
            for dataset in datasets:
                data, arms = arms_of(chosen, dataset, curves)
                if lacking := [arm for arm in needs if arm not in arms]:
                    what = f"no records of {', '.join(map(named, lacking))} on {data or f'a data set for {dataset}'}"
                    what += f" with {' and '.join(curves)}" if curves else ""
                    comparisons.append(Comparison("data", "> 0", UNDECIDED, note=what, data=data))
                    continue
                mine = [r for arm in needs for r in arms[arm]]
                reasons = [reason for arm in needs for reason in doubts(arm, arms[arm])] if guard else []
                comparisons += [guarded(replace(one, data=data), reasons) for one in body(arms, dataset)]
                used, roles = used + mine, roles | {data: dataset}
            if not used:
                raise NotTestable("; ".join(one.note for one in comparisons))
            if why := unlike(used):
                return present(claim, comparisons, used, roles, why)
            return conclude(claim, comparisons, used, roles, [note] if note else [])

        enter(claim, studies, check)
        return body

    return register


def evidence(
    claim: str, datasets: Sequence[str], why: str
) -> Callable[[Callable[[ResultsLike, str], Iterator[Comparison]]], None]:
    """Enter `body(compare, data) → comparisons` as what the comparison of all methods has on a claim.

    It runs on every data set of study `compare` that is one of the paper's `datasets` or plays it. What it yields is
    evidence and no verdict; why: what the claim's own runs would be.
    """

    def register(body: Callable[[ResultsLike, str], Iterator[Comparison]]) -> None:
        def check(at_hand: Studies) -> Verdict:
            study = needed(at_hand, "compare")
            roles = played(study, datasets)
            comparisons = [replace(one, data=data) for data in roles for one in body(study, data)]
            if not comparisons:
                raise NotTestable(f"the comparison of all methods has nothing to compare; {why}")
            records = [r for key, group in study.records.items() if key.data in roles for r in group]
            return present(claim, comparisons, records, roles, why)

        enter(claim, ["compare"], check)

    return register


def enter(claim: str, studies: Iterable[str], check: Callable[[Studies], Verdict]) -> None:
    """Enter a check that `claim` does not fit: a function of all studies at hand, which may raise NotTestable."""
    STUDIES_READ[claim] = tuple(studies)
    CHECKS[claim] = check


def needed(studies: Studies, name: str) -> ResultsLike:
    """The results of a study. Raises NotTestable if it is not at hand."""
    if name not in studies:
        raise NotTestable(f"needs the study {name}: snnbook run {name}")
    return studies[name]


def arms_of(
    studies: Sequence[ResultsLike], dataset: str, curves: Sequence[str]
) -> tuple[str, dict[Arm, Sequence[RecordLike]]]:
    """The data set that is the paper's `dataset` or plays it ("" if none was run), and its records by arm.

    An arm is taken from the first study that has it with all `curves`. The network that is not pruned is the arm
    `none`, whatever its study calls it. Arms with levels are left out.
    """
    name = ""
    arms: dict[Arm, Sequence[RecordLike]] = {}
    for study in studies:
        try:
            name = study.playing(dataset)
        except UserError:
            continue
        for key, records in study.records.items():
            if key.data == name and not key.level and records and all(c in r.curves for c in curves for r in records):
                arm = "none" if key.arm == "dense" else key.arm
                arms.setdefault((arm, key.T) if key.T else arm, records)
    return name, arms
