"""Every format gives back the events that were written to it, and names the file where it cannot."""

import shutil

import fake_data
import fake_recordings as write
import h5py
import numpy as np
import pytest

from snnbook.datasets import read_events
from snnbook.datasets.event_files import SUFFIXES, Stated
from snnbook.errors import UserError

SIZE = (20, 30)
EVENTS = write.made(60, SIZE, 40_000)
GEOMETRY = "% date 2020-09-08 13:41:45\n% evt {evt}\n% geometry 30x20\n% end\n"


def same(recording, events, size=SIZE):
    assert recording.sensor_size == size
    assert recording.events["t"].dtype == np.int64
    for field in "xytp":
        assert recording.events[field].tolist() == events[field].tolist(), field


def structured(path):
    np.save(path, EVENTS)


def separate(path):
    np.savez(path, xs=EVENTS["x"], ys=EVENTS["y"], ts=EVENTS["t"], pol=EVENTS["p"] * 2 - 1, other=np.arange(3))


def alone(path):
    np.savez_compressed(path, events=EVENTS)


def group(path):
    with h5py.File(path, "w") as file:
        for name in "xytp":
            file.create_dataset(f"events/{name}", data=EVENTS[name], compression="gzip")
        file["ms_to_idx"] = np.arange(4)
        file["events"].attrs["height"], file["events"].attrs["width"] = SIZE


def compound(path):
    with h5py.File(path, "w") as file:
        file["CD/events"] = EVENTS
        file["EXT_TRIGGER/events"] = np.zeros(3, [("p", "i2"), ("t", "i8"), ("id", "i2")])
        file["CD/events"].attrs["geometry"] = "30x20"


@pytest.mark.supports(
    "Recordings", "`.npy`, `.npz` and HDF5 with fields x, y, t, p under any of their usual names", "accepted"
)
@pytest.mark.parametrize(
    ("make", "suffix", "sensor"),
    [
        (structured, ".npy", SIZE),
        (separate, ".npz", SIZE),
        (alone, ".npz", SIZE),
        (group, ".h5", None),
        (compound, ".HDF5", None),
    ],
)
def test_arrays_with_names(make, suffix, sensor, tmp_path):
    make(tmp_path / f"a{suffix}")
    got = read_events(tmp_path / f"a{suffix}", sensor=sensor)
    got.events["p"][got.events["p"] == -1] = 0
    same(got, EVENTS)


@pytest.mark.supports("Recordings", "rows without names, with `columns=` in their order", "accepted")
@pytest.mark.parametrize(
    ("unit", "scale", "dtype"),
    [
        ("found", 1e-6, np.float64),
        ("ms", 1e-3, np.float64),
        ("us", 1, np.float64),
        ("ns", 1000, np.uint64),
        ("us", 1, np.uint32),
    ],
)
def test_rows_without_names_and_units(unit, scale, dtype, tmp_path):
    rows = np.stack([(EVENTS["t"] * scale).astype(dtype), *(EVENTS[f].astype(dtype) for f in "pxy")], axis=1)
    np.save(tmp_path / "a.npy", rows)
    same(read_events(tmp_path / "a.npy", SIZE, unit, columns="tpxy"), EVENTS)
    with pytest.raises(UserError, match=r"a\.npy has columns without names: give columns="):
        read_events(tmp_path / "a.npy", SIZE)


def test_times_that_have_a_unit_and_polarities_that_are_stated(tmp_path):
    events = EVENTS.astype([("x", "i2"), ("y", "i2"), ("timestamp", "m8[ns]"), ("polarity", "i4")])
    events["timestamp"] *= 1000
    events["polarity"] = np.where(EVENTS["p"], 1, 2)
    np.save(tmp_path / "a.npy", events)
    same(read_events(tmp_path / "a.npy", SIZE, polarity=[2, 1]), EVENTS)
    with pytest.raises(UserError, match=r"a\.npy: p of event \d+ is 2, polarity is coded"):
        read_events(tmp_path / "a.npy", SIZE)
    with pytest.raises(UserError, match=r"a\.npy: p of event \d+ is 1, and polarity=\(0, 2\) was given"):
        read_events(tmp_path / "a.npy", SIZE, polarity=(0, 2))
    with pytest.raises(
        UserError, match=r"t is of type timedelta64\[ns\], which has a unit, and time_unit=ms was given"
    ):
        read_events(tmp_path / "a.npy", SIZE, "ms", (2, 1))


