"""A pruned network in a file: its weights and which of them are alive, its neurons and which of them are.

A file is a dict of tensors and plain Python values that `torch.load(path, weights_only=True)` opens:

    format          "snnbook.pruning"
    version         number of the format, 1
    weights         name → tensor: the `state_dict` without masks of neurons; dead weights are 0, and the layers and
                    norms of a narrowed network have the sizes that are left
    weight_masks    name → bool tensor, True = alive, for every parameter of two or more axes
    neuron_masks    name of the neurons → bool tensor `[*]`, True = alive; neurons without a mask are left out
    neurons         name of `LIF` neurons → their constants (tau, v_threshold, v_reset, decay_input, detach_reset), and
                    `surrogate`, its name with its settings
    modules         name → `class`, `training` (its mode), and `settings`, its public plain attributes (strides, the
                    epsilon of a norm, the threshold of another library's neurons); only the mode for a reader's own
                    classes that contain others
    network         the arguments of `networks.build`, or None for a network of another making

Plain PyTorch reads the weights in five lines:

    import torch
    from torch import nn
    file = torch.load("pruned.pt", weights_only=True)
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    net.load_state_dict(file["weights"])
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import ZipFile

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from snnbook import networks
from snnbook.errors import UserError, first_line, unknown
from snnbook.files import atomic_write
from snnbook.neurons import IF, LIF, LIFParameters
from snnbook.pruning.parts.channels import resize
from snnbook.pruning.parts.neuron_masks import hooks_of_others, set_mask
from snnbook.pruning.pruner import Masks
from snnbook.pruning.weights import computed_by
from snnbook.surrogates import SURROGATES
from snnbook.tracing import LAYERS, NORMS, mask_of, plain, reset, spiking

FORMAT, VERSION = "snnbook.pruning", 1
_FOLDER = 0x10  # the attribute in an archive that makes a folder of a file, which torch reads as if it were empty
_SIZES = ("in_features", "out_features", "in_channels", "out_channels", "num_features")


def save(model: nn.Module, path: Path | str, masks: Mapping[str, Tensor] | None = None) -> None:
    """Write a network to a file, which appears whole or not at all; the module's text says what it holds.

    model: any network, in any floating type, on any device, narrowed by a structured method or not; neurons that keep a
    state forget it. masks: which weights are alive, by name, as in `Masks`; of the others, those that are not 0 are.
    Raises UserError, and writes nothing, for what a file cannot hold: a weight that is computed from others, is not
    built yet or has no values, a forward hook of someone else, a state that is no tensor, a surrogate without a name;
    and for a mask that does not fit its weight.
    """
    model = plain(model)
    _check_kind(model)
    for name in hooks_of_others(model):
        raise UserError(f"{_named(name)} has forward hooks, which a file cannot hold: take them off before saving")
    reset(model)
    _write(Path(path), model, Masks(masks))


def load(path: Path | str, model: nn.Module | None = None) -> nn.Module:
    """A network from a file of `save`: its logits are those of the network that was saved, bit for bit.

    model: a fresh network of the same making, which is filled and returned; None builds one of `networks.build`. Its
    layers and norms are narrowed to the sizes in the file, its weights get the file's type, its neurons the file's
    masks and, if they are `LIF`, the file's constants; it stays on its device, and each module gets the mode (training
    or evaluation) that it had. The masks of weights are `torch.load(path, weights_only=True)["weight_masks"]`.
    Raises UserError, and leaves the network as it is, for a file that is no such file, is damaged or of a newer format,
    and for a network that it does not fit: other weights, sizes that cannot be narrowed to, modules of another class or
    with other settings.
    """
    file = _read(path)
    if model is None:
        if file["network"] is None:
            raise UserError(f"{path} does not say how its network is built: give a fresh one, load(path, model)")
        with torch.device("meta"):  # nothing is drawn at random
            model = networks.build(**file["network"])
        model.to_empty(device="cpu")
    bare = plain(model)
    _check_kind(bare)
    _check_fit(path, file, bare)
    _fill(file, bare)
    return model


def _check_kind(model: nn.Module) -> None:
    """Raise UserError for a network whose weights are not plain tensors with values."""
    for name, m in model.named_modules():
        for weight in _computed(m):
            path = f"{name}.{weight}".lstrip(".")
            _, undo = computed_by(model, path)
            raise UserError(f"{path} is computed from other values, and a file holds plain weights: first {undo}")
    for name, value in model.state_dict().items():
        if not torch.is_tensor(value):
            raise UserError(f"{name} is no tensor but {type(value).__name__}, which a file cannot hold safely")
        if nn.parameter.is_lazy(value):
            raise UserError(f"{name} is lazy and has no values yet: run the network once")
        if value.layout != torch.strided:
            raise UserError(f"{name} is sparse, and a file holds dense weights: use to_dense()")
        if value.is_meta:
            raise UserError(f"{name} is on the meta device and has no values: use to_empty(device=...) first")


def _computed(m: nn.Module) -> list[str]:
    """The names of a module's own weights that `torch.nn.utils` computes at each call."""
    if is_parametrized(m):
        return list(m.parametrizations)  # type: ignore[arg-type]
    hooks = [h for h in m._forward_pre_hooks.values() if any("torch.nn.utils" in k.__module__ for k in type(h).__mro__)]
    return [getattr(hook, "_tensor_name", getattr(hook, "name", "weight")) for hook in hooks]


