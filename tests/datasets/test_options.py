"""Options have one form, a type and a range; their defaults are part of what a record stands for."""

import numpy as np
import pytest

from snnbook import datasets
from snnbook.errors import UserError

EVENTS = {"by": "number", "size": 128, "mix": False, "validation": 0.1}

OWN = {"test": 0.2, "validation": 0.1, "seed": 0}

# A changed default is another data set: every trial on it gets another name.
DEFAULTS = {
    "digits-clutter": {},
    "digits-100": {},
    "digits-dvs": {},
    "arms-dvs": {},
    "cifar10": {"validation": 0.1, "cutout": 0},
    "cifar100": {"validation": 0.1, "cutout": 0},
    "tiny_imagenet": {"validation": 0.1},
    "imagenet": {"validation": 0.1},
    "dvs128_gesture": EVENTS,
    "cifar10_dvs": EVENTS,
    "images": {**OWN, "size": None, "colour": "found", "augment": "crop-mirror"},
    "events": {
        **OWN,
        "by": "number",
        "size": None,
        "mix": False,
        "sensor": None,
        "time_unit": "found",
        "polarity": None,
        "columns": "named",
        "sort": False,
    },
}
STEPS = {"digits-dvs": 10, "arms-dvs": 20, "dvs128_gesture": 20, "cifar10_dvs": 10, "events": 10}
PLAYS = {
    "CIFAR10": {"digits-clutter", "cifar10"},
    "CIFAR100": {"digits-100", "cifar100"},
    "CIFAR10-DVS": {"digits-dvs", "cifar10_dvs"},
    "DVS128-Gesture": {"arms-dvs", "dvs128_gesture"},
    "Tiny-ImageNet": {"tiny_imagenet"},
    "ImageNet": {"imagenet"},
}


def test_the_defaults():
    assert {name: datasets.settings(name) for name in datasets.available()} == DEFAULTS
    options = {name: datasets.info(name).options for name in datasets.available()}
    assert {name: o["T"].default for name, o in options.items() if "T" in o} == STEPS


def test_a_set_says_whose_part_it_plays():
    assert {role: {n for n in DEFAULTS if datasets.info(n).plays == role} for role in PLAYS} == PLAYS
    for role in list(PLAYS)[:4]:
        sets = [datasets.info(n) for n in PLAYS[role]]
        assert len({(s.static, s.num_classes) for s in sets}) == 1
        assert [s.on_disk for s in sets].count(True) == 1


def test_what_is_given_takes_one_form():
    chosen = datasets.settings("cifar10_dvs", size=np.int64(48), validation=0, mix="nda")
    assert chosen == {"by": "number", "size": 48, "mix": "nda", "validation": 0.0}
    assert [type(v) for v in chosen.values()] == [str, int, str, float]


@pytest.mark.parametrize(
    ("name", "kw", "message"),
    [
        ("cifar10_dvs", {"sise": 48}, "unknown option of data set cifar10_dvs 'sise'; did you mean size"),
        ("cifar10_dvs", {"root": "."}, "unknown option of data set cifar10_dvs 'root'"),
        ("cifar10_dvs", {"T": 4}, "unknown option of data set cifar10_dvs 'T'"),
        ("digits-dvs", {"size": 48}, "data set digits-dvs has no option 'size', nor any other"),
        ("cifar10_dvs", {"size": 48.0}, "size is the side of the frames in px, a whole number from 1 to 128; got 48.0"),
        ("cifar10_dvs", {"size": 0}, "a whole number from 1 to 128; got 0"),
        ("cifar10_dvs", {"size": True}, "a whole number from 1 to 128; got True"),
        ("cifar10_dvs", {"by": "numbers"}, "unknown value of by 'numbers'; did you mean number"),
        ("cifar10_dvs", {"mix": "nada"}, "unknown value of mix 'nada'; did you mean nda"),
        ("cifar10_dvs", {"mix": 1}, "unknown value of mix '1'; known: False, True, nda"),
        ("cifar10_dvs", {"mix": []}, "unknown value of mix"),
        ("images", {"size": 0}, "size is the side of the pictures in px, a whole number from 1 to 4096; got 0"),
        ("images", {"test": 1.0}, r"test is the share of each class that is for testing .* in \[0, 1\); got 1\.0"),
        ("images", {"seed": -1}, "seed is the seed of the split, a whole number from 0 to 4294967295; got -1"),
        ("images", {"colour": "gray"}, "unknown value of colour 'gray'; did you mean grey"),
        ("events", {"sensor": [128]}, "sensor is the height and width of the sensor in px, two whole numbers"),
        ("cifar10", {"cutout": 33}, "cutout is the side in px .*, a whole number from 0 to 32; got 33"),
        ("cifar10", {"validation": 1}, r"in \[0, 1\); got 1"),
        ("cifar10", {"validation": -0.1}, r"in \[0, 1\); got -0.1"),
        ("cifar10", {"validation": float("nan")}, r"in \[0, 1\); got nan"),
        ("cifar10", {"validation": "0.1"}, r"in \[0, 1\); got '0.1'"),
    ],
)
def test_what_does_not_fit_is_refused(name, kw, message):
    with pytest.raises(UserError, match=message):
        datasets.settings(name, **kw)


@pytest.mark.parametrize(
    ("kw", "message"),
    [
        ({"T": 0}, "T is the number of time steps"),
        ({"T": 2.0}, "T is the number of time steps"),
        ({"cache": "no"}, "cache is true or false; got 'no'"),
        ({"download": 1}, "download is true or false; got 1"),
        ({"root": 3}, "root is the folder that holds the data sets; got 3"),
        ({"size": 129}, "a whole number from 1 to 128; got 129"),
    ],
)
def test_loading_refuses_it_as_well(tmp_path, kw, message):
    with pytest.raises(UserError, match=message):
        datasets.load("cifar10_dvs", "train", **{"root": tmp_path, **kw})
