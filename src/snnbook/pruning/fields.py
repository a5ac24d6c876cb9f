"""The kinds of settings that methods have in common: annotations whose bounds `errors.check_types` checks."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from snnbook.errors import OneOf, Within
from snnbook.pruning.budgets import BUDGETS, Budget
from snnbook.pruning.schedules import SCHEDULES, Schedule
from snnbook.pruning.scores import SCORES, Score

Share = Annotated[float, Within(0, 1, "[)")]  # a share that must leave something, such as a sparsity
Span = Annotated[float, Within(0, 1, "(]")]  # a share of the training that must not be empty
Amount = Annotated[float, Within(0)]
Positive = Annotated[float, Within(0, ends="()")]
Count = Annotated[int, Within(1)]
Natural = Annotated[int, Within(0)]
# Values that are handed in: the name of one that comes with the package, or a function of the reader's own.
ScoreSetting = Annotated[str | Score, OneOf("score", SCORES)]
ScheduleSetting = Annotated[str | Schedule, OneOf("schedule", SCHEDULES)]
BudgetSetting = Annotated[str | Budget, OneOf("spread over layers", BUDGETS)]


def later(default: Any) -> Any:
    """The field of a setting that a method got when records of it were there: at its default, all is as before.

    A trial's configuration leaves it out at its default, so that those records keep their identity.
    """
    return field(default=default, metadata={"later": True})
