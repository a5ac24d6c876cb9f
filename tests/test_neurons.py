"""The LIF neuron against a plain loop in double precision; the compiled pass against the torch reference."""

from __future__ import annotations

import ctypes
import io
import math
import pickle
from copy import deepcopy
from itertools import product

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from snnbook import native
from snnbook.neurons import IF, LIF, LIFParameters, lif_reference, lif_step
from snnbook.surrogates import ATan, Sigmoid, Tanh

needs_native = pytest.mark.skipif(not native.available(), reason=f"compiled kernels: {native.status}")
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])

SLOPES = {
    ATan: lambda u: 1 / (1 + (math.pi * u) ** 2),
    Sigmoid: lambda u: 1 / math.cosh(2 * u) ** 2,
    Tanh: lambda u: 1.5 / math.tanh(1.5) / math.cosh(3 * u) ** 2,
}


def plain_neuron(x: list[float], g: list[float], p: LIFParameters) -> tuple[list[float], list[float], float]:
    """Inputs and gradients of the spikes → spikes, gradients of the inputs, distance to the threshold."""
    v, h, s = p.v_rest, [], []
    for x_t in x:
        if p.decay_input:
            h.append(v + (x_t - (v - p.v_rest)) / p.tau)
        else:
            h.append(v - (v - p.v_rest) / p.tau + x_t)
        s.append(1.0 if h[-1] >= p.v_threshold else 0.0)
        v = h[-1]
        if s[-1]:
            v = h[-1] - p.v_threshold if p.v_reset is None else p.v_reset
    gx, gv = [0.0] * len(x), 0.0
    for t in reversed(range(len(x))):
        of_h, of_s = (1.0, -p.v_threshold) if p.v_reset is None else (1 - s[t], p.v_reset - h[t])
        gs = g[t] + (0.0 if p.detach_reset else gv * of_s)
        gh = gs * SLOPES[type(p.surrogate)](h[t] - p.v_threshold) + gv * of_h
        gx[t], gv = gh / p.tau if p.decay_input else gh, gh * (1 - 1 / p.tau)
    return s, gx, min(abs(u - p.v_threshold) for u in h)


def plain(x: Tensor, g: Tensor, p: LIFParameters) -> tuple[Tensor, Tensor, float]:
    """`plain_neuron` for every neuron of `x [T, *]`."""
    columns = zip(x.flatten(1).T.tolist(), g.flatten(1).T.tolist(), strict=True)
    s, gx, distance = zip(*(plain_neuron(a, b, p) for a, b in columns), strict=True)
    as_tensor = [torch.tensor(rows, dtype=torch.float64).T.reshape(x.shape) for rows in (s, gx)]
    return as_tensor[0], as_tensor[1], min(distance)


def run(x: Tensor, g: Tensor, p: LIFParameters, fused: bool) -> tuple[Tensor, Tensor]:
    """Spikes and gradient of the input, by the fused operation or by the step-by-step reference."""
    x = x.detach().requires_grad_()
    s = LIF(*p)(x) if fused else lif_reference(x, p)[0]
    (gx,) = torch.autograd.grad(s, x, g)
    return s.detach(), gx


def assert_same_gradient(got: Tensor, expected: Tensor, relative: float) -> None:
    """Relative to the largest gradient: where terms cancel, no float32 is exact relative to what is left."""
    scale = max(1e-30, expected.abs().max().item()) if expected.numel() else 1.0
    torch.testing.assert_close(got.double(), expected.double(), rtol=relative, atol=relative * scale)


RESETS = (0.0, None, -0.25)
SURROGATES = (ATan(), Sigmoid(), Tanh())
ALL_PARAMETERS = [
    LIFParameters(2.0, 1.0, reset, decay, detach, surrogate)
    for reset, decay, detach, surrogate in product(RESETS, (True, False), (True, False), SURROGATES)
]