def _named(name: str) -> str:
    return name or "the network itself"


# --- writing ----------------------------------------------------------------------------------------------------------


def _write(path: Path, model: nn.Module, masks: Masks) -> None:
    hidden = _mask_names(model)
    weights = {n: v.detach().cpu().clone() for n, v in model.state_dict().items() if n not in hidden}
    alive = {n: weights[n] != 0 for n, p in model.named_parameters() if p.dim() > 1}
    for name, mask in masks.items():
        if name not in alive:
            raise unknown("weight", name, alive)
        if mask.shape != alive[name].shape:
            raise UserError(f"the mask of {name} is {list(mask.shape)}, and the weight {list(alive[name].shape)}")
        if (alive[name] & ~mask.cpu()).any():
            raise UserError(f"{name} holds values other than 0 where its mask is False: apply the masks before saving")
        alive[name] = mask.detach().cpu().clone()
    modules = dict(model.named_modules())
    file = {
        "format": FORMAT,
        "version": VERSION,
        "weights": weights,
        "weight_masks": alive,
        "neuron_masks": {n: a.detach().cpu().clone() for n, m in modules.items() if (a := mask_of(m)) is not None},
        "neurons": {n: _constants(n, m) for n, m in modules.items() if isinstance(m, LIF)},
        "modules": _described(model),
        "network": _arguments(model),
    }
    with atomic_write(path) as whole, whole.open("wb") as opened:  # by name, torch refuses some names
        torch.save(file, opened)


def _arguments(model: nn.Module) -> dict[str, Any] | None:
    """What `networks.build` makes the network from, with the T that it has now; None for one of another making."""
    if not isinstance(model, networks.Network) or not model.arguments:
        return None
    built = {name: value for name, value in model.arguments.items() if name != "surrogate"}  # it is with the neurons
    return {n: _as_python(f"{n}, an argument of networks.build,", v) for n, v in {**built, "T": model.T}.items()}


def _mask_names(model: nn.Module) -> dict[str, nn.Module]:
    """The name, in the `state_dict`, of the mask that neurons have or may have → these neurons."""
    return {
        f"{name}.{'mask' if isinstance(m, LIF) else 'neuron_mask'}".lstrip("."): m
        for name, m in model.named_modules(remove_duplicate=False)
        if isinstance(m, LIF) or mask_of(m) is not None
    }


