"""MRC: what is written is read back by the standard's validator and by an independent parser; damaged files are named errors."""
import io as text_io
import struct
import warnings

import mrcfile
import numpy as np
import pytest

from cryoetseg.core.runtime.errors import CryoetsegError, InputError, OutputError
from cryoetseg.core.volumes import io
from cryoetseg.core.volumes.streaming import z_slabs

TYPE_CODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}


def independent_read(path):
    """Straight from the MRC2014 table, byte by byte: (array z y x, voxel sizes x y z, origin x y z, header fields)."""
    content = path.read_bytes()
    nx, ny, nz, mode = struct.unpack_from("<4i", content, 0)
    mx, my, mz = struct.unpack_from("<3i", content, 28)
    cell = struct.unpack_from("<3f", content, 40)
    fields = {"mapc": struct.unpack_from("<3i", content, 64), "stats": struct.unpack_from("<3f", content, 76),
              "ispg": struct.unpack_from("<i", content, 88)[0], "nsymbt": struct.unpack_from("<i", content, 92)[0],
              "nversion": struct.unpack_from("<i", content, 108)[0], "map": content[208:212], "stamp": content[212:216],
              "rms": struct.unpack_from("<f", content, 216)[0], "label": content[224:304], "length": len(content)}
    data = np.frombuffer(content, "<" + TYPE_CODES[mode], nx * ny * nz, 1024 + fields["nsymbt"]).reshape(nz, ny, nx)
    voxels = tuple(length / count for length, count in zip(cell, (mx, my, mz)))
    return data, voxels, struct.unpack_from("<3f", content, 196), fields


def small_file(path, dtype="f4", shape=(5, 6, 7)):
    array = (np.random.default_rng(3).normal(size=shape) * 20 + 50).clip(0, 120).astype(dtype)
    io.write_volume(path, array, 7.5, (10.0, -20.0, 30.0))
    return array


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float16", "float32"])
def test_written_file_is_valid_and_read_by_others(tmp_path, dtype):
    path = tmp_path / "a b'c.mrc"
    array = small_file(path, dtype)
    data, voxels, origin, fields = independent_read(path)
    np.testing.assert_array_equal(data, array)
    assert voxels == pytest.approx((7.5, 7.5, 7.5))
    assert origin == (30.0, -20.0, 10.0)
    assert fields["mapc"] == (1, 2, 3)
    assert (fields["ispg"], fields["nsymbt"], fields["nversion"]) == (1, 0, 20141)
    assert fields["map"] == b"MAP "
    assert fields["label"].startswith(b"cryoetseg")
    assert fields["stats"] == pytest.approx((array.min(), array.max(), array.astype("f8").mean()), rel=1e-5)
    assert fields["length"] == 1024 + data.nbytes
    if dtype != "float16":
        assert fields["rms"] == pytest.approx(array.astype("f8").std(), rel=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy overflows while the validator adds float16 values
        report = text_io.StringIO()
        assert mrcfile.validate(path, report), report.getvalue()


def test_unsigned_bytes_keep_values_above_127(tmp_path):
    array = np.arange(256, dtype=np.uint8).repeat(2).reshape(8, 8, 8)
    io.write_volume(tmp_path / "v.mrc", array, 5.0)
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "v.mrc"), array)


@pytest.mark.parametrize(("values", "stored"), [([-3, 100], "int8"), ([0, 200], "int16"), ([0, 60000], "uint16"), ([0, 70000], "float32")])
def test_wide_integers_take_the_narrowest_exact_type(tmp_path, values, stored):
    array = np.array([*values, 1, 2, 3, 4, 5, 6], dtype=np.int64).reshape(2, 2, 2)
    io.write_volume(tmp_path / "v.mrc", array, 5.0)
    labels, header = io.read_labels(tmp_path / "v.mrc")
    assert header.dtype == stored
    np.testing.assert_array_equal(labels, array)


def test_integers_that_no_type_holds_are_refused(tmp_path):
    with pytest.raises(OutputError, match="2\\*\\*24"):
        io.write_volume(tmp_path / "v.mrc", np.full((2, 2, 2), 2**24 + 1), 5.0)


def test_same_content_gives_same_bytes(tmp_path):
    small_file(tmp_path / "a.mrc")
    small_file(tmp_path / "b.mrc")
    assert (tmp_path / "a.mrc").read_bytes() == (tmp_path / "b.mrc").read_bytes()


