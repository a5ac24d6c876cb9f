# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 12}
# ---

# %% [markdown]
# # Paper C, section 4.1: does a critical neuron carry more information?
#
# **Paper C prunes by a theory: a neuron whose potential is near its threshold has the output with the largest entropy,
# so it carries most information, and the surrogate's derivative measures it** {cite:p}`chen2023criticality`. The
# theory is ten equations. On a few neurons each of them is a sum with a handful of terms, so this page computes both
# sides. The algebra is right. The steps between the equations need assumptions that are not printed, and without them
# there are neurons for which the conclusion is wrong.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect
import itertools
import math

import numpy as np
import pandas as pd
import torch
from IPython.display import Code
from scipy.stats import kendalltau, spearmanr

from snnbook.pruning.parts.criticality_score import Released
from snnbook.report import plots, tables
from snnbook.report.claims import FAILS, HOLDS
from snnbook.report.entropy import entropy, independent, marginals, spike_entropy, total_correlation
from snnbook.report.page import Page
from snnbook.surrogates import ATan, Sigmoid, Tanh

page = Page("criticality/theory", globals())
SURROGATES = {"arctangent (Eq. 2)": ATan(), "sigmoid (Eq. 18)": Sigmoid(), "tanh (Eq. 17)": Tanh()}
LN2 = math.log(2)
statements = []


def check(statement, where, holds, number):
    """A row of the table at the foot of the page."""
    mark = tables.mark(HOLDS if holds else FAILS)
    row = {"Statement": statement, "Used in": where, "On this page": mark, "Number": number.replace("-", "−")}
    statements.append(row)


def values(function, u):
    """A surrogate's function of potentials as an array, in double precision."""
    return function(torch.as_tensor(np.asarray(u), dtype=torch.float64)).numpy()


# %% tags=["remove-input"]
page.opening("Eq. 3 to 10, on small random variables", paper="C")

# %% [markdown]
# ## One neuron
#
# In one time step a neuron fires with probability $p$ or does not. The entropy of its output is (Eq. 4)
#
# ```{math}
# :label: eq-theory-spike
# H(p) = -p\ln p - (1-p)\ln(1-p).
# ```
#
# These few functions are all that the page needs. The entropies are exact sums, in nats:

# %% tags=["hide-input"]
Code("\n\n".join(inspect.getsource(f) for f in (spike_entropy, entropy, total_correlation)), language="python")

# %%
p = np.linspace(0, 1, 1001)
H = spike_entropy(p)
top, bend = p[H.argmax()], np.diff(H, 2).max()
print(f"largest at p = {top:g}: {H.max():.6f} nats; ln 2 = {LN2:.6f}")

# %% tags=["hide-input"]
number = f"at p = {top:g}; second differences up to {bend:.0e}"
check("H(p) is concave and largest, ln 2, at p = 1/2", "Eq. 4", top == 0.5 and bend < 0, number)

# %% [markdown]
# ## From the probability to the potential
#
# The neurons of a network are deterministic: they fire where $u$, the potential minus the threshold, is not negative.
# The paper puts a probability $p(u)$ in place of the step, which rises from 0 to 1 and is ½ at the threshold. Two of
# its surrogates are such functions. If we take $p(u) = g(u)$, the score $g'$ has a closed form in $p$:
#
# ```{math}
# :label: eq-theory-score
# \text{arctangent: } g' = \sin^2(\pi p), \qquad \text{sigmoid: } g' = 4\,p\,(1-p).
# ```
#
# The second is four times the variance of the spike. Both are 1 at $p = ½$ and fall on both sides, as the entropy does.

# %%
u = np.linspace(-3, 3, 601)
of_p = {
    "arctangent (Eq. 2)": lambda p: np.sin(np.pi * p) ** 2,
    "sigmoid (Eq. 18)": lambda p: 4 * p * (1 - p),
}
for name, score in of_p.items():
    g, slope = (values(f, u) for f in (SURROGATES[name].value, SURROGATES[name].derivative))
    print(f"{name}: the two differ by at most {np.abs(slope - score(g)).max():.0e}")