@st.composite
def cases(draw, surrogates=SURROGATES):
    """Inputs `[T, N, *]`, gradients of the spikes and the constants of the neuron."""
    T = draw(st.integers(1, 12))
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    p = LIFParameters(
        tau=(tau := draw(st.sampled_from((1.0, 4 / 3, 2.0, math.inf)) | st.floats(1.0, 20.0))),
        v_threshold=draw(st.sampled_from((1.0, 0.5, 0.3))),
        v_reset=draw(st.sampled_from(RESETS)),
        decay_input=tau < math.inf and draw(st.booleans()),
        detach_reset=draw(st.booleans()),
        surrogate=draw(st.sampled_from(surrogates)),
    )
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    x = torch.randn((T, *shape), generator=rng, dtype=torch.float64) * draw(st.sampled_from((0.5, 2.0))) + 0.5
    return x, torch.randn(x.shape, generator=rng, dtype=torch.float64), p


# tau = 2, threshold 1, divided input: h = (v + x) / 2, * = spike. The eighth hard value just reaches 1.
#   input   1    1     1      3        0        -1         4          2           0
#   hard    0.5  0.75  0.875  1.9375*  0        -0.5       1.75*      1.0*        0
#   soft    0.5  0.75  0.875  1.9375*  0.46875  -0.265625  1.8671875* 1.43359375* 0.216796875
INPUT = (1.0, 1.0, 1.0, 3.0, 0.0, -1.0, 4.0, 2.0, 0.0)
HARD = (0.5, 0.75, 0.875, 1.9375, 0.0, -0.5, 1.75, 1.0, 0.0)
SOFT = (0.5, 0.75, 0.875, 1.9375, 0.46875, -0.265625, 1.8671875, 1.43359375, 0.216796875)


@pytest.mark.parametrize(("v_reset", "potential"), [(0.0, HARD), (None, SOFT)])
def test_trace_by_hand(v_reset, potential):
    x = torch.tensor(INPUT).reshape(9, 1)
    lif = LIF(v_reset=v_reset)
    fired = torch.tensor([float(h >= 1) for h in potential]).reshape(9, 1)
    assert torch.equal(lif(x), fired)
    lif.keep_potential = True
    assert torch.equal(lif(x), fired)
    assert lif.potential is not None
    assert lif.potential.flatten().tolist() == list(potential)


