"""The kept slabs of a segmentation come back as they were written; other files are refused."""

import json

import numpy as np
import pytest

from cryoetseg.core.report.slab_file import read_slabs
from cryoetseg.core.runtime.errors import InputError

RECORDS = [{"base": number, "rounds": []} for number in range(3)]


def test_slabs_are_read_back(tmp_path):
    images = np.arange(3 * 2 * 8 * 8, dtype=np.uint8).reshape(3, 2, 8, 8)
    canvases = np.arange(3 * 16 * 16, dtype=np.uint8).reshape(3, 16, 16)
    records = np.array(json.dumps(RECORDS))
    np.savez_compressed(tmp_path / "slabs.npz", z=np.array([4, 6, 8]), eigenimages=images, canvases=canvases, records=records)
    slabs = read_slabs(tmp_path / "slabs.npz")
    assert [slab.z for slab in slabs] == [4, 6, 8]
    assert [slab.record for slab in slabs] == RECORDS
    np.testing.assert_array_equal(slabs[1].eigenimages, images[1])
    np.testing.assert_array_equal(slabs[2].canvas, canvases[2])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "slabs.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot read the eigenimages"):
        read_slabs(path)


def test_a_pickle_is_refused(tmp_path):
    path = tmp_path / "slabs.npz"
    np.savez(path, z=np.array([object()], dtype=object), records=np.array("[]"), eigenimages=np.zeros(1), canvases=np.zeros(1))
    with pytest.raises(InputError, match="cannot read"):
        read_slabs(path)