def _constants(name: str, m: LIF) -> dict[str, Any]:
    constants = m.constants._asdict()
    surrogate = constants.pop("surrogate")
    known = next((key for key, kind in SURROGATES.items() if type(surrogate) is kind), None)
    if known is None:
        raise UserError(f"the surrogate of {_named(name)} is none of {', '.join(SURROGATES)}, so a file cannot name it")
    plainly = {key: _as_python(f"{key} of {_named(name)}", value) for key, value in constants.items()}
    settings = {key: _as_python(f"{key} of {_named(name)}", value) for key, value in asdict(surrogate).items()}
    return plainly | {"surrogate": {"name": known, **settings}}


def _described(model: nn.Module) -> dict[str, dict[str, Any]]:
    """What identifies the modules of a network beside their weights, by name."""
    known, described = spiking(model), {}
    for name, m in model.named_modules():
        kind: str | None = "LIF" if type(m) in (LIF, IF) else type(m).__name__
        settings = {} if isinstance(m, LIF) else _settings(m)
        if name not in known and [*m.children()] and type(m).__module__.split(".")[0] not in ("torch", "snnbook"):
            kind, settings = None, {}  # a reader's own, which may keep values of any meaning
        described[name] = {"class": kind, "training": m.training, "settings": settings}
    return described


def _settings(m: nn.Module) -> dict[str, Any]:
    """The plain public attributes of a module, and those behind a property of their name."""
    public = {
        key.removeprefix("_"): value
        for key, value in vars(m).items()
        if key[0] != "_" or isinstance(getattr(type(m), key[1:], None), property)
    }
    settings = {}
    for key, value in public.items():
        try:
            settings[key] = _as_python(key, value)
        except UserError:
            continue
    for key in ("training", *(_SIZES if isinstance(m, (*LAYERS, *NORMS)) else ())):
        settings.pop(key, None)
    return settings


