# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [C.fig1], reads: [], minutes: 6}
# ---

# %% [markdown]
# # Paper C, Fig. 1: one step of pruning and regeneration
#
# **The paper's first figure is a drawing: weights are cut, and some of those that lead to critical neurons come back.
# Here it is a computation.** Seven neurons run on eight samples, their potentials give the scores, and every weight
# that goes or returns is chosen by the functions that also prune the large networks.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import pandas as pd
import torch
from torch import nn

from snnbook.neurons import LIF
from snnbook.potentials import potentials
from snnbook.pruning import Context, Masks, create, cut
from snnbook.pruning.parts.criticality_score import Criticality, Released, best, neurons_after
from snnbook.report import plots, tables
from snnbook.report.page import Page
from snnbook.surrogates import ATan

page = Page("criticality/fig1", globals())

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## The network
#
# Four inputs, four neurons *a*, three neurons *b*, two outputs without a threshold. A row of a matrix has the weights
# that lead to one neuron. Each input is constant over four steps.

# %%
A = [[0.4, -0.4, -0.5, 1.2], [0.3, -1.0, 0.1, 0.7], [0.4, 1.1, 0.1, 0.2], [0.1, 2.1, -0.4, 0.7]]
B = [[1.1, -2.3, 1.0, 1.2], [-0.5, 2.2, 0.1, 4.1], [0.5, 2.6, 0.8, 0.9]]
OUT = [[0.6, 2.5, 1.2], [0.3, 0.8, 0.7]]
SAMPLES = torch.tensor(
    [
        [0.4, 0.8, 0.4, 2.0],
        [1.4, 1.6, 0.0, 1.8],
        [1.2, 1.6, 1.0, 0.8],
        [0.0, 0.2, 1.4, 0.8],
        [2.0, 1.2, 0.2, 1.6],
        [1.8, 1.4, 1.2, 0.6],
        [1.0, 1.2, 0.0, 1.4],
        [0.8, 0.6, 0.4, 0.2],
    ]
)
T = 4
x = SAMPLES.expand(T, *SAMPLES.shape)  # [T, N, inputs]


def network():
    layers = [nn.Linear(len(rows[0]), len(rows), bias=False) for rows in (A, B, OUT)]
    for layer, rows in zip(layers, (A, B, OUT), strict=True):
        layer.weight.data = torch.tensor(rows)
    return nn.Sequential(layers[0], LIF(), layers[1], LIF(), layers[2])


model = network()
weights = {name: p.detach().clone() for name, p in model.named_parameters()}
FIRST, SECOND, LAST = weights
total = sum(w.numel() for w in weights.values())

# %% tags=["hide-input"]
UNITS = (len(A[0]), len(A), len(B), len(OUT))
LETTERS = ("x", "a", "b", "y")
GONE, RETURNED = (0, (1, 2)), plots.PALETTE[1]
LABEL = {"textcoords": "offset points", "ha": "center", "fontsize": 9, "zorder": 5}
GROUND = {"fc": "white", "ec": "none", "pad": 0.5, "alpha": 0.8}


def place(layer, i):
    """Where a unit is drawn: layers from left to right, centred."""
    return 1.6 * layer, (UNITS[layer] - 1) / 2 - i