@pytest.mark.parametrize("p", ALL_PARAMETERS, ids=str)
def test_every_variant_equals_the_plain_loop(p):
    x, g = torch.randn(2, 9, 2, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = 1.5 * x + 0.5
    s, gx, distance = plain(x, g, p)
    assert 0 < s.mean() < 1
    got = run(x, g, p, fused=False)
    assert torch.equal(got[0], s)
    assert_same_gradient(got[1], gx, 1e-12)
    assert distance > 1e-4
    got = run(x.float(), g.float(), p, fused=True)
    assert torch.equal(got[0].double(), s)
    assert_same_gradient(got[1], gx, 1e-5)


@quick
@given(cases())
def test_reference_equals_the_plain_loop(case):
    x, g, p = case
    s, gx, distance = plain(x, g, p)
    assume(distance > 1e-9)
    got = run(x, g, p, fused=False)
    assert torch.equal(got[0], s)
    assert_same_gradient(got[1], gx, 1e-10)


@pytest.fixture(params=[*native.levels, None], ids=str)
def path(request):
    """Every way the fused operation can run on this machine: each instruction set, and torch."""
    with native.using(request.param):
        yield


every_path = settings(quick, suppress_health_check=[*HealthCheck])


@every_path
@given(case=cases(surrogates=(*SURROGATES, ATan(3.3), Sigmoid(1.5))))
def test_fused_equals_the_reference(path, case):
    x, g, p = case
    fused, reference = run(x.float(), g.float(), p, fused=True), run(x.float(), g.float(), p, fused=False)
    assert torch.equal(fused[0], reference[0])
    assert fused[0].dtype == fused[1].dtype == torch.float32
    exact = run(x.float().double(), g.float().double(), p, fused=False)
    assume(torch.equal(exact[0], fused[0].double()))
    # Close to the threshold a steep surrogate magnifies the rounding of potentials, in the reference as well.
    rounding = float((reference[1] - exact[1]).abs().max() / exact[1].abs().max().clamp_min(1e-30))
    assert_same_gradient(fused[1], exact[1], max(1e-6, 4 * rounding))


@every_path
@given(case=cases())
def test_bfloat16_is_float32_stored_in_half_the_bits(path, case):
    x, g, p = (part.bfloat16() if isinstance(part, Tensor) else part for part in case)
    fused, reference = run(x, g, p, fused=True), run(x.float(), g.float(), p, fused=False)
    assert fused[0].dtype == fused[1].dtype == torch.bfloat16
    assert torch.equal(fused[0].float(), reference[0])
    torch.testing.assert_close(fused[1].float(), reference[1], rtol=2**-8, atol=1e-6)


@every_path
@given(case=cases(), masked=st.booleans(), with_spikes=st.booleans())
def test_mask_and_potential_come_out_of_the_same_pass(path, case, masked, with_spikes):
    x, g, p = case
    x, g = x.float().requires_grad_(), g.float()
    lif = LIF(*p)
    lif.keep_potential = True
    lif.mask = torch.arange(x[0, 0].numel()).view(x.shape[2:]) % 3 > 0 if masked else None
    s, h = lif_reference(x, p)
    s = s * lif.mask if masked else s
    got = lif(x)
    assert torch.equal(got, s)
    assert torch.equal(lif.potential, h)
    wanted = g.flip(0).cos()
    fused, reference = (
        torch.autograd.grad((a * g).sum() * with_spikes + (b * wanted).sum(), x)[0]
        for a, b in ((got, lif.potential), (s, h))
    )
    assert_same_gradient(fused, reference, 2e-6)


@pytest.mark.parametrize("p", ALL_PARAMETERS, ids=str)
def test_potential_alone_has_a_gradient(path, p):
    x = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    lif = LIF(*p)
    lif.keep_potential = True
    lif(x)
    (fused,) = torch.autograd.grad(lif.potential.square().sum(), x)
    (reference,) = torch.autograd.grad(lif_reference(x, p)[1].square().sum(), x)
    assert_same_gradient(fused, reference, 1e-6)


def test_no_second_derivative_is_an_error_not_a_wrong_number():
    x = torch.randn(3, 1, 4, requires_grad=True)
    (gx,) = torch.autograd.grad(LIF()(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gx.sum().backward()


@needs_native
def test_several_threads_give_the_same_bits():
    x, g = torch.randn(2, 3, 1, 200_001, generator=torch.Generator().manual_seed(8))
    one, threads = run(x, g, LIFParameters(), fused=True), torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        several = run(x, g, LIFParameters(), fused=True)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one[0], several[0])
    assert torch.equal(one[1], several[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_results_that_go_past_the_cache(path, dtype):
    rng = torch.Generator().manual_seed(9)
    x, g = torch.randn(2, 3, 1, 200_003, generator=rng, dtype=dtype)  # rows that no line of memory starts with
    fused, reference = run(x, g, LIFParameters(), fused=True), run(x.float(), g.float(), LIFParameters(), fused=False)
    assert torch.equal(fused[0].float(), reference[0])
    torch.testing.assert_close(
        fused[1].float(), reference[1], rtol=2**-8 if dtype == torch.bfloat16 else 1e-5, atol=1e-6
    )


@pytest.mark.parametrize("level", native.levels)
def test_tensors_beyond_two_gigabytes(level, monkeypatch):
    """The kernels on the last neurons alone: of the rest of these tensors no page is touched, so none takes memory."""
    T, tail, p = 64, 1000, LIFParameters()

    def run_last(kernel, args, n, grain):
        native._function(kernel, args)(ctypes.byref(args), ctypes.c_int64(n - tail), ctypes.c_int64(n))

    monkeypatch.setattr(native, "run", run_last)
    monkeypatch.setattr(native, "_madvise", None)  # pages of 4 kB
    row = torch.empty(1, 2**23 + tail)
    row[:, -tail:] = torch.randn(tail, generator=torch.Generator().manual_seed(10)) * 2
    x = row.expand(T, *row.shape)
    with native.using(level):
        s, _ = native.lif_forward(x, p)
        gx = native.lif_backward(s, None, x, p)
    assert s.nbytes > 2**31
    expected = run(x[..., -tail:], s[..., -tail:], p, fused=False)
    assert torch.equal(s[..., -tail:], expected[0])
    assert_same_gradient(gx[..., -tail:], expected[1], 1e-6)


def test_one_step_equals_lif_step():
    x = torch.linspace(-1, 4, 11)[None, None]
    s, v, h = lif_step(torch.zeros(1, 11), x[0], LIFParameters())
    assert torch.equal(LIF()(x)[0], s)
    assert torch.equal(h, x[0] / 2)
    assert torch.equal(v, torch.where(s > 0, 0.0, h))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spike_at_equality(dtype):
    x = torch.tensor([2.0, 2.0 - 1e-6, 2.0 + 1e-6], dtype=dtype).reshape(1, 1, 3)
    assert LIF(tau=2.0)(x).flatten().tolist() == [1, 0, 1]


@pytest.mark.parametrize("shape", [(4, 0, 3), (4, 2, 0, 5), (0, 2, 3), (0, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_empty_input(shape, dtype):
    x = torch.zeros(shape, dtype=dtype, requires_grad=True)
    lif = LIF()
    s = lif(x)
    assert s.shape == shape
    s.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == shape
    lif.keep_potential = True
    assert lif(x).shape == shape


@pytest.mark.parametrize("p", [LIFParameters(), LIFParameters(3.0, v_reset=None, detach_reset=False)])
def test_memory_layout_does_not_matter(p):
    rng = torch.Generator().manual_seed(1)
    row = torch.randn(2, 3, 4, 5, generator=rng) * 2 + 1
    views = {
        "expanded": row.expand(6, *row.shape),
        "expanded within the step": torch.randn(6, 2, 1, 4, 5, generator=rng).mul(3).expand(6, 2, 3, 4, 5),
        "transposed": torch.randn(2, 6, 3, 4, 5, generator=rng).mul(3).transpose(0, 1),
        "sliced": torch.randn(6, 2, 3, 4, 10, generator=rng).mul(3)[..., ::2],
        "expanded and transposed": row.transpose(0, 2).expand(6, 4, 3, 2, 5),
    }
    for name, view in views.items():
        g = torch.randn(view.shape[::-1], generator=rng).permute(*reversed(range(view.dim())))
        got, expected = run(view, g, p, fused=True), run(view.contiguous(), g.contiguous(), p, fused=False)
        assert torch.equal(got[0], expected[0]), name
        assert_same_gradient(got[1], expected[1], 1e-6)


def test_gradient_reaches_the_row_behind_an_expanded_input():
    row = (torch.randn(2, 7, generator=torch.Generator().manual_seed(2)) * 2).requires_grad_()
    (fused,) = torch.autograd.grad(LIF()(row.expand(5, 2, 7)).sum(), row)
    (plain_sum,) = torch.autograd.grad(lif_reference(row.expand(5, 2, 7), LIFParameters())[0].sum(), row)
    assert_same_gradient(fused, plain_sum, 1e-6)


@pytest.mark.parametrize("v_reset", RESETS)
def test_nan_and_infinity_stay_in_their_neuron(path, v_reset):
    x = torch.full((5, 1, 4), 3.0)
    x[1, 0, :3] = torch.tensor([math.nan, math.inf, -math.inf])
    p = LIFParameters(v_reset=v_reset)
    x.requires_grad_()
    s = LIF(*p)(x)
    assert torch.equal(s, lif_reference(x, p)[0])
    assert set(s.unique().tolist()) <= {0.0, 1.0}
    assert s[1, 0].tolist()[:3] == [0, 1, 0]
    for detach_reset, surrogate in product((True, False), SURROGATES):
        q = p._replace(detach_reset=detach_reset, surrogate=surrogate)
        (fused,) = torch.autograd.grad(LIF(*q)(x).sum(), x)
        (reference,) = torch.autograd.grad(lif_reference(x, q)[0].sum(), x)
        assert torch.equal(fused.isnan(), reference.isnan())
        assert fused[..., 3].isfinite().all()


def test_mask_silences_the_output_only():
    x = torch.randn(6, 2, 5, generator=torch.Generator().manual_seed(4)) * 2 + 1
    whole, masked = LIF(), LIF()
    masked.mask = torch.tensor([True, False, True, True, False])
    assert torch.equal(masked(x), whole(x) * masked.mask)
    whole.keep_potential = masked.keep_potential = True
    assert torch.equal(masked(x), whole(x) * masked.mask)
    assert whole.potential is not None
    assert masked.potential is not None
    assert torch.equal(masked.potential, whole.potential)
    x.requires_grad_()
    (gx,) = torch.autograd.grad(masked(x).sum(), x)
    assert gx[..., ~masked.mask].abs().sum() == 0
    assert gx[..., masked.mask].abs().sum() > 0


def test_mask_travels_with_the_module():
    lif = LIF()
    assert lif.state_dict() == {}
    lif.mask = torch.tensor([True, False])
    assert torch.equal(lif.state_dict()["mask"], lif.mask)


def _masked(*masks):
    """A small network; for each of its two layers of neurons, a mask of five or three, or None."""
    net = nn.Sequential(nn.Linear(4, 5), LIF(), nn.Linear(5, 3), LIF(v_reset=None, detach_reset=False))
    for lif, mask in zip((net[1], net[3]), masks, strict=False):
        lif.mask = None if mask is None else torch.tensor(mask)
    return net


ODD, LAST = [True, False, True, False, True], [False, False, True]


@pytest.mark.supports(
    "Files", "load_state_dict of a network with masked LIF neurons, into a fresh one", "restored with its masks"
)
@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("before", [(), (ODD[::-1], LAST[::-1]), ([False], [[True] * 3])])
@pytest.mark.parametrize("after", [(ODD, LAST), (None, LAST), ()])
def test_a_state_takes_its_masks_along(before, after, assign):
    source, target = _masked(*after), _masked(*before)
    file = io.BytesIO()
    torch.save(source.state_dict(), file)
    file.seek(0)
    target.load_state_dict(torch.load(file, weights_only=True), assign=assign)
    for i, mask in zip((1, 3), (*after, None, None), strict=False):
        assert (target[i].mask is None) if mask is None else target[i].mask.tolist() == mask
    assert list(target.state_dict()) == list(source.state_dict())
    target.load_state_dict(_masked().state_dict())
    assert target[1].mask is None
    assert target[3].mask is None


def test_a_part_of_a_state_leaves_masks_alone():
    net = _masked(ODD, LAST)
    part = {name: value for name, value in _masked().state_dict().items() if name.startswith("2.")}
    assert set(net.load_state_dict(part, strict=False).missing_keys) >= {"1.mask", "3.mask"}
    assert net[1].mask.tolist() == ODD
    with pytest.raises(RuntimeError, match=r'Missing key.*"1\.mask"'):
        net.load_state_dict(dict(_masked().state_dict()))


def test_a_masked_network_is_copied_whole():
    net, x = _masked(ODD, LAST), 3 * torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0))
    expected = net(x)
    for other in (deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), expected)
    assert torch.equal(nn.DataParallel(net)(x), expected)
    assert net.to("meta")(x.to("meta")).shape == expected.shape


@pytest.fixture(scope="module")
def pair():
    """A masked network and its input `[T, N, 4]`."""
    torch.manual_seed(1)
    net, x = _masked(ODD, LAST), 3 * torch.randn(5, 2, 4)
    assert 0 < net[:2](x).mean() < 0.5
    return net, x


@pytest.mark.supports("Wrappers", "torch.export of a network with LIF neurons", "accepted: the same spikes")
@pytest.mark.filterwarnings("error:.*side effects")
@pytest.mark.parametrize(
    ("dtype", "strict"),
    [(torch.float32, True), (torch.float32, False), (torch.bfloat16, False), (torch.float64, False)],
)
def test_an_exported_network_fires_the_same_spikes(pair, dtype, strict):
    net, x = deepcopy(pair[0]).to(dtype), pair[1].to(dtype)
    file = io.BytesIO()
    torch.export.save(torch.export.export(net, (x,), strict=strict), file)
    file.seek(0)
    assert torch.equal(torch.export.load(file).module()(x), net(x))


@pytest.mark.supports(
    "Wrappers", "torch.compile of a network with LIF neurons", "accepted: the same spikes and gradients"
)
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_torch_compile_gives_the_same_spikes_and_gradients(pair, backend):
    net, x = pair
    compiled, got = torch.compile(net, backend=backend, fullgraph=True)(x), net(x)
    assert torch.equal(compiled, got)
    for a, b in zip(*(torch.autograd.grad(s.sum(), [*net.parameters()]) for s in (compiled, got)), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_traces_and_fake_tensors_never_reach_a_kernel(pair, monkeypatch):
    net, x = pair
    expected = net(x)
    assert torch.equal(torch.jit.trace(net, x)(x.flip(1)), net(x.flip(1)))
    monkeypatch.setattr(native, "run", lambda *args: pytest.fail("a kernel ran"))
    assert torch.equal(make_fx(net)(torch.zeros_like(x))(x), expected)
    with FakeTensorMode():
        s = LIF()(torch.zeros(3, 2, 4))
    assert type(s) is FakeTensor
    assert s.shape == (3, 2, 4)


def test_gradients_of_single_samples_by_torch_func(pair):
    net, x = pair
    weights = dict(net.named_parameters())

    def fired(weights, sample):
        return torch.func.functional_call(net, weights, (sample[:, None],)).sum()

    single = torch.func.vmap(torch.func.grad(fired), (None, 1))(weights, x)
    for i in range(x.shape[1]):
        expected = torch.autograd.grad(net(x[:, [i]]).sum(), [*weights.values()])
        for name, value in zip(weights, expected, strict=True):
            assert torch.allclose(single[name][i], value, rtol=1e-4, atol=1e-6), name
    assert torch.equal(torch.func.vmap(net, 2, 2)(x[:, :, None].expand(-1, -1, 3, -1))[:, :, 1], net(x))


def test_potential_is_kept_on_request_only():
    x = torch.ones(3, 1, 2)
    lif = LIF()
    lif(x)
    assert lif.potential is None
    lif.keep_potential = True
    lif(x)
    assert lif.potential is not None
    assert lif.potential[:, 0, 0].tolist() == [0.5, 0.75, 0.875]


def test_no_state_outlives_the_call():
    x = torch.full((4, 1, 3), 0.9)
    lif = LIF(decay_input=False)
    assert torch.equal(lif(x), lif(x))


@pytest.mark.parametrize("tau", [0.0, 0.999, -2.0, math.nan])
def test_tau_below_one_step_is_refused(tau):
    with pytest.raises(ValueError, match="tau must be at least 1"):
        LIF(tau=tau)


def test_without_leak_the_input_must_not_be_divided():
    with pytest.raises(ValueError, match="decay_input=False"):
        LIF(tau=math.inf)


# Eighths are exact in binary. A constant input c is summed up until it reaches the threshold 1: one spike every
# ceil(1 / c) steps, the potential back at 0; with the soft reset floor(c t) spikes in t steps, as c < 1.
@pytest.mark.parametrize("eighths", range(1, 8))
def test_if_counts_its_input(path, eighths):
    c, t = eighths / 8, torch.arange(1, 41)
    x = torch.full((40, 1, 3), c)
    hard, soft = IF(), IF(v_reset=None)
    assert isinstance(hard, LIF)
    assert hard(x)[:, 0, 0].tolist() == (t % math.ceil(1 / c) == 0).float().tolist()
    assert torch.equal(soft(x)[:, 0, 0].cumsum(0), (c * t).floor())
    hard.keep_potential = True
    hard(x)
    assert hard.potential is not None
    assert torch.equal(hard.potential[:, 0, 0], c * ((t - 1) % math.ceil(1 / c) + 1))


# With the reset detached, the gradient of a sum of spikes by x[t] is that of all potentials up to the next spike,
# each 1 / (1 + (pi u)^2) at a distance u from the threshold; here u = -3/4, -1/2, -1/4, 0, and again.
def test_the_gradient_of_if_by_hand(path):
    x = torch.full((6, 1, 2), 0.25, requires_grad=True)
    (gx,) = torch.autograd.grad(IF()(x).sum(), x)
    slope = [1 / (1 + (math.pi * u) ** 2) for u in (-0.75, -0.5, -0.25, 0, -0.75, -0.5)]
    expected = [sum(slope[t : 4 if t < 4 else 6]) for t in range(6)]
    torch.testing.assert_close(gx[:, 0, 0], torch.tensor(expected))


def test_an_input_without_batch_axis_is_refused():
    with pytest.raises(ValueError, match=r"\[T, N, \*\]"):
        LIF()(torch.zeros(4))


def test_tau_of_one_step_has_no_memory():
    x = torch.randn(7, 2, 9, generator=torch.Generator().manual_seed(5)) + 1
    assert torch.equal(LIF(tau=1.0)(x), (x >= 1).float())
