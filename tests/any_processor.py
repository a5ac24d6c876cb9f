"""What must work on every processor, at every level of kernels that it runs and without them; test_native.py runs this
in processes with other processors. Prints what was there, as JSON in the last line.
"""

from __future__ import annotations

import json

import same_bits
import torch

from snnbook import arithmetic, native, networks, sparse
from snnbook.cli import main
from snnbook.errors import UserError
from snnbook.experiments import run
from snnbook.neurons import LIF, lif_reference
from snnbook.pruning import global_masks
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.scores import SCORES

arithmetic.hold()
main(["doctor"], standalone_mode=False)

torch.manual_seed(0)
x = 2 * torch.randn(5, 2, 50)
neurons = LIF()
spikes = lif_reference(x, neurons.constants)[0]
weights, generator = {"a": torch.randn(40, 50), "b": torch.randn(30, 20)}, torch.Generator()
masks = global_masks(SCORES["lamp"](weights, generator), 0.9)
model = networks.build("cifarnet", 10, 3, 8, T=3, width=0.05, v_threshold=0.05).eval()
picture = torch.rand(1, 3, 8, 8)
compiled = sparse.compile(model, picture)
with torch.no_grad():
    logits = model(picture)
assert spikes.any()
assert logits.any()

paths: dict[str | None, list[str]] = {}
for level in (*native.levels, None):
    with native.using(level):
        assert torch.equal(neurons(x), spikes)
        kept = cut("lamp", weights, generator, 0.9)
        assert all(torch.equal(kept[name], masks[name]) for name in weights)
        taken = set()
        for path in ("table", "event"):
            network = sparse.Compiled(compiled.graph, dict.fromkeys(compiled.paths, path))
            assert torch.allclose(network(picture), logits, rtol=0, atol=1e-5)
            taken |= set(network.paths.values())
        paths[level] = sorted(taken)

refused = []
for level in native.LEVELS:
    if level not in native.levels:
        try:
            with native.using(level):
                neurons(x)
        except UserError:
            refused.append(level)

digest = run(same_bits.SMALLEST, 0).digest[:16] if same_bits.due() else None
report = {"levels": native.levels, "in use": native.level(), "refused": refused, "digest": digest}
print(json.dumps(report | {"paths": list(paths.values())}))
