"""syops 0.0.5: firing rate times dense multiply-accumulates, which counts borders and biases."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snnbook import measure

pytest.importorskip("spikingjelly", reason="SpikingJelly, which syops needs, is not installed")
from spikingjelly.activation_based import neuron


@pytest.fixture(scope="module")
def counted():
    """Its accumulations per sample, layer by layer; it asks for names that SpikingJelly 2.0 no longer has."""
    gone = ("MultiStepIFNode", "MultiStepLIFNode", "MultiStepParametricLIFNode")
    with pytest.MonkeyPatch.context() as patch:
        for name in gone:
            patch.setattr(neuron, name, type(name, (nn.Module,), {}), raising=False)
        ops = pytest.importorskip("syops.ops", reason="syops is not installed; `make bench` has it")
        engine = pytest.importorskip("syops.engine", reason="syops lacks a package that it imports")

    def count(model, x):
        counting = engine.add_syops_counting_methods(model.eval())
        counting.start_syops_count(ost=None, verbose=False, ignore_list=[])
        with torch.no_grad():
            model(x)
        found = {name: m.__syops__[1] / len(x) for name, m in model.named_modules() if type(m) in ops.MODULES_MAPPING}
        counting.stop_syops_count()
        return found

    return count


class Neurons(nn.Module):
    """Neurons of one step, of a kind that syops leaves out."""

    def forward(self, x):
        return (x > 0).to(x.dtype)


X = (torch.rand(5, 2, 6, 6, generator=torch.Generator().manual_seed(0)) < 0.4).float()


def _network(kernel, bias=False, padding=0):
    torch.manual_seed(0)
    size = 6 - kernel + 1 + 2 * padding
    return nn.Sequential(
        *(nn.Conv2d(2, 3, 1, bias=False), Neurons(), nn.Conv2d(3, 4, kernel, padding=padding, bias=bias), Neurons()),
        *(nn.Flatten(), nn.Linear(4 * size * size, 3, bias=bias)),
    )


@pytest.mark.parametrize("kernel", [1, 6])
def test_operations_where_every_input_has_the_same_fan_out(counted, kernel):
    model = _network(kernel)
    sops, theirs = measure.sops(model, X), counted(model, X)
    for layer in ("2", "5"):
        assert sops.per_layer[layer] == pytest.approx(theirs[layer])
    assert sops.encoding_sops == 0  # no time, hence no events: ours calls it MACs
    assert sops.encoding_macs == 2 * 3 * 36


@pytest.mark.differs(
    "operations of a layer", ours="spikes × their live synapses", theirs={"syops": "firing rate × dense MACs"}
)
def test_an_input_at_the_border_has_fewer_synapses_of_ours(counted):
    model = _network(3)
    with torch.no_grad():
        spikes = model[1](model[0](X))
        exact = nn.functional.conv2d(spikes, torch.ones(4, 3, 3, 3)).sum() / len(X)
    assert measure.sops(model, X).per_layer["2"] == pytest.approx(float(exact))
    assert counted(model, X)["2"] == pytest.approx(float(spikes.mean()) * 3 * 4 * 9 * 16)
    assert measure.sops(model, X).per_layer["2"] != pytest.approx(counted(model, X)["2"], rel=1e-3)


@pytest.mark.differs(
    "synapses of an input at the border", ours="those inside the map", theirs={"syops": "those into the padding, too"}
)
def test_padding_is_multiplied_by_theirs(counted):
    model = _network(3, padding=1)
    assert counted(model, X)["2"] > 1.1 * measure.sops(model, X).per_layer["2"]


@pytest.mark.differs("operations of a bias", ours="none", theirs={"syops": "one for each output"})
def test_a_bias_is_an_operation_of_theirs(counted):
    model = _network(1, bias=True)
    with torch.no_grad():
        rate = float(model[3](model[2](model[1](model[0](X)))).mean())
    theirs, sops = counted(model, X)["5"], measure.sops(model, X).per_layer["5"]
    assert theirs == pytest.approx(sops + 3 * rate / len(X))


@pytest.mark.differs("synaptic operations of pruned synapses", ours="none", theirs={"syops": "counted"})
def test_pruned_synapses_are_operations_of_theirs(counted):
    model = _network(1)
    dense = counted(model, X)["5"]
    model[5].weight.data[1:] = 0
    assert counted(model, X)["5"] == pytest.approx(dense)
    assert measure.sops(model, X).per_layer["5"] == pytest.approx(dense / 3)
