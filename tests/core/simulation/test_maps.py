"""Templates from files."""
from pathlib import Path

import numpy as np
import pytest

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.simulation.maps import load_templates, template_from_map, template_from_pdb
from cryoetseg.core.volumes.io import write_volume


def ball(radius: float, side: int = 24, voxel_size: float = 8.0) -> np.ndarray:
    axis = (np.arange(side) - side // 2) * voxel_size
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    return np.clip((radius - distance) / voxel_size + 0.5, 0, 1).astype(np.float32)


@pytest.mark.parametrize(("sign", "contrast"), [(1, "bright"), (-1, "dark")])
def test_map_becomes_a_template_of_density_one(tmp_path: Path, sign: int, contrast: str):
    write_volume(tmp_path / "ball.mrc", (7 * sign * ball(60.0) + 3).astype(np.float32), 8.0)
    template = template_from_map(tmp_path / "ball.mrc", 12.0, contrast=contrast)
    assert template.name == "ball"
    assert np.median(template.density[template.density > 0.6]) == pytest.approx(1, abs=0.05)
    assert template.mask_volume == pytest.approx(4 / 3 * np.pi * 60**3, rel=0.15)
    inside = np.argwhere(template.density > 0.37).mean(axis=0)
    assert np.allclose(inside, (np.array(template.density.shape) - 1) / 2, atol=0.2)


def test_map_with_the_wrong_contrast_is_refused(tmp_path: Path):
    write_volume(tmp_path / "ball.mrc", ball(60.0), 8.0)
    with pytest.raises(InputError, match="other contrast"):
        template_from_map(tmp_path / "ball.mrc", 10.0, contrast="dark")


PDB = "ATOM  {n:5d}  CA  ALA A{n:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           C\n"


def write_pdb(path: Path) -> None:
    grid = np.argwhere(np.ones((12, 12, 6))) * 2.5 + 100
    water = "HETATM    1  O   HOH A   1     900.000 900.000 900.000  1.00  0.00           O\n"
    path.write_text("HEADER\n" + "".join(PDB.format(n=i % 9999, x=x, y=y, z=z) for i, (x, y, z) in enumerate(grid)) + water + "END\n")


def test_atoms_become_density_of_their_mass(tmp_path: Path):
    write_pdb(tmp_path / "box.pdb")
    template = template_from_pdb(tmp_path / "box.pdb", 8.0)
    daltons = 864 * 12.011 * 1.075
    assert template.mass_kda * 1e3 == pytest.approx(daltons, rel=1e-6)
    assert float(template.density.sum()) * template.spacing**3 == pytest.approx(1.21 * daltons, rel=0.02)
    spread = [np.argwhere(template.density > 0.2)[:, axis].std() for axis in range(3)]
    assert spread[0] < spread[2]  # z is the short side of the box


def test_files_without_atoms_and_damaged_lines(tmp_path: Path):
    (tmp_path / "empty.pdb").write_text("HEADER\nEND\n")
    with pytest.raises(InputError, match="no atoms"):
        template_from_pdb(tmp_path / "empty.pdb", 10.0)
    (tmp_path / "bad.pdb").write_text("ATOM      1  CA  ALA A   1      xx.xxx   1.000   1.000\n")
    with pytest.raises(InputError, match="line 1"):
        template_from_pdb(tmp_path / "bad.pdb", 10.0)
    with pytest.raises(InputError, match="cannot read"):
        template_from_pdb(tmp_path / "absent.pdb", 10.0)


def test_inputs_are_told_apart_by_suffix(tmp_path: Path):
    write_pdb(tmp_path / "box.pdb")
    write_volume(tmp_path / "ball.mrc", ball(60.0), 8.0)
    inputs = [InputFile(path=str(tmp_path / "box.pdb"), role="template"),
              InputFile(path=str(tmp_path / "ball.mrc"), role="template", contrast="bright")]
    assert [template.name for template in load_templates(inputs, 10.0)] == ["box", "ball"]


def test_shared_maps_and_models_agree(shared_data: Path):
    model = template_from_pdb(shared_data / "pdb" / "1bxn.pdb", 10.0)
    density = template_from_map(shared_data / "templates" / "1bxn_10A.mrc", 10.0)
    assert model.mass_kda == pytest.approx(280, rel=0.15)  # half of rubisco's 560 kDa stands in the file's asymmetric unit
    assert density.radius == pytest.approx(model.radius, rel=0.4)