@pytest.mark.supports("Recordings", "AEDAT 2 of a DVS128, DAVIS240 or DAVIS346, and AEDAT 4", "accepted")
@pytest.mark.parametrize(
    ("chip", "size"), [("DVS128", (128, 128)), ("DAVIS240C", (180, 240)), ("DAVIS346", (260, 346))]
)
def test_aedat2(chip, size, tmp_path):
    events = write.made(60, size, 10**6)
    same(read_events(write.aedat2(tmp_path / "a.aedat", events, chip)), events, size)
    unnamed = write.aedat2(tmp_path / "b.dat", events, chip, header="#!AER-DAT2.0\r\n# no chip\r\n")
    same(read_events(unnamed, sensor=size), events, size)
    with pytest.raises(UserError, match=r"b\.dat does not say which chip it is of: give sensor="):
        read_events(unnamed)
    with pytest.raises(UserError, match=r"a\.aedat is of a sensor of \d+x\d+ px, and sensor=\(64, 64\) was given"):
        read_events(tmp_path / "a.aedat", sensor=(64, 64))


def test_what_is_no_event_in_aedat2_is_left_out(tmp_path):
    """Signals of a DVS128 have bit 15; samples of a DAVIS's picture have bit 31, its signals bit 10."""
    for chip, others, size in (("DVS128", (0x8000,), (128, 128)), ("DAVIS346", (1 << 31, 1 << 10), (260, 346))):
        events = write.made(9, size, 100)
        path = write.aedat2(tmp_path / f"{chip}.aedat", events, chip)
        with path.open("ab") as file:
            for address in others:
                file.write(address.to_bytes(4, "big") + (200).to_bytes(4, "big"))
        same(read_events(path), events, size)


def test_aedat4():
    pytest.importorskip("aedat")
    events, size = read_events(fake_data.AEDAT4)
    assert (len(events), size, events["p"].sum()) == (200, (128, 128), 100)


@pytest.mark.supports(
    "Recordings",
    "AEDAT 2 where AEDAT 4 is expected",
    "refused",
    says="…a.aedat4 is AEDAT 2.0 and not AEDAT 4, as its name says",
)
def test_aedat_under_a_wrong_name(tmp_path):
    path = write.aedat2(tmp_path / "a.aedat4", write.made(9, (128, 128), 100))
    with pytest.raises(
        UserError, match=r"a\.aedat4 is AEDAT 2\.0 and not AEDAT 4, as its name says: .* end in \.aedat"
    ):
        read_events(path)
    old = write.aedat2(tmp_path / "b.aedat", EVENTS, header="#!AER-DAT3.1\r\n")
    with pytest.raises(UserError, match=r"b\.aedat is AEDAT 3\.1, and versions 2 and 4 are read"):
        read_events(old)
    (tmp_path / "c.aedat").write_bytes(b"x" * 80)
    with pytest.raises(UserError, match=r"c\.aedat cannot be read as a recording: it does not begin with #!AER-DAT"):
        read_events(tmp_path / "c.aedat")
    pytest.importorskip("aedat")
    shutil.copy(fake_data.AEDAT4, tmp_path / "d.aedat")
    assert len(read_events(tmp_path / "d.aedat").events) == 200


