# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 11}
# ---

# %% [markdown]
# # From events to frames
#
# **An event camera sends no pictures: each pixel reports, on its own and to the microsecond, that the light
# on it has changed.** A network that computes in time steps needs frames all the same, and the way in which
# the stream is cut decides what a time step means.
#
# On this page you will see
#
# - what one pixel of a dynamic vision sensor does, from scratch and from `snnbook`;
# - the events of a moving digit in space and time;
# - frames of equal event number against frames of equal duration: paper A's text says one, its equations say
#   the other;
# - that no event is lost or counted twice here, and which event a widely used tool leaves out;
# - the embedded data sets that this book trains on.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np

from snnbook import datasets
from snnbook.report import plots
from snnbook.report.page import Page

warnings.filterwarnings("ignore", message="IProgress")  # of tonic's progress bars
import tonic

page = Page("ideas/events_to_frames", globals())

plt.rcParams.update(plots.STYLE)
ON, OFF = "#c9650a", "#7a5bb5"  # as in the colour map of the frames

# %% [markdown]
# ## One pixel
#
# A pixel of a dynamic vision sensor (DVS) remembers the logarithm of the luminance $I$ at its last event.
# When $\log I$ has risen by the threshold $\theta$, it sends an ON event and moves its memory up by $\theta$;
# when it has fallen by $\theta$, an OFF event, and down. The logarithm makes it answer to contrast: a lamp
# that halves its light gives the same events in the sun and at dusk.


# %%
def pixel(luminance, threshold=0.2, dark=0.02):
    level = np.log(luminance + dark)
    memory, events = level[0], []
    for step in range(1, len(level)):
        n = int((level[step] - memory) / threshold)  # towards zero
        memory += n * threshold
        events += [(step, n > 0)] * abs(n)
    return events


# %% [markdown]
# `snnbook.datasets.simulate` does this for every pixel of a video. It also puts each event at the moment
# between two frames at which the level was crossed, and knows three imperfections of real sensors: thresholds
# that differ from pixel to pixel, a refractory period, and noise events. All three are off here.

# %%
steps = np.arange(97)
luminance = 0.3 + 0.25 * np.sin(steps / 9) * np.exp(-steps / 120)
mine = pixel(luminance)
rng = np.random.default_rng(0)
events = datasets.simulate(luminance[:, None, None], rng=rng)
print("from scratch:", "".join("+" if on else "-" for _, on in mine))
print("snnbook:     ", "".join("+" if on else "-" for on in events["p"]))
assert [on for _, on in mine] == events["p"].tolist()
assert [step for step, _ in mine] == np.ceil(events["t"] / 1000).tolist()

# %% tags=["hide-input"]
level = np.log(luminance + 0.02)
memory = level[0] + 0.2 * np.concatenate([[0], np.cumsum(np.where(events["p"], 1, -1))])
fig, ax = plt.subplots(figsize=(6.4, 3))
ax.plot(steps, level, "-", label="log luminance")
ax.step(
    np.concatenate([[0], events["t"] / 1000]),
    memory,
    where="post",
    color=plots.INK,
    linewidth=1,
    marker="",
    label="memory",
)
for on, marker, colour, name in ((True, "^", ON, "ON event"), (False, "v", OFF, "OFF event")):
    chosen = events["p"] == on
    ax.plot(events["t"][chosen] / 1000, memory[1:][chosen], marker, color=colour, label=name)
ax.set(xlabel="time, ms", ylabel="log luminance")
ax.legend(fontsize="small", ncols=2)
plots.show(
    fig,
    alt="A damped wave of log luminance, the pixel's staircase memory behind it, and events where it steps.",
    caption="One ideal pixel: it fires whenever the log luminance is a threshold away from its memory, and "
    "is silent while the light is steady, here around the extremes.",
)

# %% [markdown]
# ## A digit in front of the sensor
#
# Data sets such as CIFAR10-DVS were recorded from images that move in a closed loop in front of a real
# sensor. The embedded set `digits-dvs` does the same with one of scikit-learn's digits and the simulated
# sensor, imperfections on. Its events have the fields `x`, `y`, `t` (µs) and `p` (ON or OFF), sorted by time,
# as in `tonic`.

# %%
name, split, index = "digits-dvs", "validation", 8
video = datasets.video(name, split, index)
events = datasets.events(name, split, index)
lasting = (events["t"][-1] - events["t"][0]) / 1000
print(f"video {video.shape} → {len(events)} events in {lasting:.1f} ms")
print(f"share of ON events: {events['p'].mean():.2f}")
print(events[:3])

# %% tags=["hide-input"]
fig = plt.figure(figsize=(7, 4.6), layout="none")
for i, frame in enumerate((0, 24, 48, 72, 95)):
    ax = fig.add_axes((0.02 + 0.195 * i, 0.76, 0.18, 0.2))
    ax.imshow(video[frame], cmap="gray", vmin=video.min(), vmax=video.max())
    ax.set_title(f"{frame} ms", fontsize="small")
    ax.set_axis_off()
