"""crYOLO's boxes and the CryoET data portal's point annotations."""
import json

import numpy as np
import pytest

from cryoetseg.core.particles.angles import to_matrices
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError

# as crYOLO 1.8 and TomoTwin write it; a box of 37 voxels around (110, 205.5, 64)
BOXES = """data_global

_cbox_format_version 1.0

data_cryolo

loop_
_CoordinateX #1
_CoordinateY #2
_CoordinateZ #3
_Width #4
_Height #5
_Depth #6
_EstWidth #7
_EstHeight #8
_Confidence #9
_NumBoxes #10
_Angle #11
91.5 187.0 64.0 37 37 1 30.1 31.2 0.75 8 <NA>
10 20 {z} 37 37 1 <NA> <NA> 0.5 3 <NA>

data_cryolo_include

loop_
_slice_index #1
64
"""


def test_boxes_are_moved_to_their_middles(tmp_path):
    path = tmp_path / "TS_01.cbox"
    path.write_text(BOXES.format(z=12))
    table = read_particles(path, voxel_size=6.0, tilt_series_id="TS_01")
    np.testing.assert_allclose(table.zyx, [[64, 205.5, 110], [12, 38.5, 28.5]])
    assert table.score.tolist() == [0.75, 0.5]


def test_boxes_of_an_image_are_refused(tmp_path):
    path = tmp_path / "image.cbox"
    path.write_text(BOXES.format(z="<NA>"))
    with pytest.raises(InputError, match="CBOX_3D"):
        read_particles(path)


QUARTER_TURN = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]


def portal_file(folder, lines):
    """A file where the portal keeps it."""
    folder = folder / "10004" / "Position_161" / "Reconstructions" / "VoxelSpacing7.840" / "Annotations" / "100"
    folder.mkdir(parents=True)
    (folder / "ribosome-1.0.json").write_text(json.dumps({"annotation_object": {"name": "cytosolic ribosome"}}))
    path = folder / "ribosome-1.0_orientedpoint.ndjson"
    path.write_text("\n".join(lines))  # the portal leaves the last line's end off
    return path


def test_annotations_of_the_portal_with_what_their_folders_say(tmp_path):
    oriented = {"type": "orientedPoint", "location": {"x": 10, "y": 20, "z": 30.5}, "xyz_rotation_matrix": QUARTER_TURN}
    point = {"type": "point", "location": {"x": 1, "y": 2, "z": 3}}
    table = read_particles(portal_file(tmp_path, [json.dumps(oriented), json.dumps(point)]))
    assert table.zyx.tolist() == [[30.5, 20, 10], [3, 2, 1]]
    np.testing.assert_allclose(to_matrices(table.angles), [QUARTER_TURN, np.eye(3)], atol=1e-12)
    assert (table.voxel_size, table.tilt_series_ids(), table.class_names) == (7.84, ["Position_161"], {1: "cytosolic ribosome"})


def test_annotations_written_are_what_the_portal_has(tmp_path):
    table = ParticleTable.from_points([[30.5, 20, 10]], voxel_size=5.0, angles=[[-90, 0, 0]])
    write_particles(table, tmp_path / "a.ndjson")
    [line] = (tmp_path / "a.ndjson").read_text().splitlines()
    assert json.loads(line)["location"] == {"x": 10, "y": 20, "z": 30.5}
    np.testing.assert_allclose(json.loads(line)["xyz_rotation_matrix"], QUARTER_TURN, atol=1e-12)
    with pytest.raises(InputError, match="one file for each"):
        write_particles(ParticleTable.from_points(np.zeros((2, 3)), class_id=[1, 2]), tmp_path / "two.ndjson")


@pytest.mark.parametrize("line", ["{", "[1]", '{"location": {"x": 1, "y": 2}}', '{"location": {"x": 1, "y": 2, "z": "q"}}', "[" * 3000,
                                  '{"location": {"x": 1, "y": 2, "z": 3}, "xyz_rotation_matrix": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]}'])
def test_bad_annotations_name_the_line(tmp_path, line):
    path = tmp_path / "bad.ndjson"
    path.write_text('{"location": {"x": 1, "y": 2, "z": 3}}\n' + line)
    with pytest.raises(InputError, match="line 2"):
        read_particles(path)
