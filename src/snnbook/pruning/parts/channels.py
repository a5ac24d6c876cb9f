"""The removable channels of a network, and how to take them out: what the structured methods share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.pruning.budgets import keep_top
from snnbook.pruning.pruner import Context
from snnbook.tracing import (
    LAYERS,
    NORMS,
    TRANSPOSED,
    named,
    reset,
    weight_of,
)

SCALES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # quantiles that are logged
Ids = dict[str, Tensor]  # module → for each of its entries the channel that it goes with, -1 = stays


@dataclass
class Channels:
    """The n removable channels of a network, numbered in order of execution; rows that are coupled are one channel.

    Five dicts by the names of modules say what belongs to which channel, as tensors of numbers of channels, -1 for what
    stays. rows, columns: of each layer's weight, `[rows]` and `[columns]`. norms: entries of the batch norms. lifs:
    entries of the axis after `[T, N]` of what a `LIF` is given; maps: the shape `[*]` of that for a sample and step.
    alive: which channels live, bool `[n]`.
    """

    rows: Ids
    columns: Ids
    norms: Ids
    lifs: Ids
    maps: dict[str, tuple[int, ...]]
    alive: Tensor

    def mean(self, ids: Ids, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Mean of some values over the entries of each channel, float64 `[n]`, and which channels have any, bool `[n]`.

        ids: one of the dicts of this class. values: module name → one value for each entry of its ids; modules without
        channels do not count. A channel without values has 0.
        """
        total, count = torch.zeros(2, len(self.alive), dtype=torch.float64, device=self.alive.device)
        for name, value in values.items():
            if name not in ids:
                continue
            mine = ids[name] >= 0
            total.index_add_(0, ids[name][mine], value.detach()[mine].double())
            count.index_add_(0, ids[name][mine], torch.ones_like(value, dtype=torch.float64)[mine])
        return total / count.clamp_min(1), count > 0

    def gammas(self, model: nn.Module) -> tuple[Tensor, Tensor]:
        """Mean |gamma| of each channel, float64 `[n]`, and which channels have one, bool `[n]`.

        Raises UserError if none has.
        """
        size, known = self.mean(self.norms, {n: g.abs() for n, g in gammas(model).items() if n in self.norms})
        if not known.any():
            raise UserError(
                "channels are ranked by the scale of their batch norm, and none here has one; greg needs none"
            )
        return size, known

    def scales(self, c: Context) -> tuple[Tensor, Tensor]:
        """`gammas` at the cut, whose spread goes into `log["scales"]`: what the penalty has told apart."""
        size, ranked = self.gammas(c.model)
        shares = torch.tensor(SCALES, dtype=size.dtype, device=size.device)
        c.log["scales"] = [round(float(q), 4) for q in size[ranked].quantile(shares)]
        return size, ranked

    def within(self, layer: str) -> Tensor:
        """Which channels have rows in a layer, bool `[n]`."""
        within = torch.zeros_like(self.alive)
        within[self.rows[layer][self.rows[layer] >= 0]] = True
        return within

    def cut(self, c: Context, gone: Tensor, score: Tensor) -> None:
        """Remove the channels `gone`, bool `[n]`, from the masks of the network; `log["channels"]` says how many live.

        A layer that would be left without any keeps the one with the largest `score`, `[n]`, with a warning that names
        it and an entry in `log["rescued"]`.
        """
        gone = gone.clone()
        for name, ids in self.rows.items():
            mine = self.within(name) & self.alive
            if (ids >= 0).all() and not (mine & ~gone).any():
                gone[keep_top(score, 1, mine)] = False
                c.log.setdefault("rescued", []).append(name)
                warnings.warn(f"pruning would take all channels of {name}: the best one stays", stacklevel=3)
        self.alive &= ~gone
        c.set_masks(dict(c.masks) | {n: m & c.masks[n] for n, m in self.masks(c.weights).items()})
        self.zero_dead(c.model)
        c.log["channels"] = [int(self.alive.sum()), len(self.alive)]

    def keep(self, ids: Tensor) -> Tensor:
        """Which entries live, bool of the shape of `ids`, numbers of channels or -1."""
        return (ids < 0) | self.alive[ids]

    def masks(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weight name → bool mask without the rows and columns of dead channels."""
        out = {}
        for name, ids in self.rows.items():
            w = weights[weight_of(name)]
            rows, columns = _along(self.keep(ids), 0, w.dim()), _along(self.keep(self.columns[name]), 1, w.dim())
            out[weight_of(name)] = (rows & columns).expand(w.shape).clone()
        return out

    @torch.no_grad()
    def zero_dead(self, model: nn.Module) -> None:
        """Set biases, gamma and beta of dead channels to zero, so that their neurons never fire."""
        for name, ids in [*self.rows.items(), *self.norms.items()]:
            m: Any = model.get_submodule(name)
            for p in (m.weight if name in self.norms else None, m.bias):
                if p is not None:
                    p.masked_fill_(~self.keep(ids), 0.0)

    def finish(self, c: Context) -> None:
        """Leave a network without the dead channels in `c.model`; in the one trained their neurons are masked out."""
        full, c.model = c.model, self.without_dead_channels(c.model)
        for name, ids in self.lifs.items():
            lif: Any = full.get_submodule(name)
            mask = _along(self.keep(ids), 0, len(self.maps[name])).expand(self.maps[name])
            if not mask.all():
                lif.mask = mask.clone() if lif.mask is None else mask & lif.mask

    @torch.no_grad()
    def without_dead_channels(self, model: nn.Module) -> nn.Module:
        """A copy of the network without the dead channels."""
        reset(model)
        small = deepcopy(model)
        for name, ids in self.rows.items():
            m: Any = small.get_submodule(name)
            rows, columns = self.keep(ids), self.keep(self.columns[name])
            m.weight = _like(m.weight, m.weight[rows][:, columns])
            m.bias = None if m.bias is None else _like(m.bias, m.bias[rows])
            resize(m)
        for name, ids in self.norms.items():
            m, kept = small.get_submodule(name), self.keep(ids)
            m.num_features = int(kept.sum())
            for attribute in ("weight", "bias", "running_mean", "running_var"):
                if (old := getattr(m, attribute)) is not None:
                    setattr(m, attribute, _like(old, old[kept]))
        for name, ids in self.lifs.items():
            m = small.get_submodule(name)
            m.mask = None if m.mask is None else m.mask[self.keep(ids)]
        return small

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint needs: which channels live."""
        return {"alive": self.alive}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state_dict` gave."""
        self.alive.copy_(state["alive"])


def resize(m: nn.Module) -> None:
    """Have a layer or a norm say the sizes that its weights have."""
    if isinstance(m, nn.Linear):
        m.out_features, m.in_features = m.weight.shape
    elif isinstance(m, LAYERS) and m.groups == 1:
        names = ("in_channels", "out_channels") if isinstance(m, TRANSPOSED) else ("out_channels", "in_channels")
        for name, size in zip(names, m.weight.shape[:2], strict=True):
            setattr(m, name, size)
    elif isinstance(m, NORMS):
        values = m.weight if m.weight is not None else m.running_mean
        m.num_features = m.num_features if values is None else len(values)


def lowest(score: Tensor, among: Tensor, n: int) -> Tensor:
    """Which are the `n` channels with the lowest score, bool `[n of all]`; of equal ones the later come first.

    score: a number for each channel. among: which channels take part, bool of the same shape.
    """
    return among & ~keep_top(score, int(among.sum()) - n, among)


def gammas(model: nn.Module) -> dict[str, nn.Parameter]:
    """The scales of all batch norms by module name."""
    return {n: m.weight for n, m in named(model, NORMS).items() if m.weight is not None}  # type: ignore[misc]


def _along(keep: Tensor, axis: int, dims: int) -> Tensor:
    """A vector as a tensor of `dims` axes along one of them."""
    return keep.view(*[1] * axis, -1, *[1] * (dims - axis - 1))


def _like(old: Tensor, values: Tensor) -> Tensor:
    values = values.clone()
    return nn.Parameter(values, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else values