def test_created_map_is_streamed_and_appears_only_at_the_end(tmp_path):
    path = tmp_path / "out.mrc"
    path.write_bytes(b"earlier result")
    with io.create_volume(path, (4, 5, 6), np.float32, 12.0, (1, 2, 3)) as target:
        assert isinstance(target, np.memmap)
        for z in range(4):
            target[z] = z + 1e6
        assert path.read_bytes() == b"earlier result"
    data, _, _, fields = independent_read(path)
    assert data[3, 4, 5] == 1e6 + 3
    assert fields["stats"][2] == pytest.approx(1e6 + 1.5)
    assert fields["rms"] == pytest.approx(np.sqrt(1.25), rel=1e-4)
    assert [item.name for item in tmp_path.iterdir()] == ["out.mrc"]


def test_failed_write_leaves_the_earlier_file_and_no_part(tmp_path):
    path = tmp_path / "out.mrc"
    array = small_file(path)
    with pytest.raises(ZeroDivisionError), io.create_volume(path, (4, 5, 6), np.float32, 12.0):
        raise ZeroDivisionError
    with pytest.raises(OutputError, match="NaN"):
        io.write_volume(path, np.full((3, 3, 3), np.nan, dtype=np.float32), 12.0)
    np.testing.assert_array_equal(independent_read(path)[0], array)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_with_and_without_stamp(tmp_path, order):
    array = np.arange(60, dtype=order + "f4").reshape(3, 4, 5)
    path = tmp_path / "v.mrc"
    header = struct.pack(order + "10i", 5, 4, 3, 2, 0, 0, 0, 5, 4, 3) + struct.pack(order + "6f", 50, 40, 30, 90, 90, 90)
    header += struct.pack(order + "3i", 1, 2, 3)
    for stamp in (b"\x44\x44\0\0" if order == "<" else b"\x11\x11\0\0", b"\0\0\0\0"):
        path.write_bytes(header.ljust(208, b"\0") + b"MAP " + stamp + bytes(1024 - 216) + array.tobytes())
        data, read = io.read_volume(path)
        np.testing.assert_array_equal(data, array.astype("f4"))
        assert read.voxel_size == 10
        assert data.dtype == np.float32


def patched(path, offset, layout, *values):
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, *values)
    path.write_bytes(content)


def test_axis_order_of_the_file_is_undone(tmp_path):
    path = tmp_path / "v.mrc"
    array = small_file(path)  # now call columns z, rows y, sections x
    patched(path, 64, "<3i", 3, 2, 1)
    patched(path, 28, "<3i", 5, 6, 7)
    patched(path, 40, "<3f", 5 * 9, 6 * 9, 7 * 9)
    data, header = io.read_volume(path)
    np.testing.assert_array_equal(data, array.transpose(2, 1, 0))
    assert header.shape == (7, 6, 5)
    assert header.voxel_size == 9


@pytest.mark.parametrize(("stamp", "flags", "dmin", "dmax", "expected"), [
    (1146047817, 0, 0, 200, "uint8"), (1146047817, 1, 128, 248, "uint8"), (0, 0, 0, 200, "uint8"), (0, 0, 0, 100, "int8")])
def test_sign_of_bytes(tmp_path, stamp, flags, dmin, dmax, expected):
    path = tmp_path / "v.mrc"
    small_file(path, "int8")
    patched(path, 152, "<2i", stamp, flags)
    patched(path, 76, "<2f", dmin, dmax)
    assert io.read_header(path).dtype == expected


def test_start_indices_give_the_origin_where_it_is_unset(tmp_path):
    path = tmp_path / "v.mrc"
    small_file(path)
    patched(path, 196, "<3f", 0, 0, 0)
    patched(path, 16, "<3i", -3, -2, -1)
    assert io.read_header(path).origin == (-7.5, -15.0, -22.5)