@pytest.mark.supports("Recordings", "`.bin` of N-MNIST", "accepted")
def test_n_mnist(tmp_path):
    events = write.made(80, (34, 34), 60_000)
    same(read_events(write.n_mnist(tmp_path / "a.bin", events)), events, (34, 34))
    wide = write.made(80, (180, 200), 60_000)
    same(read_events(write.n_mnist(tmp_path / "b.bin", wide), sensor=(180, 240)), wide, (180, 240))
    with pytest.raises(
        UserError, match=r"b\.bin: x of event \d+ is \d+, outside the sensor: sensor_size=\(H, W\)=\(34"
    ):
        read_events(tmp_path / "b.bin")


@pytest.mark.supports("Recordings", "`.dat` and `.raw` (EVT 2, EVT 3) of Prophesee", "accepted")
def test_prophesee(tmp_path):
    """Also where the time, of 24 bits in EVT 3 and of 32 in DAT, has gone round or uses all its bits."""
    long, late = write.made(200, SIZE, 40_000_000), write.made(40, SIZE, 10**6, 2**32 - 10**6)
    dense = np.sort(np.unique(write.made(400, SIZE, 20)), order=["t", "y", "p", "x"])  # many of one row at once
    for events in (EVENTS, long, dense):
        same(read_events(write.evt2(tmp_path / "a.raw", events, GEOMETRY.format(evt="2.0"))), events)
        events = np.sort(events, order=["t", "y", "p", "x"])
        same(read_events(write.evt3(tmp_path / "a.raw", events, GEOMETRY.format(evt="3.0"))), events)
    same(read_events(write.evt3(tmp_path / "a.raw", dense, "% format EVT3;height=20;width=30\n% end\n")), dense)
    same(read_events(write.evt3(tmp_path / "a.raw", dense, "% evt 3.0\n"), sensor=SIZE), dense)
    for events in (EVENTS, late):
        same(read_events(write.dat(tmp_path / "a.dat", events, SIZE)), events)
    with pytest.raises(UserError, match=r"a\.raw is EVT 2\.1, and little-endian EVT 2 and EVT 3 are read"):
        read_events(write.evt2(tmp_path / "a.raw", EVENTS, GEOMETRY.format(evt="2.1")))


def written(tmp_path):
    """A file of every format that can be written here, and the number of bytes that its events begin after."""
    structured(tmp_path / "a.npy")
    separate(tmp_path / "a.npz")
    group(tmp_path / "a.h5")
    write.aedat2(tmp_path / "a.aedat", write.made(60, (128, 128), 100))
    write.n_mnist(tmp_path / "a.bin", write.made(60, (34, 34), 100))
    write.dat(tmp_path / "a.dat", EVENTS, SIZE)
    write.evt2(tmp_path / "b.raw", EVENTS, GEOMETRY.format(evt="2.0"))
    write.evt3(tmp_path / "c.raw", EVENTS, GEOMETRY.format(evt="3.0"))
    return sorted(tmp_path.iterdir())


@pytest.mark.supports(
    "Recordings",
    "a recording that is cut within an event, in any format",
    "refused",
    says="…c.raw cannot be read as a recording: ",
)
def test_files_that_are_cut_short_are_named(tmp_path):
    for path in written(tmp_path):
        whole = path.read_bytes()
        sensor = SIZE if path.suffix in (".npy", ".npz") else None
        read_events(path, sensor)
        for n in (0, 7, len(whole) - 1):
            path.write_bytes(whole[:n])
            with pytest.raises(
                UserError, match=rf"{path.name} (cannot be read as a recording: |is EVT of no v)"
            ) as err:
                read_events(path, sensor)
            assert "\n" not in str(err.value)
        path.unlink()
        with pytest.raises(UserError, match=rf"{path.name} cannot be read as a recording: "):
            read_events(path, sensor)


