"""Folders of classes: where files lie decides their class and their part, a seed the rest; what is amiss is named."""

import os
from contextlib import contextmanager

import numpy as np
import pytest

from snnbook import datasets
from snnbook.datasets import class_folders
from snnbook.errors import UserError

SETTINGS = {"validation": 0.25, "test": 0.5, "seed": 0}


def lay(root, *folders, n=8):
    """`n` empty files in each folder."""
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for i in range(n):
            (root / folder / f"{i}.jpg").touch()
    return root


def find(root):
    return class_folders.find("images", root, (".jpg", ".png"))


def files(folders, split, **settings):
    return [folders.files[i] for i in folders.split(split, SETTINGS | settings)]


def test_folders_of_parts(tmp_path):
    """Other files, hidden ones and the folders' capitals do not matter."""
    lay(tmp_path, "Train/b", "Train/a", "test/a", "test/b")
    for file in ("Train/a/notes.txt", "Train/a/._0.jpg", "test/b/Z.JPG", "about.md"):
        (tmp_path / file).touch()
    folders = find(tmp_path)
    assert folders.classes == ("a", "b")
    assert [folders.classes[i] for i in folders.labels] == [file.split("/")[1] for file in folders.files]
    train, validation, test = (files(folders, split) for split in ("train", "validation", "test"))
    assert test == sorted(file for file in folders.files if file.startswith("test"))
    assert test[-1] == "test/b/Z.JPG"
    assert sorted(train + validation) == [f"Train/{c}/{i}.jpg" for c in "ab" for i in range(8)]
    assert [file.split("/")[1] for file in validation] == ["a", "a", "b", "b"]
    assert files(folders, "train", test=0.9) == train
    assert files(folders, "train", seed=1) != train
    assert len(files(folders, "train", validation=0.0)) == 16
    with pytest.raises(UserError, match=r"images has no validation samples in .* with validation=0\.0$"):
        files(folders, "validation", validation=0.0)
    lay(tmp_path, "val/a", "val/b", n=1)
    folders = find(tmp_path)
    assert files(folders, "validation", validation=0.0) == ["val/a/0.jpg", "val/b/0.jpg"]
    assert len(files(folders, "train")) == 16


def test_one_folder_of_classes_is_split_by_a_seed(tmp_path):
    folders = find(lay(tmp_path, "a", "b"))
    parts = {split: set(files(folders, split)) for split in ("train", "validation", "test")}
    assert set.union(*parts.values()) == set(folders.files)
    assert {split: len(part) for split, part in parts.items()} == {"train": 6, "validation": 2, "test": 8}
    for split, part in parts.items():
        assert [file[0] for file in sorted(part)] == sorted("ab" * (len(part) // 2))
        assert files(find(tmp_path), split) == sorted(part)
        assert set(files(folders, split, seed=3)) != part
    with pytest.raises(UserError, match=r"no test samples in .* with validation=0\.25 and test=0\.0"):
        files(folders, "test", test=0.0)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("train/a", "test/a", "test/b"), r"has the class b in test and not in train: both need the same classes"),
        (("train/a", "train/b", "test/a"), r"has the class b in train and not in test: both need the same classes"),
        (("train/a",), r"has the parts train: expected train and test, or classes alone"),
        (("train", "test"), r"images is not in .*/train: expected a folder for each class"),
        ((), r"images is not in .*: expected a folder for each class"),
    ],
)
def test_parts_and_classes_that_do_not_fit_are_named(folders, message, tmp_path):
    with pytest.raises(UserError, match=message):
        find(lay(tmp_path, *folders))


@pytest.mark.supports(
    "Recordings", "a class without files", "refused", says="…/test/b, a class of images, has no files that end in .jpg"
)
def test_an_empty_class_is_named(tmp_path):
    lay(tmp_path, "train/a", "train/b", "test/a")
    lay(tmp_path, "test/b", n=0)
    with pytest.raises(UserError, match=r"/test/b, a class of images, has no files that end in \.jpg, \.png"):
        find(tmp_path)


@contextmanager
def forbidden(folder):
    """While this is open, a folder may not be read; nothing is forbidden to root, who is nobody for so long."""
    user = os.geteuid()
    folder.chmod(0)
    try:
        if user == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


@pytest.mark.supports(
    "Recordings", "folders that may not be read", "refused", says="images cannot be read: Permission denied: "
)
def test_a_folder_without_rights_is_named(tmp_path):
    lay(tmp_path, "train/a", "test/a")
    with (
        forbidden(tmp_path / "test" / "a"),
        pytest.raises(UserError, match=rf"images cannot be read: Permission denied: {tmp_path}"),
    ):
        find(tmp_path)
    for name in filter(lambda name: datasets.info(name).on_disk, datasets.available()):
        with (
            forbidden(tmp_path),
            pytest.raises(UserError, match=rf"{name} cannot be read: Permission denied: {tmp_path}"),
        ):
            datasets.load(name, "test", root=tmp_path)
    with pytest.raises(UserError, match=r"images cannot be read: No such file or directory: .*nowhere"):
        find(tmp_path / "nowhere")


def test_the_content_is_that_of_all_files_wherever_they_lie(tmp_path):
    here, there = (lay(tmp_path / name, "train/a", "test/a") for name in ("here", "there"))
    known = [find(here).content]
    assert find(there).content == known[0]
    for i in range(8):
        (there / "train" / "a" / f"{i}.jpg").write_bytes(b"x")
        known.append(find(there).content)
    os.rename(there / "test" / "a", there / "test" / "b")
    os.rename(there / "train" / "a", there / "train" / "b")
    known.append(find(there).content)
    assert len(set(known)) == len(known)
    assert np.array_equal(find(here).labels, np.zeros(16))
