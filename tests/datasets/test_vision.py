"""The image sets, read from small files in the real formats; torchvision is imported in one place."""

import re
from dataclasses import replace
from pathlib import Path

import fake_data
import pytest
import torch
from PIL import Image

import snnbook
from snnbook import datasets
from snnbook.datasets import augmentation, class_folders, pictures, vision
from snnbook.errors import UserError


def test_only_one_module_imports_torchvision():
    root = Path(snnbook.__file__).parent
    users = [
        p
        for p in root.rglob("*.py")
        if re.search(r"^\s*(import|from) torchvision|\"torchvision\"", p.read_text(), re.M)
    ]
    assert [p.name for p in users] == ["vision.py"]


def test_torchvision_can_be_imported_beside_this_torch():
    assert vision.import_torchvision() is vision.import_torchvision()
    assert vision.import_torchvision().transforms.ToTensor()


@pytest.mark.parametrize(("name", "classes", "sizes"), [("cifar10", 10, (30, 10, 20)), ("cifar100", 100, (100,) * 3)])
def test_cifar(name, classes, sizes, tmp_path, monkeypatch):
    base = "cifar-10-batches-py" if name == "cifar10" else "cifar-100-python"
    with pytest.raises(UserError, match=rf"{name} is not in .*{base} with .*download=True"):
        datasets.load(name, "train", root=tmp_path)
    getattr(fake_data, name)(tmp_path)
    with pytest.raises(UserError, match="is damaged"):
        datasets.load(name, "train", root=tmp_path)
    fake_data.trusted(monkeypatch, tmp_path)

    train, validation, test = (datasets.load(name, s, root=tmp_path) for s in ("train", "validation", "test"))
    assert (len(train), len(validation), len(test)) == sizes
    assert (train.num_classes, train.static) == (classes, True)
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in vision._COLOURS[name])
    numbers = []
    for data in (train, validation):
        for x, y in (data[i] for i in range(len(data))):
            grey = (x * std + mean) * 255
            assert x.shape == (3, 32, 32)
            assert grey.std() < 1e-3
            numbers.append(round(grey.mean().item()))
            assert numbers[-1] % classes == y
    assert sorted(numbers) == list(range(sizes[0] + sizes[1]))
    assert len(datasets.load(name, "train", root=tmp_path, validation=0)) == sizes[0] + sizes[1]
    with pytest.raises(UserError, match=r"no validation samples with validation=0\.0"):
        datasets.load(name, "validation", root=tmp_path, validation=0)

    x = torch.stack([train[i][0] for i in range(8)])
    cut = datasets.load(name, "train", root=tmp_path, cutout=16)
    for data in (train, cut):
        once, again = (data.augment(x, torch.Generator().manual_seed(2)) for _ in range(2))
        assert once.shape == x.shape
        assert torch.equal(once, again)
        assert not torch.equal(once, x)
    with pytest.raises(IndexError):
        train[len(train)]


def test_cifar_is_what_torchvision_makes_of_it(tmp_path, monkeypatch):
    fake_data.trusted(monkeypatch, fake_data.cifar10(tmp_path))
    torchvision = vision.import_torchvision()
    kinds = [torchvision.transforms.ToTensor(), torchvision.transforms.Normalize(*vision._COLOURS["cifar10"])]
    theirs = torchvision.datasets.CIFAR10(tmp_path, train=False, transform=torchvision.transforms.Compose(kinds))
    ours = datasets.load("cifar10", "test", root=tmp_path)
    assert all(torch.equal(ours[i][0], theirs[i][0]) and ours[i][1] == theirs[i][1] for i in range(20))


def test_cifar10_is_read_from_pictures_as_well(tmp_path, monkeypatch):
    """The archive's pictures, saved one by one without loss, give the same samples."""
    fake_data.trusted(monkeypatch, fake_data.cifar10(tmp_path / "archive"))
    archive = datasets.load("cifar10", "test", root=tmp_path / "archive")
    with pytest.raises(
        UserError, match=r"cifar10 is not in .*, or pictures in train/<class> and test/<class>, or give"
    ):
        datasets.load("cifar10", "test", root=tmp_path)
    root, order = tmp_path / "pictures", archive.y.sort(stable=True)[1]
    for i, pixels in zip(order.tolist(), archive._pictures[order].transpose(0, 2, 3, 1), strict=True):
        for part in ("train", "test"):
            folder = root / part / vision.CIFAR10_CLASSES[int(archive.y[i])]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{i:02}.png")
    data = datasets.load("cifar10", "test", root=root)
    assert data.fingerprint == datasets.fingerprint("cifar10", root=root) != archive.fingerprint
    assert torch.equal(data.y, archive.y[order])
    assert all(torch.equal(data[k][0], archive[i][0]) for k, i in enumerate(order.tolist()))
    assert [len(datasets.load("cifar10", split, root=root)) for split in ("train", "validation")] == [10, 10]
    known = class_folders.find("cifar10", root, pictures.SUFFIXES).content
    with monkeypatch.context() as patch:  # records of it are found where the pictures are not
        patch.setitem(vision.SETS, "cifar10", replace(datasets.info("cifar10"), content=known))
        assert datasets.fingerprint("cifar10") == data.fingerprint
    Image.new("L", (32, 32)).save(root / "test" / "frog" / "06.png")
    with pytest.raises(UserError, match=r"test/frog/06\.png is grey, expected in colour$"):
        datasets.load("cifar10", "train", root=root)
    for part in ("train", "test"):
        (root / part / "frog").rename(root / part / "toad")
    with pytest.raises(UserError, match=r"train has no class frog, and CIFAR-10 has one: expected airplane, "):
        datasets.load("cifar10", "train", root=root)


