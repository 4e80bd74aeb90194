"""AreTomo3's list of tilt series, with the header and the row formats of its source."""
from pathlib import Path

import numpy as np
import pytest

from cryoetseg.core.commands.addresses import resolved
from cryoetseg.core.commands.running import input_file
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes.io import read_volume, write_volume

HEADER = "Tilt_Series,Thickness(Pix),Tilt_Axis,Global_Shift(Pix),Bad_Patch_Low,Bad_Patch_All,Defocus(A),ExtPhase(Deg),CTF_Res(A)," \
    "CTF_Score,DF_Hand,Pix_Size(A),Cs(nm),Kv,Alpha0,Beta0\n"
ROW = "{},    902,  85.31,   310.62,  0.00, 4.17,  31022.4,   0.0,  7.52,  0.2311,-1,  1.54, 2.7, 300, 0.0, 0.0\n"


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("Position_1", "Position_2_3")):
        write_volume(tmp_path / f"{name}_Vol.mrc", np.arange(60, dtype=np.float32).reshape(3, 4, 5) + number, 10.0)
        write_volume(tmp_path / f"{name}_ODD_Vol.mrc", np.zeros((3, 4, 5), dtype=np.float32), 10.0)
    rows = [ROW.format(f"{name}.mrc") for name in ("Position_2_3", "Position_1", "Position_2_3")]
    (tmp_path / "TiltSeries_Metrics.csv").write_text(HEADER + "".join(rows))
    return tmp_path


def test_the_list_stands_for_its_tomograms(folder):
    inputs = [input_file(path) for path in resolved("tomograms", [folder / "TiltSeries_Metrics.csv"])]
    assert [item.tilt_series_id for item in inputs] == ["Position_2_3", "Position_1"]
    volume, header = read_volume(Path(inputs[0].path))
    assert (volume.max(), header.voxel_size) == (60, 10.0)  # not the 1.54 A of the tilt series


def test_other_tables_and_other_roles_stay_what_they_are(folder):
    (folder / "picks.csv").write_text("x,y,z\n1,2,3\n")
    assert resolved("tomograms", [folder / "picks.csv"]) == [folder / "picks.csv"]
    assert resolved("particles", [folder / "TiltSeries_Metrics.csv"]) == [folder / "TiltSeries_Metrics.csv"]


def test_a_series_without_tomogram_is_named(folder):
    (folder / "Position_1_Vol.mrc").unlink()
    with pytest.raises(InputError, match="Position_1"):
        resolved("tomograms", [folder / "TiltSeries_Metrics.csv"])


@pytest.mark.parametrize("row", ["a" * 300 + ".mrc", "x" * 200_000])
def test_a_damaged_list_is_refused(folder, row):
    (folder / "TiltSeries_Metrics.csv").write_text(HEADER + row + "\n")
    with pytest.raises(InputError, match=r"no tomogram|cannot be read"):
        resolved("tomograms", [folder / "TiltSeries_Metrics.csv"])