# %% tags=["hide-input"]
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4))
near = u[np.abs(u) <= 1.5]
atan, logistic = SURROGATES["arctangent (Eq. 2)"], SURROGATES["sigmoid (Eq. 18)"]
ax.plot(p, H / LN2, label="entropy / ln 2", markevery=1000)
ax.plot(p, np.sin(np.pi * p) ** 2, label="g′, arctangent", markevery=1000)
ax.plot(p, 4 * p * (1 - p), label="g′, sigmoid", markevery=1000)
ax.set(xlabel="probability of a spike, p", title="in the probability", ylim=(0, 1.45))
bx.plot(near, spike_entropy(values(atan.value, near)) / LN2, label="entropy / ln 2, arctangent", markevery=300)
bx.plot(near, values(atan.derivative, near), label="g′, arctangent", markevery=300)
bx.plot(near, spike_entropy(values(logistic.value, near)) / LN2, label="entropy / ln 2, sigmoid", markevery=300)
bx.plot(near, values(logistic.derivative, near), label="g′, sigmoid", markevery=300)
bx.set(xlabel="potential minus threshold, u", title="in the potential", ylim=(0, 1.75))
for axes in (ax, bx):
    axes.legend(loc="upper center", ncol=1 if axes is ax else 2, fontsize=8)
plots.show(
    fig,
    alt="Left: the entropy and two scores as functions of the probability of a spike; all are 0 at 0 and 1, and 1 at "
    "one half. Right: the same as functions of the potential; all peak at the threshold, and the scores fall faster.",
    caption="The entropy of a spike and the score, both 1 at the threshold. They have the same maximum and the same "
    "order, not the same shape.",
)

# %% [markdown]
# All three surrogates of the paper have their steepest point at the threshold, so for the order of single potentials it
# does not matter which of them, or the entropy itself, is taken. Their heights differ, though: a score of the tanh is
# not comparable with one of the others. And the tanh of Eq. 17 is no probability, since it leaves [0, 1] where
# $|u| > ½$; there it has no entropy.

# %% tags=["hide-input"]
rows, peaks = [], {}
u = np.linspace(-3, 3, 601)
for name, surrogate in SURROGATES.items():
    g, slope = values(surrogate.value, u), values(surrogate.derivative, u)
    peaks[name] = (u[slope.argmax()], slope.max())
    same_order = ""
    if g.min() >= 0 and g.max() <= 1:
        above = u >= 0
        same_order = f"{kendalltau(slope[above], spike_entropy(g)[above]).statistic:g}"
    rows.append(
        {
            "Surrogate": name,
            "g′ is largest at u =": f"{peaks[name][0] + 0.0:g}",
            "Its height": f"{peaks[name][1]:.3f}",
            "g′ at u = 1": f"{slope[np.isclose(u, 1)][0]:.4f}",
            "g from": tables.format_number(g.min(), 3),
            "to": tables.format_number(g.max(), 3),
            "Kendall τ of g′ and entropy": same_order or "no entropy",
        }
    )
score = values(Released().derivative, u)
peaked = all(abs(at) < 1e-9 for at, _ in peaks.values())
heights = ", ".join(f"{h:.3f}" for _, h in peaks.values())
check("The derivative of each surrogate is largest at the threshold", "section 4.2 (1)", peaked, f"heights {heights}")
same = np.ptp([h for _, h in peaks.values()]) < 1e-3
check("All derivatives have one range of values", "section 4.2 (3)", same, f"largest values {heights}")
check(
    "The score of the public code for weights is largest at the threshold",
    "public code",
    u[score.argmax()] == 0,
    f"its value at u = 0 is {score[np.isclose(u, 0)][0]:.2f}, at u = {u[score.argmax()]:g} it is {score.max():.2f}",
)
tables.Table(pd.DataFrame(rows), "The three surrogates of the paper, and the order in which they put potentials u ≥ 0.")

# %% [markdown]
# ## What the step to the potential needs
#
# The paper goes on: since $H$ is concave in $p$, the entropy is the larger, the closer $u$ is to the threshold. On one
# side of the threshold that follows if $p(u)$ rises. *Across* it needs symmetry, $p(u) + p(-u) = 1$. The surrogates are
# symmetric. Models of noisy neurons need not be: with an escape rate that grows exponentially in $u$, a neuron fires
# within a step with the probability
#
# ```{math}
# :label: eq-theory-escape
# p(u) = 1 - 2^{-\exp(4u)}, \qquad p(0) = ½ .
# ```


# %%
def escape(u, slope=4.0):
    return 1 - 2.0 ** -np.exp(slope * np.asarray(u))


# %% tags=["hide-input"]
rows = []
for name, p_of in {"arctangent": lambda u: values(ATan().value, u), "escape rate": escape}.items():
    above, below = spike_entropy(p_of([0.3, -0.4]))
    rows.append({"p(u)": name, "H at u = 0.3": f"{above:.3f}", "H at u = −0.4": f"{below:.3f}"})
    rows[-1]["Closer, and more entropy"] = "yes" if above > below else "no"