def draw(alive, scores, returned, alt, caption):
    """The network: living weights as lines, dead ones dotted, those that returned in a colour of their own."""
    fig, ax = plots.subplots(figsize=(5.2, 3.4))
    for layer, (name, w) in enumerate(weights.items()):
        for i, j in torch.cartesian_prod(*map(torch.arange, w.shape)).tolist():
            new, here = name in returned and bool(returned[name][i, j]), bool(alive[name][i, j])
            line = (
                {"color": RETURNED, "lw": 2.6} if new else {"color": plots.INK, "lw": 0.5 + 0.7 * abs(float(w[i, j]))}
            )
            line |= {"ls": "-"} if new or here else {"ls": GONE, "alpha": 0.8, "lw": 0.9}
            (x0, y0), (x1, y1) = place(layer, j), place(layer + 1, i)
            ax.plot([x0, x1], [y0, y1], marker="", zorder=1 + new, **line)
    for layer, letter in enumerate(LETTERS):
        known = scores.get({1: "1", 2: "3"}.get(layer, ""))
        for i in range(UNITS[layer]):
            face = "white"
            if known is not None:
                face = plots.plt.get_cmap("YlOrBr")(0.75 * float(known[i]))
                ax.annotate(f"{known[i]:.2f}", place(layer, i), (0, -20), **LABEL, bbox=GROUND)
            ax.plot(*place(layer, i), "o", ms=19, mfc=face, mec=plots.INK, zorder=4)
            ax.annotate(f"{letter}{i + 1}", place(layer, i), (0, -3), **LABEL | {"color": "black"})
    ax.set(xlim=(-0.4, 5.2), ylim=(-2.1, 1.9))
    ax.set_axis_off()
    plots.show(fig, alt=alt, caption=caption)


def count(masks):
    """Number of weights that masks let live."""
    return sum(int(mask.sum()) for mask in masks.values())


# %% [markdown]
# ## 1. Scores
#
# In the last training step before the cut all neurons show their potentials before reset. For one neuron and one
# sample, with $u$ the distance to the threshold and $g'(u) = 1/(1 + \pi^2u^2)$:

# %%
shown = {}
with torch.no_grad(), potentials(model, shown.__setitem__):
    model(x)
u = shown["1"][:, 0, 2]  # neuron a3, first sample
near = ATan().derivative(u)

# %% tags=["hide-input"]
rows = [
    {
        "Step": t + 1,
        "Potential minus threshold, u": tables.format_number(float(u[t]), 3),
        "Fires": "yes" if u[t] >= 0 else "no",
        "g′(u)": f"{near[t]:.3f}",
    }
    for t in range(T)
]
tables.Table(pd.DataFrame(rows), f"Neuron a3 on the first sample. The mean of the last column is {near.mean():.3f}.")

# %% [markdown]
# The score of a neuron is that mean, averaged over all samples (Eq. 13). The probe does it for all neurons:

# %%
with torch.no_grad(), Criticality(model) as probe:
    model(x)
by_neuron = probe.scores()
by_weight = probe.of_weights(neurons_after(model, x), weights)
by_hand = ATan().derivative(shown["1"]).mean((0, 1))
assert torch.allclose(by_neuron["1"], by_hand)

# %% tags=["hide-input"]
by_letter = {"a": by_neuron["1"], "b": by_neuron["3"]}
listing = "; ".join(f"{letter}: " + ", ".join(f"{v:.2f}" for v in known) for letter, known in by_letter.items())
draw(
    Masks.ones(model),
    by_neuron,
    {},
    f"A network of four inputs, four neurons a, three neurons b and two outputs, all connected. Scores of {listing}.",
    f"Before: {total} weights, the wider the larger, and under each neuron its score, by which it is coloured.",
)

# %% [markdown]
# ## 2. The cut
#
# Half of the weights are due to go. First the smallest half of all layers goes. Then the method cuts further: a quarter
# of what is left in the layers that have neurons after them, by magnitude again (Eq. 11, 14). As many will come back.

# %%
sparsity, ratio = 0.5, 0.25
due = cut("magnitude", weights, torch.Generator(), sparsity)
scored = {name: weights[name] for name in by_weight}
living = sum(int(due[name].sum()) for name in scored)
n = round(ratio * living)
alive = {name: due[name] for name in scored}
kept = cut("magnitude", scored, torch.Generator(), n / living, alive)

# %% tags=["hide-input"]
draw(
    due,
    {},
    {},
    "The same network with half of its lines dotted.",
    f"The cut to {100 * sparsity:g} %: {count(due)} are left.",
)

