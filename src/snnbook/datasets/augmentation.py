"""Random changes of training batches; every number is drawn from the torch.Generator that is handed in."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from snnbook.arithmetic import sqrt


def shift_batch(x: Tensor, generator: torch.Generator, pixels: int = 1) -> Tensor:
    """Move the whole batch `[N, C, H, W]` by up to `pixels` each way; the border is repeated."""
    dy, dx = torch.randint(0, 2 * pixels + 1, (2,), generator=generator).tolist()
    height, width = x.shape[-2:]
    return F.pad(x, (pixels,) * 4, mode="replicate")[..., dy : dy + height, dx : dx + width]


def roll(x: Tensor, generator: torch.Generator, pixels: int = 1) -> Tensor:
    """Roll each sample of `[N, ..., H, W]`, all frames alike, by its own offset of up to `pixels`."""
    offsets = torch.randint(-pixels, pixels + 1, (len(x), 2), generator=generator).tolist()
    return torch.stack([torch.roll(s, (dy, dx), (-2, -1)) for s, (dy, dx) in zip(x, offsets, strict=True)])


def flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror every sample of `[N, ..., H, W]` left to right with probability 1/2."""
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    return torch.where(mirrored.view(-1, *[1] * (x.dim() - 1)).to(x.device), x.flip(-1), x)


def crop(x: Tensor, generator: torch.Generator, pixels: int = 4, fill: Tensor | float = 0.0) -> Tensor:
    """Pad each image of `[N, C, H, W]` by `pixels` of value `fill` (`[C, 1, 1]`) and crop at random."""
    height, width = x.shape[-2:]
    padded = x.new_zeros(*x.shape[:2], height + 2 * pixels, width + 2 * pixels) + fill
    padded[..., pixels : pixels + height, pixels : pixels + width] = x
    corners = torch.randint(0, 2 * pixels + 1, (len(x), 2), generator=generator).tolist()
    return torch.stack([s[..., i : i + height, j : j + width] for s, (i, j) in zip(padded, corners, strict=True)])


def crop_eighth(x: Tensor, generator: torch.Generator, fill: Tensor) -> Tensor:
    """Pad by an eighth of the image and crop at random; what comes in is `fill`, black."""
    return crop(x, generator, x.shape[-1] // 8, fill.to(x))


def crop_and_flip(x: Tensor, generator: torch.Generator, fill: Tensor, side: int = 0) -> Tensor:
    """Pad by an eighth of the image, crop, mirror, cover a square if `side` > 0; what comes in is `fill`, black."""
    x = flip(crop_eighth(x, generator, fill), generator)
    return cutout(x, generator, side, fill) if side else x


def cutout(x: Tensor, generator: torch.Generator, size: int, fill: Tensor | float = 0.0) -> Tensor:
    """Cover a square of side `size` px at a random centre of each sample of `[N, ..., H, W]`, clipped."""
    height, width = x.shape[-2:]
    cy = torch.randint(0, height, (len(x), 1, 1), generator=generator)
    cx = torch.randint(0, width, (len(x), 1, 1), generator=generator)
    row, column = torch.arange(height).view(1, -1, 1), torch.arange(width).view(1, 1, -1)
    low, high = size // 2, size - size // 2
    hole = (row >= cy - low) & (row < cy + high) & (column >= cx - low) & (column < cx + high)
    hole = hole.view(len(x), *[1] * (x.dim() - 3), height, width).to(x.device)
    return torch.where(hole, torch.as_tensor(fill, dtype=x.dtype, device=x.device), x)


def resized_crop(x: Tensor, generator: torch.Generator, area: tuple[float, float] = (0.08, 1.0)) -> Tensor:
    """A random part of each image of `[N, C, H, W]`, `area` times its area, 3:4 to 4:3, at full size."""
    u = torch.rand(len(x), 4, generator=generator)
    share = area[0] + (area[1] - area[0]) * u[:, 0]
    ratio = torch.exp((2 * u[:, 1] - 1) * math.log(4 / 3))
    width, height = sqrt(share * ratio).clamp(max=1), sqrt(share / ratio).clamp(max=1)
    theta = torch.zeros(len(x), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = width, height
    theta[:, 0, 2], theta[:, 1, 2] = (2 * u[:, 2] - 1) * (1 - width), (2 * u[:, 3] - 1) * (1 - height)
    return _resample(x, theta)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn every sample of `[N, ..., H, W]` about its centre by its angle in rad `[N]`; zeros come in."""
    cos, sin = angles.cos(), angles.sin()
    return _mapped(x, cos, -sin, sin, cos)


def shear(x: Tensor, angles: Tensor) -> Tensor:
    """Lean every sample of `[N, ..., H, W]` sideways by its angle in rad `[N]`; the middle row stays, zeros come in."""
    return _mapped(x, torch.ones_like(angles), angles.tan(), torch.zeros_like(angles), torch.ones_like(angles))


def _mapped(x: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The value at (column, row) comes from (a column + b row, c column + d row), both from the centre of a square."""
    zero = torch.zeros_like(a)
    theta = torch.stack([torch.stack([a, b, zero], 1), torch.stack([c, d, zero], 1)], 1)
    return _resample(x.flatten(1, -3), theta).view_as(x)


def _resample(x: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta.to(x), [len(x), 1, *x.shape[-2:]], align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def event_mix(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the samples; then roll every sample by up to 5 px, turn it by up to 30° or cover a square of it.

    x: event frames `[N, T, 2, H, W]`. The square's side is a third of theirs. This is what the
    public code of papers A and B does to CIFAR10-DVS.
    """
    x = flip(x, generator)
    kind, angles = _kinds(x, generator), _angles(x, generator)
    return _chosen(kind, roll(x, generator, 5), rotate(x, angles), cutout(x, generator, x.shape[-1] // 3))


def nda(x: Tensor, generator: torch.Generator) -> Tensor:
    """Neuromorphic data augmentation: roll every sample by up to 5 px, turn or shear it by up to 30°.

    x: event frames `[N, T, 2, H, W]`. Ref: Li et al. 2022 and its public code for CIFAR10-DVS, which mirrors nothing;
    it takes the nearest pixel, here neighbours are mixed.
    """
    kind, angles = _kinds(x, generator), _angles(x, generator)
    return _chosen(kind, roll(x, generator, 5), rotate(x, angles), shear(x, angles))


def _kinds(x: Tensor, generator: torch.Generator) -> Tensor:
    """Which of three variants each sample `[N]` gets."""
    return torch.randint(0, 3, (len(x),), generator=generator)


def _chosen(kind: Tensor, *variants: Tensor) -> Tensor:
    """Sample i of variant `kind[i]`, for all i: `[N, ...]`."""
    return torch.stack([variants[k][i] for i, k in enumerate(kind.tolist())])


def _angles(x: Tensor, generator: torch.Generator) -> Tensor:
    """An angle in rad for each sample `[N]`, uniform within 30° each way."""
    return (2 * torch.rand(len(x), generator=generator) - 1) * math.pi / 6