tables.Table(pd.DataFrame(rows), "Two potentials, of which the first is closer to the threshold. Nats.")

# %% tags=["hide-input"]
check(
    "The closer the potential to the threshold, the larger the entropy, whatever rising p(u)",
    "section 4.1.1",
    above > below,
    f"escape rate: {above:.3f} nats at 0.3 above, {below:.3f} at 0.4 below; true if p(u) + p(−u) = 1",
)

# %% [markdown]
# ## Means over steps and samples
#
# The score is a mean of $g'$ over steps and samples (Eq. 13). Two functions can agree on the order of single potentials
# and not on that of means. Here are two neurons that are seen for two steps; the first is at the threshold once and far
# from it once, the second stays at a middle distance.

# %%
pair = {
    "at the threshold, then far": [0.0, -3.0],
    "always at a distance of 0.4": [0.4, -0.4],
}


def mean_score(u):
    return values(ATan().derivative, u).mean(-1)


def mean_entropy(u):
    return spike_entropy(values(ATan().value, u)).mean(-1)


# %% tags=["hide-input"]
rows = [
    {
        "Neuron": name,
        "u": ", ".join(f"{x:g}".replace("-", "−") for x in u),
        "mean g′": f"{mean_score(u):.3f}",
        "mean H": f"{mean_entropy(u):.3f}",
    }
    for name, u in pair.items()
]
tables.Table(pd.DataFrame(rows), "The mean score prefers the first neuron, the mean entropy the second.")

# %% [markdown]
# How often does that matter? Two thousand random neurons, each with a level and a spread of its own:

# %%
rng = np.random.default_rng(0)
level = rng.normal(-0.5, 1, (2000, 1))
spread = np.abs(rng.normal(0, 1, (2000, 1)))
rho = {}
for T in (1, 4, 16):
    u = level + spread * rng.normal(size=(2000, T))
    rho[T] = spearmanr(mean_score(u), mean_entropy(u)).statistic
    print(f"Spearman's rho of the two means, steps {T:2}: {rho[T]:.3f}")

# %% tags=["hide-input"]
check(
    "Mean score and mean entropy put neurons in the same order",
    "section 4.2",
    min(rho.values()) > 0.9999,
    f"ρ = {rho[1]:.3f} for one step, {rho[4]:.3f} for four, {rho[16]:.3f} for sixteen",
)

# %% [markdown]
# Not the same, but close: as a measure of this entropy the score is a good one. What this entropy says is the next
# question.
#
# ## Entropy of what?
#
# $H(p(u))$ is the entropy of the output *when the potential $u$ is known*. Whatever the input has done to the neuron is
# in $u$ already, so this entropy is that of the noise. Information about the input is what is left of the entropy of
# the output when the noise is taken off:
#
# ```{math}
# :label: eq-theory-information
# \underbrace{I(X;U)}_{\text{transmitted}} = \underbrace{H(X)}_{\text{output}} -
# \underbrace{H(X\,|\,U)}_{\text{noise}}, \qquad
# H(X\,|\,U) = \sum_u P(u)\,H\bigl(p(u)\bigr).
# ```
#
# Take a neuron whose potential is $+d$ for one half of the inputs and $-d$ for the other, with $p = g$, the arctangent.
# It fires half of the time, whatever $d$ is.

# %%
distances = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
scores, outputs, noises, transmitted = [], [], [], []
for d in distances:
    fires = values(ATan().value, [-d, d])
    joint = np.stack([1 - fires, fires], axis=1) / 2  # P(u, x)
    scores.append(mean_score([-d, d]))
    outputs.append(entropy(joint.sum(0)))
    noises.append(mean_entropy([-d, d]))
    transmitted.append(total_correlation(joint))
assert np.allclose(transmitted, np.subtract(outputs, noises))

# %% tags=["hide-input"]
columns = {"Score, mean g′": scores, "Output H(X)": outputs, "Noise H(X|U)": noises, "Transmitted I(X;U)": transmitted}
frame = pd.DataFrame({name: [f"{abs(x):.3f}" for x in column] for name, column in columns.items()})
frame.insert(0, "Distance d", [f"{d:g}" for d in distances])
tables.Table(frame, "A neuron at distance d from its threshold on either side. Nats.")

