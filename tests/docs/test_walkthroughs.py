"""The pages that lead through several programs, run as they are written."""
import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import starfile
import zarr

from cryoetseg.core import cli
from cryoetseg.core.volumes.io import write_volume

PAGES = Path(__file__).resolve().parents[2] / "docs" / "user"
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)
BLOBS = [(12, 20, 30), (10, 44, 50), (14, 50, 18)]  # z, y, x in voxels of 10 Angstrom
SHAPE = (24, 64, 72)


def run_page(name, capsys):
    for block in BLOCK.findall((PAGES / name).read_text(encoding="utf-8")):
        for line in block.splitlines():
            with pytest.raises(SystemExit) as stop:
                cli.main(shlex.split(line)[1:])
            assert not stop.value.code, f"{line}\n{capsys.readouterr().err}"


def tomogram():
    """Dark blobs of 60 Angstrom at known places in noise."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    volume = np.random.default_rng(1).normal(0, 0.3, SHAPE)
    for place in BLOBS:
        volume -= np.exp(-((grid - np.array(place)) ** 2).sum(-1) / (2 * 2.2**2))
    return volume.astype(np.float32)


@pytest.fixture
def projects(tmp_path, monkeypatch):
    """A copick and a RELION 5 project of the same two tilt series."""
    folder = tmp_path / "relion" / "Tomograms" / "job012"
    rows = []
    for run in ("TS_01", "TS_02"):
        write_volume(folder / "tomograms" / f"rec_{run}.mrc", tomogram(), 10.0)
        rows.append(f"{run} 300 2.7 0.07 -1 2.5 4 288 256 96 Tomograms/job012/tomograms/rec_{run}.mrc")
        path = tmp_path / "copick" / "data" / "ExperimentRuns" / run / "VoxelSpacing10.000" / "wbp.zarr"
        write_volume(path, tomogram(), 10.0)
        assert zarr.open(str(path), mode="r")["0"].shape == SHAPE
    names = ["TomoName", "Voltage", "SphericalAberration", "AmplitudeContrast", "TomoHand", "TomoTiltSeriesPixelSize",
             "TomoTomogramBinning", "TomoSizeX", "TomoSizeY", "TomoSizeZ", "TomoReconstructedTomogram"]
    columns = "\n".join(f"_rln{name}" for name in names)
    (folder / "tomograms.star").write_text("\n".join(["data_global\n", "loop_", columns, *rows, ""]))
    (tmp_path / "copick" / "config.json").write_text(json.dumps({
        "config_type": "filesystem", "name": "walk", "pickable_objects": [], "overlay_root": "data", "user_id": "me"}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(particles):
    """Voxels (z, y, x) from RELION's centred coordinates by RELION's formula, sorted."""
    rows = starfile.read(particles)["particles"]
    centred = rows[[f"rlnCenteredCoordinate{axis}Angst" for axis in "ZYX"]].to_numpy()
    return sorted((centred / 2.5 + np.array([96, 256, 288]) / 2).__truediv__(4).tolist())


def test_from_copick_to_relion_and_back(projects, capsys):
    run_page("copick_to_relion.md", capsys)
    np.testing.assert_allclose(places(projects / "relion/Picks/cryoetseg/particles.star"), sorted(BLOBS), atol=0.6)
    (picks,) = (projects / "copick/data/ExperimentRuns").glob("*/Picks/relion_30_*.json")
    assert picks.parent.parent.name == "TS_01"
    back = [[point["location"][axis] / 10 for axis in "zyx"] for point in json.loads(picks.read_text())["points"]]
    np.testing.assert_allclose(sorted(back), places(projects / "relion/Picks/cryoetseg/particles.star"), atol=1e-4)
    assert [item["name"] for item in json.loads((projects / "copick/config.json").read_text())["pickable_objects"]] == ["class1"]


def test_from_relion_and_back(projects, capsys, monkeypatch):
    monkeypatch.chdir(projects / "relion")
    run_page("relion.md", capsys)
    np.testing.assert_allclose(places("Picks/cryoetseg/particles.star"), sorted(BLOBS), atol=0.6)
    named = starfile.read("Picks/cryoetseg/optimisation_set.star", always_dict=True)["optimisation_set"].iloc[0]
    assert Path(named["rlnTomoParticlesFile"]).is_file()
    markers = ElementTree.parse("Picks/scene/TS_01_class1.cmm").getroot()
    marked = [[float(item.get(axis)) / 10 for axis in "zyx"] for item in markers]
    np.testing.assert_allclose(sorted(marked), places("Picks/cryoetseg/particles.star"), atol=1e-3)
