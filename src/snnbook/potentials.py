"""The membrane potentials of neurons while they run: snnbook's, SpikingJelly's and snnTorch's. Ref: paper C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.tracing import neurons, plain


@contextmanager
def potentials(model: nn.Module, see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call `see(name, u)` whenever neurons run, with the potential before reset minus the threshold.

    `u` is `[T, N, *]`, or `[N, *]` for neurons that are called step by step, without gradient. Understands `LIF`,
    SpikingJelly's neurons, whose surrogate is wrapped (they run in torch meanwhile), and snnTorch's, whose `fire` is.
    Raises UserError for neurons of another kind, and for those that run without a call of what was wrapped.
    """
    model = plain(model)
    name_of = {m: name for name, m in model.named_modules()}
    with ExitStack() as stack:
        for m in neurons(model):
            name = name_of[m]
            if isinstance(m, LIF):
                stack.callback(setattr, m, "potential", None)
                stack.callback(setattr, m, "keep_potential", m.keep_potential)
                m.keep_potential = True
                stack.callback(m.register_forward_hook(partial(_see_kept, see, name)).remove)
            else:
                _watch(m, see, name, stack)
        yield


def check_potentials(model: nn.Module) -> None:
    """Raise UserError if there are neurons whose potential cannot be read, as far as one can tell before they run."""
    with potentials(model, lambda name, u: None):
        pass


def _see_kept(see: Callable[[str, Tensor], None], name: str, m: nn.Module, args: Any, output: Any) -> None:
    see(name, m.potential.detach() - m.constants.v_threshold)  # type: ignore[union-attr,operator]


class _Watched(nn.Module):
    """A surrogate of SpikingJelly that shows what it is given. Of a type it does not know, so that it calls it."""

    def __init__(self, surrogate: Callable[[Tensor], Tensor], see: Callable[[Tensor], None]):
        super().__init__()
        self.surrogate, self.see = surrogate, see

    def forward(self, u: Tensor) -> Tensor:
        self.see(u.detach())
        return self.surrogate(u)


def _watch(m: nn.Module, see: Callable[[str, Tensor], None], name: str, stack: ExitStack) -> None:
    """Have neurons that are not ours show their potentials until the stack is closed."""
    seen = [False]

    def show(u: Tensor) -> None:
        seen[0] = True
        see(name, u)

    def fired(*args: Any) -> Any:
        show((args[-1] - m.threshold).detach())
        return fire(*args)

    def ran(m: nn.Module, args: Any, output: Any) -> None:
        if not seen[0]:
            raise unreadable
        seen[0] = False

    unreadable = UserError(
        f"cannot read the membrane potential of {name} ({type(m).__name__}); snnbook's LIF shows it, and so do "
        "most neurons of SpikingJelly and snnTorch"
    )
    if callable(surrogate := getattr(m, "surrogate_function", None)):
        stack.callback(setattr, m, "surrogate_function", surrogate)
        stack.callback(delattr, m, "surrogate_function")
        m.surrogate_function = _Watched(surrogate, show)
    elif hasattr(m, "threshold") and callable(getattr(m, "fire", None)):
        attribute = "fire_inhibition" if getattr(m, "inhibition", False) else "fire"
        fire = getattr(m, attribute)
        stack.callback(delattr, m, attribute)  # what is below it is the class's own
        setattr(m, attribute, fired)
    else:
        raise unreadable
    stack.callback(m.register_forward_hook(ran).remove)