# %% tags=["hide-input"]
order = kendalltau(scores, transmitted).statistic
number = f"score {scores[0]:g}: {abs(transmitted[0]):.3f} nats; score {scores[-1]:.3f}: {transmitted[-1]:.3f} nats"
check("A neuron closer to its threshold transmits more", "section 4.1.1", order > 0, number)

# %% [markdown]
# The score and the transmitted information run in opposite directions: a neuron that always sits at its threshold
# throws a coin. If neurons do not throw coins, as in the networks that are pruned, $H(X|U)$ is 0, every row above with
# $d > 0$ transmits ln 2, and the distance says nothing at all. What does count then is how often the potential lies
# above the threshold. There the score can help, if neurons differ in their level and not in their spread:

# %%
spreads = {"0.25": 0.25, "1": 1.0, "4": 4.0}
levels = np.linspace(-4, 4, 81)
pattern = np.linspace(-1, 1, 201)  # potentials, evenly spread
score, output = {}, {}
for name, spread in spreads.items():
    u = levels[:, None] + spread * pattern
    score[name] = mean_score(u)
    output[name] = spike_entropy((u >= 0).mean(1))

# %% tags=["hide-input"]
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4))
for name in spreads:
    ax.plot(levels, score[name], label=f"± {name}", markevery=80)
    bx.plot(levels, output[name], label=f"± {name}", markevery=80)
ax.set(xlabel="level of the potential minus threshold", ylabel="mean g′", title="score")
bx.set(xlabel="level of the potential minus threshold", ylabel="H(X), nats", title="entropy of the output")
ax.legend(title="potentials within")
middle = len(levels) // 2
plots.show(
    fig,
    alt="Two panels over the level of the potential, with a line for each of three spreads. Left: the score peaks at "
    "the threshold, high for a small spread and low for a large one. Right: the entropy of the output peaks at the "
    "threshold at the same height for all three.",
    caption="Neurons without noise, whose potentials are spread evenly around a level. At one spread score and entropy "
    "have their peak together; between spreads the score goes by the spread.",
)
at_middle = ", ".join(f"{score[n][middle]:.2f}" for n in spreads)
together = all(score[n].argmax() == middle and np.isclose(output[n][middle], output[n].max()) for n in spreads)
number = "at the threshold, for each of three spreads"
check("At one spread of potentials score and output entropy peak together", "section 4.1.1", together, number)
check(
    "Equal scores for neurons with equal output entropy, in a global ranking",
    "section 4.2 (3)",
    np.ptp([score[n][middle] for n in spreads]) < 0.01,
    f"all at {output['1'][middle]:.3f} nats, scores {at_middle}",
)

# %% [markdown]
# In a global ranking the score therefore prefers channels whose potential moves little. After batch norm that is a
# matter of their scale $\gamma$.
#
# ## Several neurons
#
# For a layer the paper replaces the joint entropy $H(\mathbf X)$, which has too many terms, by the sum of the single
# ones. Eq. 6 to 10 turn the difference step by step into a divergence:
#
# ```{math}
# :label: eq-theory-gap
# \sum_i H(X_i) - H(\mathbf X) = \sum_{\mathbf x} p(\mathbf x)\ln\frac{p(\mathbf x)}{\prod_i p(X_i = x_i)}.
# ```
#
# Each line of the derivation as a loop over all states, written as it is printed:


# %%
def lines_6_to_10(joint):
    """Equation → its value, by brute force over all states of the neurons."""
    n, alone = range(joint.ndim), marginals(joint)
    states = list(itertools.product((0, 1), repeat=joint.ndim))

    def ln(p):
        return math.log(p) if p > 0 else 0.0

    whole = sum(joint[x] * ln(joint[x]) for x in states)
    line = {6: sum(entropy(part) for part in alone) - entropy(joint)}
    line[7] = line[8] = line[9] = whole
    for i in n:
        for a in (0, 1):
            line[7] -= alone[i][a] * ln(alone[i][a])
            for x in states:
                line[8] -= joint[x] * (x[i] == a) * ln(alone[i][a])
    for x in states:
        line[9] -= joint[x] * ln(math.prod(alone[i][x[i]] for i in n))
    line[10] = total_correlation(joint)
    return {f"Eq. {number}": value for number, value in line.items()}


# %% [markdown]
# Three neurons are enough for all that can happen. *Parity*: the third fires if exactly one of the other two does.

# %%
parity = np.zeros((2, 2, 2))
for a, b in itertools.product((0, 1), repeat=2):
    parity[a, b, a ^ b] = 0.25