ax = fig.add_axes((0.0, 0.0, 1.0, 0.76), projection="3d")
for on, marker, colour, label in ((True, "^", ON, "ON"), (False, "v", OFF, "OFF")):
    e = events[events["p"] == on]
    ax.scatter(e["t"] / 1000, e["x"], 31 - e["y"], s=3, marker=marker, color=colour, label=label, linewidths=0)
ax.set(xlabel="time, ms", ylabel="x", zlabel="height", yticks=(0, 15, 31), zticks=(0, 15, 31))
ax.set_box_aspect((2.4, 1, 0.9), zoom=1.25)
ax.view_init(elev=20, azim=-68)
ax.legend(fontsize="small", markerscale=3)
plots.show(
    fig,
    alt="Above, five pictures of a moving digit; below, its events as a cloud in x, height and time.",
    caption="What the sensor sees, and what it sends: a cloud of events in which the outline of the digit "
    "winds through time. Scattered single events are noise.",
    format="png",
)

# %% [markdown]
# ## Cutting the stream
#
# Paper A makes $T$ frames from $N$ events (its Eqs. 2–4). Frame $j$ counts the events from $j_l$ to $j_r -
# 1$, for each polarity $p$ and pixel:
#
# ```{math}
# :label: eq-frames
# \begin{gathered}
# F(j, p, x, y) = \sum_{i=j_l}^{j_r-1} \mathcal{I}_{p,x,y}(p_i, x_i, y_i), \\
# j_l = \lfloor N/T \rfloor\, j, \qquad
# j_r = \begin{cases} \lfloor N/T \rfloor (j+1) & j < T-1 \\ N & j = T-1 \end{cases}
# \end{gathered}
# ```
#
# The sentence above these equations speaks of *fixed time intervals*. The equations cut at a fixed *number*
# of events. Both exist; `by="number"` is what the equations say, what the public code does, and the default
# here.