# %% tags=["hide-input"]
after_cut = due | kept
draw(
    after_cut,
    {},
    {},
    "The same network, more lines dotted.",
    f"The further cut: {count(after_cut)} are left, dead ones dotted.",
)

# %% [markdown]
# ## 3. The return
#
# Of all dead weights those come back whose neuron has the highest score (Eq. 12). The weights of one neuron tie, and
# the largest of them come first.

# %%
dead = {name: ~mask for name, mask in kept.items()}
back = best(by_weight, scored, dead, n)
final = due | {name: kept[name] | back[name] for name in back}

# %% tags=["hide-input"]
NAMES = {FIRST: "a", SECOND: "b"}
rows = []
for name, letter in NAMES.items():
    for i, score in enumerate(by_neuron[{FIRST: "1", SECOND: "3"}[name]].tolist()):
        mine = [f"{w:g}".replace("-", "−") for w, there in zip(weights[name][i], dead[name][i], strict=True) if there]
        returned = [
            f"{w:g}".replace("-", "−") for w, there in zip(weights[name][i], back[name][i], strict=True) if there
        ]
        row = {"Neuron": f"{letter}{i + 1}", "Score": f"{score:.3f}", "Its dead weights": ", ".join(mine) or "none"}
        rows.append(row | {"Of these return": ", ".join(returned) or "none"})
frame = pd.DataFrame(rows).sort_values("Score", ascending=False)
tables.Table(frame, "The seven neurons by score. The values are those from before the cut; what returns starts at 0.")

# %% tags=["hide-input"]
returning = [f"{NAMES[name]}{i + 1}" for name in back for i, _ in back[name].nonzero().tolist()]
draw(
    final,
    by_neuron,
    back,
    f"The same network with {n} lines in colour, which lead to {', '.join(returning)}.",
    f"Regenerated: {n} weights are back, in colour, and {count(final)} are left.",
)

# %% [markdown]
# The weights that return are not the largest dead ones of the network. Those that lead to the outputs have no neuron
# after them and no score; they are cut as far as is due, and none returns there.
#
# ## The method itself does the same
#
# The steps above are lines 7 to 10 of Algorithm 1. This is the method of {doc}`../methods/criticality`, asked for one
# update in one training step:

# %%
fresh = network()
context = Context(fresh, Masks.ones(fresh), torch.Generator(), steps=1)
context.samples = lambda n: (x[:, :n], None)
settings = {"sparsity": sparsity, "regeneration": ratio}
method = create("criticality", **settings, updates=1, span=1.0)
method.start(context)
with torch.no_grad(), method.during_forward(context):
    context.model(x)
method.after_step(context)
for name, mask in final.items():
    assert torch.equal(context.masks[name], mask)
for name, mask in back.items():
    assert not context.weights[name][mask].any(), "what returns is 0"
print(f"the same {context.masks.alive} weights are left")
print(f"sparsity {context.masks.sparsity:g}, due {sparsity:g}")

# %% [markdown]
# ## Another score, other weights
#
# The public code for weights scores a neuron by the value of a surrogate instead of its derivative, and lets all
# weights that tie with the last one return. On the same network:

# %%
released = Criticality(model, surrogate=Released())
with torch.no_grad(), released:
    model(x)
neurons = neurons_after(model, x)
as_released = released.of_weights(neurons, weights)
inverted = {name: -score for name, score in by_weight.items()}
last = min(by_weight[name][m].min() for name, m in back.items() if m.any())
tied = {name: dead[name] & (by_weight[name] >= last) for name in back}
choices = {
    "Eq. 13, exact count": back,
    "Eq. 13, with all that tie": tied,
    "value, exact count": best(as_released, scored, dead, n),
    "inverted, exact count": best(inverted, scored, dead, n),
}

# %% tags=["hide-input"]
rows = []
for title, chosen in choices.items():
    where = {f"{NAMES[k]}{i + 1}": int(m) for k in chosen for i, m in enumerate(chosen[k].sum(1)) if m}
    left = count(after_cut) + sum(where.values())
    rows.append(
        {
            "Score and count": title,
            "Weights that return to": ", ".join(f"{count} to {neuron}" for neuron, count in where.items()),
            "Returned": sum(where.values()),
            "Sparsity after it": f"{1 - left / total:.3f}",
        }
    )