copies = np.zeros((2, 2, 2))
copies[0, 0, 0] = copies[1, 1, 1] = 0.5
drawn = rng.exponential(size=(2, 2, 2))
cases = {
    "independent, p = 0.2": independent([np.array([0.8, 0.2])] * 3),
    "independent, p = 0.5": independent([np.array([0.5, 0.5])] * 3),
    "three copies, p = 0.5": copies,
    "parity": parity,
    "drawn at random": drawn / drawn.sum(),
}

# %% tags=["hide-input"]
rows, apart = [], 0.0
for name, joint in cases.items():
    by_line = lines_6_to_10(joint)
    apart = max(apart, np.ptp(list(by_line.values())))
    row = {"Neurons": name, "ΣH": f"{sum(map(entropy, marginals(joint))):.4f}", "Joint H": f"{entropy(joint):.4f}"}
    rows.append(row | {line: f"{abs(value) if abs(value) < 1e-12 else value:.4f}" for line, value in by_line.items()})
tables.Table(pd.DataFrame(rows), "The five printed lines for three neurons, in nats.")

# %% [markdown]
# And for a thousand random distributions of one to five neurons, a third of them with states that never occur:

# %%
gaps, at_product = [], []
for trial in range(1000):
    shape = (2,) * rng.integers(1, 6)
    joint = rng.exponential(size=shape)
    joint *= rng.random(shape) < (0.6 if trial % 3 == 0 else 1)
    joint.flat[0] += 0.1
    joint /= joint.sum()
    by_line = list(lines_6_to_10(joint).values())
    apart = max(apart, np.ptp(by_line))
    gaps.append(min(by_line))
    product = independent(marginals(joint))
    at_product.append(abs(total_correlation(product)))
print(f"the lines differ by at most {apart:.0e}")
print(f"smallest gap {min(gaps):.0e}, largest of a product {max(at_product):.0e}")

# %% tags=["hide-input"]
check("Eq. 6 to 10 are equal, line by line", "Eq. 6–10", apart < 1e-12, f"they differ by at most {apart:.0e}")
number = f"smallest gap of a thousand distributions {min(gaps):.0e}"
check("The sum of entropies is at least the joint entropy", "section 4.1.2", min(gaps) > -1e-12, number)
check(
    "The gap is 0 for independent neurons", "section 4.1.2", max(at_product) < 1e-12, f"at most {max(at_product):.0e}"
)

# %% [markdown]
# The derivation holds. Note *parity*: every pair of its neurons is independent, so all correlations are 0, and the gap
# is ln 2 all the same. Small correlations do not make Eq. 10 small.
#
# ## An upper bound is not an estimate
#
# The sum is never below the joint entropy, and it is largest with all $p_i = ½$. So is the joint entropy, *if the
# neurons are independent*. If they are not, more of the one can be less of the other. Compare two rows of the table:

# %% tags=["hide-input"]
rows, sums, joints = [], [], []
for name in ("independent, p = 0.2", "three copies, p = 0.5"):
    sums.append(sum(map(entropy, marginals(cases[name]))))
    joints.append(entropy(cases[name]))
    rows.append({"Neurons": name, "ΣH, the paper's estimate": f"{sums[-1]:.3f}", "Joint H": f"{joints[-1]:.3f}"})
check(
    "Neurons with a larger sum of entropies have a larger joint entropy",
    "section 4.1.2",
    joints[1] > joints[0],
    f"sum {sums[0]:.3f} and {sums[1]:.3f}, joint {joints[0]:.3f} and {joints[1]:.3f} nats",
)
tables.Table(pd.DataFrame(rows), "Three neurons that seldom fire, and three in a critical state. Nats.")

# %% [markdown]
# Neighbours in a feature map see nearly the same input through the same weights, so copies are the case to think of.
#
# ## What batch norm does, and what it does not
#
# The paper's reason why the sum may stand for the joint entropy is batch norm, which is to reduce the correlation
# between neurons. Batch norm subtracts a mean, divides by a standard deviation, multiplies by $\gamma$ and adds
# $\beta$, each channel by itself. Pearson's correlation changes under none of the four (a negative $\gamma$ turns its
# sign). Two channels with a common input, over all 64,000 states of a discrete distribution:

