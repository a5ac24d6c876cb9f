"""A reader's own pictures in folders of classes (see `class_folders`), decoded once.

Their size and whether they are in colour are stated or, by default, those of the first file; then all others have to
agree. With a stated `size` the shorter side is scaled to it and the middle is cut out. Samples are normalised by the
usual constants for photographs, whatever the split. The decoded bytes are kept in the cache, in one file that is mapped
into memory; without a cache, files are decoded each time that they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from snnbook.datasets import class_folders
from snnbook.datasets.augmentation import crop_and_flip, crop_eighth
from snnbook.datasets.base import (
    Augmentation,
    Colours,
    FileSet,
    FrameSet,
    Info,
    PackedSet,
    check_split,
    digest,
    unreadable,
)
from snnbook.datasets.cache import packed
from snnbook.datasets.class_folders import ClassFolders
from snnbook.datasets.options import Maybe, OneOf, Option, WholeNumber
from snnbook.errors import UserError

VERSION = 1
STORED = 1  # version of the decoded pictures that are kept on disk
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")

# By number of channels: those of ImageNet, and for grey pictures their means.
COLOURS = {3: Colours((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), 1: Colours((0.449,), (0.226,))}
_CHANNELS = {"grey": 1, "rgb": 3}
_GREY, _RGB = ("1", "L", "LA", "La"), ("RGB", "RGBA", "RGBa", "P", "PA", "CMYK", "YCbCr")


def _unchanged(x: Tensor, generator: torch.Generator, fill: Tensor) -> Tensor:
    return x


_AUGMENTATIONS = {"crop-mirror": crop_and_flip, "crop": crop_eighth, "none": _unchanged}

SETS = {
    "images": Info(
        "images",
        "your own pictures in folders of classes; needs root=",
        True,
        (),
        (3, 32, 32),
        {
            **class_folders.OPTIONS,
            "size": Option(None, Maybe(WholeNumber(1, 4096, "the side of the pictures in px"))),
            "colour": Option("found", OneOf(("found", *_CHANNELS))),
            "augment": Option("crop-mirror", OneOf(tuple(_AUGMENTATIONS))),
        },
        files=("train/<class>/*", "test/<class>/*", "<class>/*"),
    )
}


@dataclass(frozen=True)
class Look:
    """What decoded pictures are like: 1 or 3 `channels`, `height` and `width` in px.

    scaled: pictures of other sizes are scaled and cut; turned: those of other modes are made grey or coloured. Where
    they are not, such pictures are refused, and `why` ends the message.
    """

    channels: int
    height: int
    width: int
    scaled: bool = False
    turned: bool = False
    why: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        """`[C, H, W]`."""
        return self.channels, self.height, self.width


def fingerprint(name: str, **kw: Any) -> str:
    """Hash of the files' content and of what is done to them."""
    folders = class_folders.find(name, SETS[name].root(kw), SUFFIXES)
    return class_folders.fingerprint(SETS[name], VERSION, kw, folders)


def image_size(name: str, **kw: Any) -> tuple[int, int]:
    """Height and width of a sample, px, from the options or from the first file."""
    settings = SETS[name].checked(kw)
    if settings["size"] is not None:
        return settings["size"], settings["size"]
    common = look(class_folders.find(name, SETS[name].root(kw), SUFFIXES), None, settings["colour"])
    return common.height, common.width


def load(name: str, split: str, **kw: Any) -> FrameSet:
    """A split of normalised pictures, float32 `[C, H, W]`; the classes' names are `.info.classes`.

    Raises UserError for folders and files that cannot be read or used, which it names.
    """
    check_split(split)
    info = SETS[name]
    settings = info.checked(kw)
    folders = class_folders.find(name, info.root(kw), SUFFIXES)
    chosen = folders.split(split, settings)
    common = look(folders, settings["size"], settings["colour"])
    colours = COLOURS[common.channels]
    augmentation = partial(_AUGMENTATIONS[settings["augment"]], fill=colours.black)
    content = class_folders.fingerprint(info, VERSION, kw, folders)
    info = replace(info, classes=folders.classes, shape=common.shape)
    return picture_set(info, split, folders, chosen, content, augmentation, common, colours, settings["cache"])


def picture_set(
    info: Info,
    split: str,
    folders: ClassFolders,
    chosen: np.ndarray,
    fingerprint: str,
    augmentation: Augmentation,
    look: Look,
    colours: Colours,
    cache: bool = True,
) -> FrameSet:
    """The `chosen` pictures of a folder, kept in the cache decoded unless `cache` is False."""
    labels = folders.labels[chosen]
    decode = partial(_decoded, folders, look)
    if cache:
        key = f"pictures/{digest([STORED, folders.content, look.shape, look.scaled, look.turned])}"
        pictures = packed(key, (len(folders.files), *look.shape), decode)
        if pictures is not None:
            return PackedSet(info, split, labels, fingerprint, augmentation, pictures, chosen, colours)
    return FileSet(info, split, labels, fingerprint, augmentation, partial(_sample, decode, colours, chosen))


def _sample(decode: Callable[[int], np.ndarray], colours: Colours, chosen: np.ndarray, index: int) -> Tensor:
    return colours.samples(torch.from_numpy(decode(int(chosen[index]))))


def look(folders: ClassFolders, size: int | None, colour: str) -> Look:
    """What all pictures of a folder are to be like. Raises UserError if that takes the first file and it is damaged."""
    first = folders.path(0)
    channels = _CHANNELS.get(colour, 0)
    height = width = size or 0
    if not (channels and size):
        picture = _opened(first)
        channels = channels or _channels(picture, first)
        width, height = (size, size) if size else picture.size
    why = f", as {first} is: give size= or colour= to make all pictures alike"
    return Look(channels, height, width, size is not None, colour != "found", why)


def _decoded(folders: ClassFolders, look: Look, index: int) -> np.ndarray:
    """One picture: uint8 `[C, H, W]`. Raises UserError, with the file, for one that is damaged or unlike the others."""
    path = folders.path(index)
    picture = _opened(path)
    channels = _channels(picture, path)
    if channels != look.channels and not look.turned:
        kinds = {1: "grey", 3: "in colour"}
        raise UserError(f"{path} is {kinds[channels]}, expected {kinds[look.channels]}{look.why}")
    if picture.size != (look.width, look.height):
        if not look.scaled:
            width, height = picture.size
            raise UserError(f"{path} has {height}x{width} px, expected {look.height}x{look.width}{look.why}")
        picture = ImageOps.fit(picture, (look.width, look.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture.convert("L" if look.channels == 1 else "RGB"))
    return np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1))


def _opened(path: Path) -> Image.Image:
    """The whole picture, the right way up."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return ImageOps.exif_transpose(picture)
    except Exception as err:  # whatever a damaged file brings about
        raise unreadable(path, "a picture", err) from err


def _channels(picture: Image.Image, path: Path) -> int:
    """1 for a grey picture, 3 for one in colour. Raises UserError for what has no such form without loss."""
    if picture.mode not in _GREY + _RGB:
        raise UserError(f"{path} has the colour mode {picture.mode}: expected 8 bits a channel, grey or RGB")
    if picture.has_transparency_data and np.asarray(picture.convert("RGBA").getchannel("A")).min() < 255:
        raise UserError(f"{path} is transparent in places: lay it on a background first")
    return 1 if picture.mode in _GREY else 3