DAMAGE = {
    "empty": (lambda p: p.write_bytes(b""), "empty"),
    "shorter than a header": (lambda p: p.write_bytes(p.read_bytes()[:500]), "file length"),
    "header only": (lambda p: p.write_bytes(p.read_bytes()[:1024]), "header without data"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-1]), "truncated"),
    "negative size": (lambda p: patched(p, 4, "<i", -6), "nz, ny, nx"),
    "zero size": (lambda p: patched(p, 8, "<i", 0), "nz, ny, nx"),
    "hostile size": (lambda p: patched(p, 0, "<i", 2**31 - 1), "file length"),
    "size too small": (lambda p: patched(p, 8, "<i", 4), "more than"),
    "complex": (lambda p: patched(p, 12, "<i", 4), "mode: 4"),
    "unknown mode": (lambda p: patched(p, 12, "<i", 77), "mode: 77"),
    "mode of smaller voxels": (lambda p: patched(p, 12, "<i", 0), "more than"),
    "negative extended header": (lambda p: patched(p, 92, "<i", -8), "nsymbt"),
    "axes": (lambda p: patched(p, 64, "<i", 2), "mapc"),
    "unequal voxels": (lambda p: patched(p, 40, "<f", 100.0), "cell dimensions"),
    "infinite cell": (lambda p: patched(p, 40, "<f", np.inf), "cell dimensions"),
    "implausible cell": (lambda p: patched(p, 40, "<3f", 0.7, 0.6, 0.5), "cell dimensions"),
    "stack of volumes": (lambda p: (patched(p, 88, "<i", 401), patched(p, 36, "<i", 1)), "4D"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_error_naming_file_and_field(tmp_path, name):
    path = tmp_path / "v.mrc"
    small_file(path)
    damage, words = DAMAGE[name]
    damage(path)
    with pytest.raises(InputError, match=words) as caught:
        io.read_volume(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_single_image_is_no_volume(tmp_path):
    mrcfile.new(tmp_path / "v.mrc", np.ones((6, 7), dtype=np.float32)).close()
    with pytest.raises(InputError, match="2D"):
        io.read_volume(tmp_path / "v.mrc")


def test_few_trailing_bytes_are_tolerated_with_a_warning(tmp_path):
    path = tmp_path / "v.mrc"
    array = small_file(path)
    path.write_bytes(path.read_bytes() + b"xyz")
    data, header = io.read_volume(path)
    np.testing.assert_array_equal(data, array)
    assert "3 bytes after" in header.warnings[0]


HOSTILE = [0, 1, -1, 2, 255, -(2**31), 2**31 - 1, 2**24, 65536, 1024]


def mutate(content, rng):
    """One to three bit flips or hostile integers in the header, or a change of length."""
    content = bytearray(content)
    kind = rng.integers(4)
    if kind == 3:
        cut = int(rng.integers(0, len(content)))
        return bytes(content[:cut]) if rng.random() < 0.7 else bytes(content) + bytes(int(rng.integers(1, 5000)))
    for _ in range(rng.integers(1, 4)):
        if kind == 0:
            struct.pack_into("<i", content, 4 * int(rng.integers(256)), int(rng.choice(HOSTILE)))
        elif kind == 1:
            content[int(rng.integers(1024))] ^= 1 << int(rng.integers(8))
        else:  # the first 224 bytes hold all that matters
            content[int(rng.integers(224))] = int(rng.integers(256))
    return bytes(content)


def test_mutated_headers_give_the_data_or_a_typed_error(tmp_path):
    """The permissive reader of spec anchors E.2 lost a quarter of such files silently."""
    path, rng = tmp_path / "v.mrc", np.random.default_rng(11)
    array = small_file(path, shape=(8, 9, 10))
    original, outcomes = path.read_bytes(), {"right": 0, "refused": 0}
    for _ in range(400):
        path.write_bytes(mutate(original, rng))
        try:
            data, header = io.read_volume(path)
        except CryoetsegError as error:
            outcomes["refused"] += str(path) in str(error)
            continue
        np.testing.assert_array_equal(data, array)
        assert 0.5 <= header.voxel_size <= 100
        outcomes["right"] += 1
    assert sum(outcomes.values()) == 400
    assert min(outcomes.values()) > 60


def test_more_voxels_than_32_bits_count(tmp_path):
    """A sparse file: its last voxel lies beyond 2**31 elements."""
    path, (nx, ny, nz) = tmp_path / "v.mrc", (1024, 1024, 2050)
    small_file(path, "int8")
    patched(path, 0, "<3i", nx, ny, nz)
    patched(path, 28, "<3i", nx, ny, nz)
    patched(path, 40, "<3f", 10.0 * nx, 10.0 * ny, 10.0 * nz)
    with path.open("r+b") as stream:
        stream.truncate(1024 + nx * ny * nz)
        stream.seek(-1, 2)
        stream.write(b"\x07")
    volume = io.open_labels(path)
    assert volume.header.shape == (nz, ny, nx)
    assert volume.data[-1, -1, -1] == 7
    assert z_slabs(volume.header.shape, 1)[-1].stop == nz