@pytest.mark.supports(
    "Recordings",
    "a file of a recording without events",
    "refused",
    says="…a.npy cannot be read as a recording: it holds no events",
)
def test_recordings_without_events_are_named(tmp_path):
    np.save(tmp_path / "a.npy", EVENTS[:0])
    write.aedat2(tmp_path / "a.aedat", EVENTS[:0])
    write.n_mnist(tmp_path / "a.bin", EVENTS[:0])
    write.dat(tmp_path / "a.dat", EVENTS[:0], SIZE)
    write.evt3(tmp_path / "c.raw", EVENTS[:0], GEOMETRY.format(evt="3.0"))
    for path in tmp_path.iterdir():
        with pytest.raises(UserError, match=rf"{path.name} cannot be read as a recording: it holds no events"):
            read_events(path, SIZE if path.suffix == ".npy" else None)


@pytest.mark.supports(
    "Recordings",
    "a recording whose sensor nothing says, or another one",
    "refused",
    says="…a.npy does not say how large its sensor is: give sensor=(H, W)",
)
def test_the_sensor_is_stated_or_found(tmp_path):
    structured(tmp_path / "a.npy")
    reach = f"events reach x={EVENTS['x'].max()} and y={EVENTS['y'].max()}"
    with pytest.raises(UserError, match=rf"a\.npy does not say how large its sensor is: .*, in px; {reach}"):
        read_events(tmp_path / "a.npy")
    with pytest.raises(UserError, match=r"a\.npy: x of event \d+ is \d+, outside the sensor"):
        read_events(tmp_path / "a.npy", (20, 12))
    group(tmp_path / "a.h5")
    with pytest.raises(UserError, match=r"a\.h5 is of a sensor of 20x30 px, and sensor=\(30, 20\) was given"):
        read_events(tmp_path / "a.h5", (30, 20))


@pytest.mark.supports("Recordings", "events that are not in order", "refused", says="…a.npy: t of event 7 is ")
@pytest.mark.supports("Recordings", "negative times", "refused", says="…a.npy: t of event 0 is -3 µs, negative")
def test_times_that_are_negative_or_not_in_order_are_named(tmp_path):
    events = EVENTS.copy()
    events["t"][7] = events["t"][5]
    np.save(tmp_path / "a.npy", events)
    with pytest.raises(UserError, match=r"a\.npy: t of event 7 is \d+ µs, earlier than the event before it: give sort"):
        read_events(tmp_path / "a.npy", SIZE)
    same(read_events(tmp_path / "a.npy", SIZE, sort=True), events[np.argsort(events["t"], kind="stable")])
    events["t"] = np.arange(len(events)) - 3
    np.save(tmp_path / "a.npy", events)
    for sort in (False, True):
        with pytest.raises(UserError, match=r"a\.npy: t of event 0 is -3 µs, negative"):
            read_events(tmp_path / "a.npy", SIZE, sort=sort)


def test_hdf5_without_events_or_with_two_places_of_them_is_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(3)
    with pytest.raises(UserError, match=r"expected events in one place, it has no events in /, /x"):
        read_events(tmp_path / "a.h5", SIZE)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["left"], file["right"] = EVENTS, EVENTS
    with pytest.raises(UserError, match=r"expected events in one place, it has events in /left, /right"):
        read_events(tmp_path / "a.h5", SIZE)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"sensor": 128}, r"sensor is the height and width .*, two whole numbers from 1 to 65536; got 128"),
        ({"sensor": (0, 3)}, "sensor is the height and width .* got 0"),
        ({"time_unit": "min"}, "unknown value of time_unit 'min'"),
        ({"polarity": (1, 1)}, r"polarity is the value of p for OFF and another one for ON; got \(1, 1\)"),
        ({"columns": "xyt"}, "unknown value of columns 'xyt'; did you mean"),
        ({"sort": 1}, "sort is true or false; got 1"),
    ],
)
def test_what_is_stated_is_checked(stated, message):
    with pytest.raises(UserError, match=message):
        Stated(**stated)


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"unknown format of recordings '\.csv'; .*known: .*\.aedat4"):
        read_events(tmp_path / "a.csv")
    assert set(SUFFIXES) == {".npy", ".npz", ".h5", ".hdf5", ".aedat4", ".aedat", ".bin", ".dat", ".raw"}
