"""What a product in a forward pass is: its two factors, and how many synapses that makes, whatever its geometry.

The number of synapses follows from the operation itself, run on a map of ones with the indicator of nonzero weights:
borders, stride, padding, dilation and groups are then right by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

aten = torch.ops.aten


@dataclass
class Product:
    """One product in a forward pass.

    layer: what it is listed under, the layer that it runs in, or else the weight, or else the module. weights: the
    names of the parameters and buffers that the second factor is made of; none if it passes through the network, too.
    own: whether the second factor is a parameter itself and not computed from one. data: what passes, all leading axes
    as one. factor: the second factor.
    """

    layer: str
    weights: frozenset[str]
    own: bool
    data: Tensor
    factor: Tensor
    positional: ClassVar[bool] = False  # whether rows may be positions of a sample, such as tokens

    @property
    def part(self) -> tuple[Any, ...]:
        """Which part of which parameter the factor is."""
        return self.weights, self.factor.storage_offset(), tuple(self.factor.shape), self.factor.stride()

    @property
    def size(self) -> torch.Size:
        """The shape of one row of `data`: `[C, H, W]` or `[F]`."""
        return self.data.shape[1:]

    def degree(self, data: Tensor, factor: Tensor) -> Tensor:
        """The product of other factors, of the same shapes: rows of outputs `[R, K, H', W']` or `[R, K]`."""
        raise NotImplementedError

    def fan_out(self, factor: Tensor, post: Tensor | None) -> Tensor:
        """The sum of an input's factors into the outputs `post`, None = all: `size`, or `[L, *size]`."""
        raise NotImplementedError

    def dense(self) -> float:
        """Number of multiplications for one row."""
        raise NotImplementedError

    def output(self, degree: Tensor) -> Tensor:
        """Rows of outputs in the form that the operation puts them out."""
        return degree

    def joined(self, rows: Tensor) -> Tensor:
        """Rows of inputs or outputs, those that several factors have of one row side by side."""
        return rows

    @property
    def joint(self) -> bool:
        """Whether products are counted one by one: those of two things that pass, and of single values."""
        return not self.weights

    def pairs(self) -> tuple[float, float]:
        """Number of products of two values that are not zero; of those in which neither is a spike, 1.

        A weight is no spike.
        """
        data, factor = self.data != 0, self.factor != 0
        no_spike = factor if self.weights else factor & (self.factor != 1)
        pairs = float(self.degree(data.double(), factor.double()).sum())
        return pairs, float(self.degree((data & (self.data != 1)).double(), no_spike.double()).sum())


@dataclass
class MatrixProduct(Product):
    """data `[R, F]` times factor `[F, K]`; B of them for B factors `[B, F, K]`, R being rows of all, B slowest.

    turned: whether the operation has the data on the right, and puts out `[K, R]`. form: the shape that it puts out.
    """

    turned: bool
    form: torch.Size
    positional: ClassVar[bool] = True

    def degree(self, data: Tensor, factor: Tensor) -> Tensor:
        if factor.dim() == 2:
            return data @ factor
        return (data.unflatten(0, (len(factor), -1)) @ factor).flatten(0, 1)

    def fan_out(self, factor: Tensor, post: Tensor | None) -> Tensor:
        if post is None:
            return factor.sum(-1)
        return post @ factor.T

    def dense(self) -> float:
        return float(self.factor.shape[-2] * self.factor.shape[-1])

    def joined(self, rows: Tensor) -> Tensor:
        """Rows of inputs or outputs, `[B * R, *]`, with those of the B factors side by side: `[R, B * *]`."""
        return rows.unflatten(0, (len(self.factor), -1)).transpose(0, 1).flatten(1) if self.factor.dim() == 3 else rows

    def output(self, degree: Tensor) -> Tensor:
        if self.factor.dim() == 3:
            degree = degree.unflatten(0, (len(self.factor), -1))
        elif len(self.form) == 3:
            degree = degree.unflatten(0, (self.form[0], -1))
        return (degree.mT if self.turned else degree).reshape(self.form)


@dataclass
class Convolution(Product):
    """A convolution of data `[R, C, H, W]` with a factor `[K, C, h, w]`, or transposed `[C, K, h, w]`; 1, 2 or 3 axes.

    geometry: what `aten.convolution` takes after the bias.
    """

    geometry: tuple[Any, ...]

    def degree(self, data: Tensor, factor: Tensor) -> Tensor:
        return aten.convolution(data, factor, None, *self.geometry)

    def fan_out(self, factor: Tensor, post: Tensor | None) -> Tensor:
        ones = torch.ones((1, *self.size), dtype=factor.dtype, device=factor.device)
        grad = torch.ones_like(self.degree(ones, factor)) if post is None else post.to(factor.dtype)[None]
        return aten.convolution_backward(grad, ones, factor, None, *self.geometry, [True, False, False])[0][0]

    def dense(self) -> float:
        # One channel to one, times their number: all channels of a group have the same connections.
        *place, groups = self.geometry
        outputs = self.factor.shape[1] * groups if place[3] else len(self.factor)
        one = torch.ones((1, 1, *self.size[1:]), dtype=torch.float64, device=self.data.device)
        kernel = torch.ones((1, 1, *self.factor.shape[2:]), dtype=torch.float64, device=self.data.device)
        pairs = outputs * self.size[0] // groups
        return float(aten.convolution(one, kernel, None, *place, 1).sum()) * pairs


@dataclass
class ElementProduct(Product):
    """Single values times weights, `[*, K]`, which are added up elsewhere; form: the shape that both broadcast to."""

    form: torch.Size
    positional: ClassVar[bool] = True
    joint = True

    def degree(self, data: Tensor, factor: Tensor) -> Tensor:
        return (data * factor).flatten(0, -2)

    def dense(self) -> float:
        return self.form.numel() / len(self.data)

    def output(self, degree: Tensor) -> Tensor:
        return degree.reshape(self.form)


@dataclass
class BilinearProduct(Product):
    """Two inputs that pass, `[R, F]` and `[R, G]`, with a weight `[K, F, G]` between them: `torch.nn.Bilinear`.

    other: the second input. geometry: what `aten._trilinear` takes after the factors.
    """

    other: Tensor
    geometry: tuple[Any, ...]
    positional: ClassVar[bool] = True
    joint = True

    def degree(self, data: Tensor, factor: Tensor) -> Tensor:
        return self._joint(data, factor, self.other != 0)

    def dense(self) -> float:
        return float(self.factor.numel())

    def pairs(self) -> tuple[float, float]:
        live = (self.factor != 0).double()
        pairs = float(self._joint((self.data != 0).double(), live, self.other != 0).sum())
        return pairs, pairs - float(self._joint((self.data == 1).double(), live, self.other == 1).sum())

    def _joint(self, data: Tensor, factor: Tensor, other: Tensor) -> Tensor:
        return aten._trilinear(data, factor, other.to(data.dtype), *self.geometry)