def _as_python(what: str, value: Any) -> Any:
    """A value in Python's own types: numbers of NumPy and the like are none that a safe file holds.

    Raises UserError, saying what it is, for one that is no number, text, None or sequence of such.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, tuple | list):
        return tuple(_as_python(what, v) for v in value)
    raise UserError(f"{what} is {value!r}, and a file holds numbers and texts")


# --- reading ----------------------------------------------------------------------------------------------------------


def _read(path: Path | str) -> dict[str, Any]:
    """What a file holds, with the constants of neurons as `LIFParameters`. Raises UserError for another file."""
    try:
        with ZipFile(path) as archive:  # torch reads on where a checksum does not hold
            folder = next((i.filename for i in archive.infolist() if i.external_attr & _FOLDER), None)
            if damaged := archive.testzip() or folder:
                raise UserError(f"{path} is damaged: {damaged} in it does not hold what was written")
        file = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(file, dict) or file.get("format") != FORMAT:
            raise UserError(f"{path} is no file of pruning.save; a state_dict goes into model.load_state_dict")
        if file["version"] > VERSION:
            raise UserError(f"{path} was written by a newer snnbook (version {file['version']} of the format)")
        for tensor in (*file["weights"].values(), *file["weight_masks"].values(), *file["neuron_masks"].values()):
            if not torch.is_tensor(tensor):
                raise UserError(f"{path} is damaged: it has {tensor!r} in the place of a tensor")
        modules = {n: (m["class"], m["training"], dict(m["settings"])) for n, m in file["modules"].items()}
        if not {*file["neurons"], *file["neuron_masks"]} <= {*modules}:
            raise UserError(f"{path} is damaged: it has neurons that are none of its modules")
        return file | {"neurons": {n: _parameters(constants) for n, constants in file["neurons"].items()}}
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except UserError:
        raise
    except UnpicklingError as err:
        raise UserError(f"{path} holds other things than tensors and plain values, and is not opened") from err
    except Exception as err:  # whatever a damaged file, or one of another kind, leads to
        raise UserError(f"{path} cannot be read as a pruned network: {first_line(err)}") from err


def _parameters(stored: dict[str, Any]) -> LIFParameters:
    surrogate = dict(stored["surrogate"])
    return LIF(**{**stored, "surrogate": SURROGATES[surrogate.pop("name")](**surrogate)}).constants


def _check_fit(path: Path | str, file: dict[str, Any], model: nn.Module) -> None:
    """Raise UserError, naming what is nearest to the cause, unless the network can become that of the file."""
    reset(model)
    modules, hidden = dict(model.named_modules(remove_duplicate=False)), _mask_names(model)
    stored = file["weights"]
    here, there = _described(model), file["modules"]
    for name in {**there, **here}:
        _check_module(path, name, there.get(name), here.get(name))
        if name in modules and (name in file["neurons"]) != isinstance(modules[name], LIF):
            raise UserError(f"the neurons {_named(name)} are LIF either in {path} or in the network, not in both")
    values = {name: value for name, value in model.state_dict().items() if name not in hidden}
    for name in (*values, *stored):
        if name not in stored or name not in values:
            with_it, without = (path, "the network") if name in stored else ("the network", path)
            raise UserError(f"{with_it} has {name}, and {without} has not")
    for name, value in values.items():
        old, new = value.shape, stored[name].shape
        if old != new and not _can_narrow(modules[name.rpartition(".")[0]], old, new):
            raise UserError(
                f"{name} is {list(new)} in {path}, to which the network's {list(old)} cannot be narrowed: build it as "
                "the one that was saved"
            )
    first: dict[int, str] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        other = first.setdefault(id(p), name)
        if name != other and not torch.equal(stored[name], stored[other]):
            raise UserError(f"the network has one weight as {other} and {name}, and they differ in {path}")


def _check_module(path: Path | str, name: str, there: dict[str, Any] | None, here: dict[str, Any] | None) -> None:
    """Raise UserError unless a module is of the same class and has the same settings in a file and a network."""
    kinds = [(m and (m["class"] or "a class of its own")) or "nothing" for m in (there, here)]
    if there is None or here is None or kinds[0] != kinds[1]:
        raise UserError(f"{_named(name)} is {kinds[0]} in {path}, and {kinds[1]} in the network")
    for key, value in there["settings"].items():
        if (other := here["settings"].get(key, value)) != value:
            raise UserError(
                f"{key} of {_named(name)} ({kinds[0]}) is {value!r} in {path}, and {other!r} in the network: build it "
                "with the same"
            )


def _can_narrow(owner: nn.Module, here: torch.Size, to: torch.Size) -> bool:
    """Whether a tensor of a module can get a smaller shape: one of a norm, or of a layer in which all channels meet."""
    if len(here) != len(to) or any(n < m for n, m in zip(here, to, strict=True)) or here[2:] != to[2:]:
        return False
    return isinstance(owner, (*LAYERS, *NORMS)) and getattr(owner, "groups", 1) == 1


@torch.no_grad()
def _fill(file: dict[str, Any], model: nn.Module) -> None:
    """Make a network that of the file, which fits it."""
    stored, masks = file["weights"], file["neuron_masks"]
    device = next((value.device for value in model.state_dict().values()), torch.device("cpu"))
    for name, m in model.named_modules():
        prefix = f"{name}.".lstrip(".")
        for key, p in m.named_parameters(recurse=False):
            if not _alike(p, stored[prefix + key]):
                p.data = torch.empty_like(stored[prefix + key], device=p.device)
                p.grad = None
        for key, buffer in m.named_buffers(recurse=False):
            if prefix + key in stored and not _alike(buffer, stored[prefix + key]):
                setattr(m, key, torch.empty_like(stored[prefix + key], device=buffer.device))
        resize(m)
        m.training = file["modules"][name]["training"]
        if isinstance(m, LIF):
            m.constants = file["neurons"][name]
            m.mask = None
        if name in masks:
            set_mask(m, masks[name].to(device, torch.bool, copy=True))
        elif (mask := mask_of(m)) is not None:
            mask.fill_(True)
    hidden = {n: mask for n, m in _mask_names(model).items() if (mask := mask_of(m)) is not None}
    model.load_state_dict(stored | hidden)


def _alike(here: Tensor, stored: Tensor) -> bool:
    """Whether values can be copied and stay what they are, in the same order in memory."""
    return here.shape == stored.shape and here.dtype == stored.dtype and here.stride() == stored.stride()