@pytest.mark.supports(
    "Recordings",
    "damaged files of CIFAR",
    "refused",
    says="…data_batch_3 is damaged: 0 bytes that are not the published ones",
)
def test_cifar_files_that_are_damaged_are_named(tmp_path, monkeypatch):
    fake_data.trusted(monkeypatch, fake_data.cifar10(tmp_path))
    folder = tmp_path / "cifar-10-batches-py"
    for name in ("data_batch_3", "test_batch", "batches.meta"):
        whole = (folder / name).read_bytes()
        for n in (0, 40, len(whole) - 1):
            (folder / name).write_bytes(whole[:n])
            with pytest.raises(
                UserError, match=rf"{name} is damaged: {n:,} bytes that are not the published ones"
            ) as err:
                datasets.load("cifar10", "train", root=tmp_path)
            assert "\n" not in str(err.value)
        (folder / name).unlink()
        with pytest.raises(UserError, match=rf"{name} cannot be read: No such file"):
            datasets.load("cifar10", "train", root=tmp_path)
        (folder / name).write_bytes(whole)
    assert len(datasets.load("cifar10", "train", root=tmp_path)) == 30


@pytest.mark.supports(
    "Recordings", "pictures that are cut short", "refused", says="…val_0.JPEG cannot be read as a picture: "
)
@pytest.mark.supports(
    "Recordings", "pictures of another size", "refused", says="…val_0.JPEG has 64x32 px, expected 64x64"
)
def test_pictures_that_are_cut_short_or_of_another_size_are_named(tmp_path):
    data = datasets.load("tiny_imagenet", "test", root=fake_data.tiny_imagenet(tmp_path))
    file = tmp_path / "tiny-imagenet-200" / "val" / "images" / "val_0.JPEG"
    whole = file.read_bytes()
    for n in (0, 1, *range(2, len(whole), 31), len(whole) - 1):
        file.write_bytes(whole[:n])
        with pytest.raises(UserError, match=r"val_0\.JPEG cannot be read as a picture: .+ get it anew") as err:
            data[0]
        assert "\n" not in str(err.value)
    Image.new("RGB", (32, 64)).save(file)
    with pytest.raises(UserError, match=r"val_0\.JPEG has 64x32 px, expected 64x64"):
        data[0]
    file.unlink()
    with pytest.raises(UserError, match=r"val_0\.JPEG cannot be read as a picture: .*No such file"):
        data[0]


def test_a_list_of_classes_that_is_cut_short_is_named(tmp_path):
    file = fake_data.tiny_imagenet(tmp_path) / "tiny-imagenet-200" / "val" / "val_annotations.txt"
    whole = file.read_text()
    for n in range(0, len(whole) - len("\t0\t32\t44\t62\n"), 5):
        file.write_text(whole[:n])
        with pytest.raises(
            UserError, match=r"val_annotations\.txt(, line \d+: expected| has \d+ images and .* 12)"
        ) as err:
            datasets.load("tiny_imagenet", "test", root=tmp_path)
        assert "\n" not in str(err.value)


def test_cutout_covers_with_black_before_the_pictures_are_normalised():
    """A 16 px square, as in paper A; white pictures, so that everything black is cut out or came in at the border."""
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in vision._COLOURS["cifar10"])
    white, black = (1 - mean) / std, -mean / std
    changed = augmentation.crop_and_flip(white.expand(20, 3, 32, 32), torch.Generator().manual_seed(0), black, 16)
    is_black = (changed == black).all(1)
    assert torch.equal(is_black | (changed == white).all(1), torch.ones(20, 32, 32, dtype=torch.bool))
    inside = is_black[:, 4:28, 4:28].sum((1, 2))  # beyond what cropping moves
    assert inside.max() == 16 * 16
    assert (inside >= 4 * 4).all()


def test_tiny_imagenet(tmp_path):
    with pytest.raises(UserError, match=r"expected .*tiny-imagenet-200 with train/<class>/images"):
        datasets.load("tiny_imagenet", "train", root=tmp_path)
    fake_data.tiny_imagenet(tmp_path)
    for split, n in (("train", 200), ("validation", 200), ("test", 12)):
        data = datasets.load("tiny_imagenet", split, root=tmp_path)
        assert len(data) == n
        assert (data.num_classes, data[0][0].shape) == (200, (3, 64, 64))
        for x, y in (data[i] for i in (0, 3, 11)):
            assert x.mean(dim=(1, 2))[0].item() * 0.229 + 0.485 == pytest.approx(y.item() / 255, abs=0.01)
    (tmp_path / "tiny-imagenet-200" / "val" / "val_annotations.txt").unlink()
    with pytest.raises(UserError, match=r"expected .*val_annotations.txt"):
        datasets.load("tiny_imagenet", "test", root=tmp_path)


def test_imagenet(tmp_path):
    with pytest.raises(UserError, match=r"imagenet is not in .*: expected .* with train/<class>/\*.JPEG and val"):
        datasets.load("imagenet", "test", root=tmp_path)
    fake_data.imagenet(tmp_path, classes=3, part="train")
    with pytest.raises(UserError, match=r"imagenet has 1000 classes, but .* has 3 folders"):
        datasets.load("imagenet", "train", root=tmp_path)
    data = datasets.load("imagenet", "test", root=fake_data.imagenet(tmp_path))
    assert len(data) == 1000
    x, y = data[2]
    assert (x.shape, y.item()) == ((3, 224, 224), 2)
    batch = torch.stack([data[i][0] for i in range(3)])
    once, again = (data.augment(batch, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(once, again)
    assert torch.allclose(once.mean((2, 3)), batch.mean((2, 3)), atol=0.05)