# %%
def frames_by_number(events, T, height, width):
    frames = np.zeros((T, 2, height, width))
    for i, e in enumerate(events):
        j = min(i // (len(events) // T), T - 1)
        frames[j, int(e["p"]), e["y"], e["x"]] += 1
    return frames


T, size = 10, (32, 32)
number = datasets.events_to_frames(events, T, size, by="number")
duration = datasets.events_to_frames(events, T, size, by="time")
assert np.array_equal(number, frames_by_number(events, T, *size))
for by, frames in (("number", number), ("time", duration)):
    print(f"by {by:7}", frames.sum((1, 2, 3)).int().tolist())

# %% tags=["hide-input"]
fig, axes = plt.subplots(2, T, figsize=(7, 1.9))
for row, (by, frames) in zip(axes, (("number", number), ("time", duration)), strict=True):
    difference = (frames[:, 1] - frames[:, 0]).numpy()
    limit = np.abs(difference).max()
    for j, ax in enumerate(row):
        ax.imshow(difference[j], cmap="PuOr_r", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{int(frames[j].sum())}", fontsize="x-small")
    row[0].set_ylabel(f"by {by}", fontsize="small")
plots.show(
    fig,
    alt="Two rows of ten frames of a moving digit, cut by event number above and by time below.",
    caption="The same events cut both ways; orange is ON, purple is OFF, above each frame its number of "
    "events. Cut by number, frames are equally full and last as long as that takes.",
    format="png",
)

# %% [markdown]
# What a time step means differs. By number, a step is a fixed amount of *change*: fast motion gets short
# frames, a pause gets none, and the input rate of the network is the same at every step. By time, a step is a
# fixed amount of *time*: the rate carries information, and a pause costs steps without input. It matters for
# paper A, whose time steps are to be pruned: how much the first half of the frames knows depends on where
# that half ends.

# %%
edges = np.append(np.arange(T) * (len(events) // T), len(events) - 1)
ms = np.diff(events["t"][edges]) / 1000
print(f"a frame of equal number lasts {ms.min():.1f} to {ms.max():.1f} ms")
full = duration.sum((1, 2, 3)).int()
print(f"a frame of equal duration has {full.min()} to {full.max()} events")

# %% [markdown]
# ## Every event once
#
# The frames are a partition: their sum is the number of events, whichever way they are cut, and for every
# pixel and polarity. `tonic`, whose arrays we use, cuts by time as well. Its bins are half open, so the last
# event of the stream, which lies on the last edge, falls out.

# %%
arrived = np.zeros((2, *size))
np.add.at(arrived, (events["p"].astype(int), events["y"], events["x"]), 1)
print("events:           ", len(events))
print("frames by number: ", int(number.sum()))
print("frames by time:   ", int(duration.sum()))
assert np.array_equal(number.sum(0), arrived)
assert np.array_equal(duration.sum(0), arrived)

to_frame = tonic.transforms.ToFrame(sensor_size=(32, 32, 2), n_time_bins=T)
theirs = to_frame(events)
missing = np.argwhere(arrived - theirs.sum(0))
print("tonic's time bins:", int(theirs.sum()))
print("missing there, p y x:", missing.tolist())
last = events[-1]
print("last event, p y x:   ", [int(last[f]) for f in ("p", "y", "x")])

# %% [markdown]
# One event in thousands is no matter for accuracy. It matters when counts are compared between tools, and it
# grows with the number of cuts: a stream that is first sliced into samples loses one event in each.
#
# ## The embedded sets
#
# Three sets are generated from the digits that come with scikit-learn, and from nothing, in seconds and
# without a network. They stand in for the papers' sets at laptop scale; the {doc}`data set page
# </reference/datasets>` has their recipes. `digits-clutter` is static. The two event sets are cut by number,
# and the counts of 2×2 neighbours are summed.

# %%
names = ("digits-clutter", "digits-dvs", "arms-dvs")
sets = {name: datasets.load(name, "validation") for name in names}
for name, data in sets.items():
    print(f"{name:15} {data.num_classes} classes, x {tuple(data.x.shape)}")

# %% tags=["hide-input"]
fig, axes = plt.subplots(2, 10, figsize=(7, 1.6))
clutter, dvs = sets["digits-clutter"], sets["digits-dvs"]
for label in range(10):
    axes[0, label].imshow(clutter.x[label, 0], cmap="gray")
    axes[1, label].imshow(dvs.x[label, 2, 1] - dvs.x[label, 2, 0], cmap="PuOr_r", vmin=-6, vmax=6)
    axes[0, label].set_title(int(clutter.y[label]), fontsize="small")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plots.show(
    fig,
    alt="Ten cluttered grey digits above, one event frame of each digit class below.",
    caption="One sample of each class: digits-clutter above, the third frame of digits-dvs below (orange is "
    "ON, purple is OFF).",
    format="png",
)

# %% tags=["hide-input"]
gestures, shown = sets["arms-dvs"], (0, 1, 3, 8)
fig, axes = plt.subplots(len(shown), 10, figsize=(7, 3.1))
for row, label in zip(axes, shown, strict=True):
    for j, ax in enumerate(row):
        frame = gestures.x[label, 2 * j]
        ax.imshow(frame[1] - frame[0], cmap="PuOr_r", vmin=-6, vmax=6)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(datasets.info("arms-dvs").classes[label].replace(" ", "\n", 1), fontsize="x-small")
plots.show(
    fig,
    alt="Four rows of ten event frames: hand clap, right hand wave, right arm clockwise, air drums.",
    caption="Every second frame of four samples of arms-dvs. A single frame tells little: the classes differ "
    "in how the arms move.",
    format="png",
)

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-frames-replicate
# **Replicate.** Seven events are cut into three frames by {eq}`eq-frames`. How many events are in each? And
# with two events in three frames? Check with `events_to_frames`.
# ```
#
# ````{solution} ex-frames-replicate
# :class: dropdown
# $\lfloor 7/3 \rfloor = 2$, so 2, 2 and 3: the last frame takes the remainder. For $N < T$ the floor is 0,
# and all events are in the last frame.
#
# ```python
# for n in (7, 2):
#     some = np.zeros(n, dtype=[("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "?")])
#     some["t"] = np.arange(n)
#     print(datasets.events_to_frames(some, 3, (1, 1)).sum((1, 2, 3)))
# ```
# ````
#
# ```{exercise}
# :label: ex-frames-break
# **Break it.** What should happen to a stream whose times are not sorted, or whose coordinates lie outside
# the sensor? Try both.
# ```
#
# ````{solution} ex-frames-break
# :class: dropdown
# Cut by number, an unsorted stream would give frames that mix times without any sign of it; a coordinate
# outside would be counted at another pixel or crash. Both are refused, with the first offender named.
#
# ```python
# datasets.events_to_frames(events[::-1], 10, (32, 32))
# datasets.events_to_frames(events, 10, (16, 16))
# ```
# ````
#
# ```{exercise}
# :label: ex-frames-pause
# Let the digit stand still for the second half of the recording. What do the frames look like, cut both ways,
# with and without noise events?
# ```
#
# ````{solution} ex-frames-pause
# :class: dropdown
# Without noise nothing is sent during the pause, and time is counted from the first to the last event: both
# cuts end with the motion. With noise, half of the frames by time hold little else than noise, while by
# number the whole pause is packed into the last frame or two.
#
# ```python
# still = np.concatenate([video, np.repeat(video[-1:], len(video), axis=0)])
# for noise in (0.0, 0.004):
#     stream = datasets.simulate(still, rng=np.random.default_rng(0), noise=noise)
#     for by in ("number", "time"):
#         print(noise, by, datasets.events_to_frames(stream, 10, (32, 32), by=by).sum((1, 2, 3)))
# ```
# ````
#
# ## Summary
#
# - A pixel fires when the log luminance has moved by a threshold: events are changes of contrast.
# - Frames by number make a time step an amount of change, frames by time an amount of time; paper A says both
#   and computes the first.
# - Frames partition the events. A tool that leaves one out is easy to catch, by adding up.
#
# Next: {doc}`sops` counts what happens to these spikes in a network; {doc}`../methods/decision_step` asks how
# many of the frames are needed.

# %% tags=["remove-input"]
page.box()
