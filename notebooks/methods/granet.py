# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # GraNet: gradual pruning with neuroregeneration
#
# **Gradual magnitude pruning, with a repair after every cut: a share of each layer's smallest weights gives way to
# as many that the gradient asks for. It costs nothing extra, and it is the comparison to which paper C puts its own
# regeneration** {cite:p}`liu2021granet`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

import numpy as np

from snnbook import experiments
from snnbook.pruning import schedules
from snnbook.pruning.methods import granet
from snnbook.pruning.parts import drop_and_grow
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/granet", globals())

# %% [markdown]
# ## Idea
#
# A network recovers from pruning the better the earlier it happens; the paper calls that plasticity. GraNet helps
# it along. After each cut it drops yet more weights and regrows that many by gradient, so that a weight cut by
# mistake can come back. It can start dense or, cheaper, sparse already (`initial`).
#
# ## Equations
#
# Cut $k$ of $K$ brings the network, all layers ranked together by magnitude, from the initial sparsity $s_i$ to
#
# ```{math}
# :label: eq-granet-sparsity
# s_k = s_i + (s_f - s_i)\Bigl(1 - \bigl(1 - \tfrac{k}{K}\bigr)^3\Bigr).
# ```
#
# Then each layer exchanges a share of its weights that falls along a cosine over the whole training of $T$ steps,
#
# ```{math}
# :label: eq-granet-share
# f(t) = f_T + \frac{f_0 - f_T}{2}\Bigl(1 + \cos\frac{\pi t}{T}\Bigr), \qquad f_0 = 0.5,\ f_T = 0.005:
# ```
#
# the smallest go, and as many with the largest gradients come.
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | dense start, or ERK at $s_i$ | `start` |
# | every $\Delta T$ steps: cut all layers together to {eq}`eq-granet-sparsity` | `after_step` |
# | drop and regrow {eq}`eq-granet-share` in each layer | `after_step`, by `regrow` |
# | after the last cut: go on dropping and regrowing | `after_step` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(granet.GraNet), language="python"))

# %% [markdown]
# The step that the sparse training methods share, from the same package:

# %% tags=["hide-input"]
display(Code(inspect.getsource(drop_and_grow.regrow), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    epochs=2, train_size=SAMPLES, batch_size=20,
    method="granet", settings={"sparsity": 0.9, "updates": 8},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
K, s_i, s_f = 8, 0.5, 0.9
due = s_i + (s_f - s_i) * np.array([schedules.cubic(k / K) for k in range(K + 1)])
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
ax.plot(range(K + 1), 100 * (1 - due), label="asked for")
ax.plot([K], [100 - record.metrics["sparsity"]], label="the run above", linestyle="none")
ax.set(xlabel="cut", ylabel="weights left, %", yscale="log")
ax.legend()
grown = record.log["grown"]
bx.bar(range(1, len(grown) + 1), grown, color=plots.PALETTE[0])
bx.set(xlabel="exchange", ylabel="weights that came alive")
plots.show(
    fig,
    alt="Left: weights left after each cut, falling on a cubic to the target, where the run ends. "
    "Right: bars of the number of weights that came alive at each exchange, falling.",
    caption="Left: the schedule, and where it ends. Right: how many weights that were dead came alive.",
    records=[record],
)

# %% [markdown]
# The exchanges outnumber the cuts: they go on to the end of the training, and shrink.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "granet")

# %% [markdown]
# Compare it with the rows of the other methods at the same share of weights; the same weights can be different
# numbers of connections and operations, which have columns of their own.
#
# ## Deviations
#
# - The public code makes its last cut at $k = K - 1$ and so misses $s_f$ by $K^{-3}$ of the range. The larger $K$,
#   the less that matters; here cut $K$ is made, and the count is exact.
# - Its threshold keeps only what is strictly larger, one weight less than asked for (more with ties). With that put
#   right, our masks equal those of the public code, trained beside it, to the last weight until its last cut.
# - As in that code, weights dropped for the exchange may grow again with their values, the number to drop is
#   rounded up, and exchanges continue after the last cut. After the last step of the training there is none.
# - The momentum of revived weights restarts at zero; in that code it is zero because it is cleared for dead weights at
#   every step (of SGD only).
# - The densities of a sparse start are exact counts here, not probabilities.

# %% tags=["remove-input"]
page.box()