# %%
points = np.linspace(-3.9, 3.9, 40)
chance = np.exp(-(points**2) / 2) / np.exp(-(points**2) / 2).sum()  # a bell
states = np.array(list(itertools.product(points, repeat=3)))
weight = np.prod(list(itertools.product(chance, repeat=3)), axis=1)
common, own = states[:, :1], states[:, 1:]
raw = (0.8 * common + own) * [1.0, 5.0] + [-0.3, 2.0]


def normed(x):
    """Batch norm over the whole distribution, with a scale of 1 and a shift of 0."""
    centred = x - weight @ x
    return centred / np.sqrt(weight @ centred**2)


def correlation(x):
    return float(weight @ normed(x).prod(axis=1))


after = normed(raw) * [0.5, 2.0] + [0.1, -1.0]  # scales and shifts
print(f"correlation before batch norm {correlation(raw):.6f}")
print(f"correlation after batch norm  {correlation(after):.6f}")

# %% [markdown]
# What does change is where the threshold cuts the distribution, and so how much the *spikes* have in common. Below, the
# shift $\beta$ of both channels moves them from rarely firing to firing half of the time, which is the critical state.

# %%
shifts = (-1.0, -0.5, 0.0, 0.5, 1.0)
pairs = {}  # shift → joint distribution of the two spikes
for beta in shifts:
    fires = (normed(raw) + beta >= 1).astype(int)
    pairs[beta] = np.zeros((2, 2))
    np.add.at(pairs[beta], tuple(fires.T), weight)

# %% tags=["hide-input"]
rows, shares = [], {}
for beta, joint in pairs.items():
    total = sum(map(entropy, marginals(joint)))
    shares[beta] = 100 * total_correlation(joint) / total
    rows.append(
        {
            "β": f"{beta:g}".replace("-", "−"),
            "Fires with p": f"{marginals(joint)[0][1]:.3f}",
            "Correlation of potentials": f"{correlation(normed(raw) + beta):.3f}",
            "ΣH": f"{total:.3f}",
            "Gap, Eq. 10": f"{total_correlation(joint):.4f}",
            "Gap, % of ΣH": f"{shares[beta]:.1f}",
        }
    )
tables.Table(pd.DataFrame(rows), "Two channels after batch norm, threshold 1, scale 1, for five shifts. Nats.")

# %% tags=["hide-input"]
before_after = abs(correlation(raw) - correlation(after))
number = f"{correlation(raw):.3f} before, {correlation(after):.3f} after"
check("Batch norm reduces the correlation of potentials", "section 4.1.2", before_after > 1e-9, number)
rare, critical = shares[min(shifts)], shares[max(shifts)]
check(
    "It brings the neurons' joint distribution close to the product, towards p = 1/2",
    "section 4.1.2",
    critical < rare,
    f"at β = −1 the gap is {rare:.1f} % of ΣH, at β = 1, the critical state, {critical:.1f} %",
)

# %% [markdown]
# In this example the gap *grows* on the way to the critical state, in nats and as a share. What would reduce it is
# whitening, which batch norm is not: it takes a matrix over channels, where batch norm has a number for each.
#
# ## What holds, and what does not

# %% tags=["hide-input"]
tables.Table(pd.DataFrame(statements), "The steps of sections 4.1 and 4.2, as computed above.")

# %% [markdown]
# The claims of the table of claims that rest on it are of the sentences that do hold:

# %% tags=["hide-input"]
page.verdicts()

# %% [markdown]
# A theory with gaps can still lead to a method that works. Whether criticality chooses better weights than chance does,
# with the same counts in each layer, is a question for training.
#
# ```{exercise}
# :label: ex-theory-constant
# Give a neuron with the score 1, the largest that there is, which no input can reach.
# ```
#
# ````{solution} ex-theory-constant
# :class: dropdown
# A neuron whose weights were all cut, and whose batch norm shifts it by just the threshold, with $\tau = 1$, so that
# its potential is its input. Its output does not depend on any input, and Eq. 13 ranks it first.
# ````
#
# ```{exercise}
# :label: ex-theory-copies
# The gap of three copies with $p = ½$ is $2\ln 2$. What is that of $n$ copies, and what does it say of a feature map
# over a uniform background?
# ```
#
# ````{solution} ex-theory-copies
# :class: dropdown
# The sum is $n\ln 2$ and the joint entropy $\ln 2$: the gap is $(n-1)\ln 2$. Over a uniform background all positions of
# a channel have one potential, so the estimate is too large by a factor of the number of positions.
# ````
#
# Next: {doc}`fig1`, one step of pruning and regeneration with real scores.

# %% tags=["remove-input"]
page.box()