tables.Table(pd.DataFrame(rows), f"What returns, and the sparsity that it leaves; {sparsity:g} is due.")

# %% [markdown]
# With ties the network keeps more weights than are due. In a layer with thousands of weights for each channel, a tie is
# not an exception: whole channels come back together.
#
# ## Channels
#
# The second half of the paper's figure is the same for channels: they are cut by the size of the scale $\gamma$ of
# their batch norm, and those of the most critical neurons return (Algorithm 2). Six units, half of which are due to go,
# and $r = ⅓$:


# %%
class Slim(nn.Module):
    """Four inputs, six units with batch norm, two outputs."""

    def __init__(self):
        super().__init__()
        more = [[0.5, 0.2, -0.8, 0.3], [-0.2, 0.6, 0.9, -0.1]]
        self.layer = nn.Linear(4, 6, bias=False)
        self.norm, self.lif = nn.BatchNorm1d(6), LIF()
        self.out = nn.Linear(6, 2, bias=False)
        self.layer.weight.data = torch.tensor([*A, *more])
        gamma, beta = [1.8, 0.2, 0.9, 0.4, 1.3, 0.6], [0.6, 0.3, 1.4, 1.9, 0.2, 1.1]
        self.norm.weight.data = torch.tensor(gamma)
        self.norm.bias.data = torch.tensor(beta)

    def forward(self, x):
        normed = self.norm(self.layer(x).flatten(0, 1))
        return self.out(self.lif(normed.unflatten(0, x.shape[:2])))


channels, share, ratio = Slim(), 0.5, 1 / 3
with torch.no_grad():
    for _ in range(100):
        channels(x)  # running mean and variance settle
channels.eval()
with torch.no_grad(), Criticality(channels) as probe:
    channels(x)
score, gamma = probe.scores()["lif"], channels.norm.weight.detach().abs()
units = len(gamma)
go = round((share + ratio * (1 - share)) * units)
gone = gamma.argsort()[:go]  # the smallest scales
by_score = gone[score[gone].argsort(descending=True)]
regrown = by_score[: go - round(share * units)]

# %% tags=["hide-input"]
rows = []
for i in gamma.argsort(descending=True).tolist():
    state = "returns" if i in regrown else "cut" if i in gone else "stays"
    rows.append({"Unit": i + 1, "|γ|": f"{gamma[i]:.1f}", "Score": f"{score[i]:.3f}", "What happens": state})
tables.Table(
    pd.DataFrame(rows), "Six units by the size of their scale: four are cut, the most critical of them returns."
)

# %%
context = Context(channels, Masks.ones(channels), torch.Generator(), steps=2)
labels = torch.zeros(len(SAMPLES), dtype=torch.long)
context.samples = lambda n: (x[:, : n or None], labels[: n or None])
method = create("criticality_structured", channels=share, regeneration=ratio)
method.start(context)
method.after_step(context)
alive = context.masks["layer.weight"].any(1)
expected = torch.ones(units, dtype=torch.bool)
expected[gone] = False
expected[regrown] = True
assert torch.equal(alive, expected)
print("the method keeps the same units:", (alive.nonzero().flatten() + 1).tolist())

# %% [markdown]
# A toy shows what the method does, not whether it helps.
#
# ```{exercise}
# :label: ex-fig1-mean
# Which weights would return if the score of a neuron were its firing rate?
# ```
#
# ````{solution} ex-fig1-mean
# :class: dropdown
# Those of the neurons with the highest potentials, which is nearly the choice of the row *value* above: that score
# rises with the potential and goes on rising behind the threshold.
# ````
#
# Next: {doc}`settings`, the settings of the paper, of its public code and of this book.

# %% tags=["remove-input"]
page.box()
