"""Sparse inference: a pruned network compiled into one that computes with what is left of it.

fast = sparse.compile(model, sample)
logits = fast(x)
"""

from snnbook.sparse.compiled import Compiled, compile, load

__all__ = ["Compiled", "compile", "load"]
