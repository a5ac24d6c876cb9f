"""Paper C's score, by hand and on neurons that run all steps at once or one by one."""

import math

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.pruning.parts.criticality_score import Criticality


def _g(u):
    return 1 / (1 + (math.pi * u) ** 2)


def test_two_channels_by_hand():
    # tau = 1: the potential is the input. Threshold 1, two steps, one sample, two channels on a map of two pixels.
    # Channel 0, pixel 0: inputs 1.0, 0.0 -> u = 0, -1 -> mean (1 + g(1)) / 2; pixel 1: 0.0, 0.0 -> g(1).
    # Channel 1, both pixels: 0.5, 0.5 -> u = -0.5 -> g(0.5).
    x = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]], [[[0.0, 0.0], [0.5, 0.5]]]])  # [T, N, C, pixels]
    model = nn.Sequential(LIF(tau=1.0))
    first = (1 + _g(1)) / 2
    for aggregate, expected in (("max", [first, _g(0.5)]), ("mean", [(first + _g(1)) / 2, _g(0.5)])):
        with Criticality(model, aggregate) as found:
            model(x)
        assert found.scores()["0"].tolist() == pytest.approx(expected)


def test_the_mean_over_samples_counts_samples_not_batches():
    model = nn.Sequential(LIF(tau=1.0))
    x = torch.rand(3, 7, 4)
    with Criticality(model) as found:
        model(x[:, :5])
        model(x[:, 5:])
    expected = (1 / (1 + (torch.pi * (x - 1)) ** 2)).mean((0, 1))
    assert torch.allclose(found.scores()["0"], expected)
    assert model[0].potential is None
    assert not model[0].keep_potential


class _Heaviside(nn.Module):
    def forward(self, u):
        return (u >= 0).float()


class _Steps(nn.Module):
    """A neuron called step by step that hands u to its surrogate module, as SpikingJelly's does."""

    def __init__(self):
        super().__init__()
        self.surrogate_function = _Heaviside()

    def forward(self, x):
        return self.surrogate_function(x - 1)


def test_step_by_step_neurons_are_averaged_over_time_before_the_maximum():
    x = torch.rand(3, 2, 4, 5, 5)
    whole, steps = nn.Sequential(LIF(tau=1.0)), nn.Sequential(_Steps())
    with Criticality(whole) as one, Criticality(steps) as other:
        for _ in range(2):
            other.begin()
            whole(x)
            for x_t in x:
                steps(x_t)
    assert torch.allclose(one.scores()["0"], other.scores()["0"])


def test_mistakes_are_named():
    with pytest.raises(UserError, match="did you mean max"):
        Criticality(nn.Sequential(LIF()), "maxi")
    with pytest.raises(UserError, match="cannot read"), Criticality(nn.Sequential(nn.ReLU())):
        pass
    steps, shared = nn.Sequential(_Steps()), nn.Sequential(LIF())
    with Criticality(steps):
        steps(torch.rand(2, 4))
        with pytest.raises(UserError, match="begin"):
            steps(torch.rand(3, 4))
    with Criticality(shared):
        shared(torch.rand(1, 2, 4))
        with pytest.raises(UserError, match="different numbers of channels"):
            shared(torch.rand(1, 2, 5))
