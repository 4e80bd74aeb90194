"""The built-in library: sizes, symmetry, density."""
import numpy as np
import pytest

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.simulation.library import (
    MASK_THRESHOLD,
    build_template,
    build_templates,
    density_from_points,
    fine_spacing,
    select_molecules,
    splat,
)
from cryoetseg.core.simulation.molecules import built_in_molecules
from cryoetseg.core.simulation.shapes import capsule, cylinder, shell, sphere, symmetric

MOLECULES = {molecule.name: molecule for molecule in built_in_molecules()}


def test_there_are_more_than_ten_with_different_names():
    assert len(MOLECULES) == len(built_in_molecules()) >= 13
    assert {"ribosome_80s", "proteasome_26s", "tric", "apoferritin", "virus_like_particle"} <= set(MOLECULES)


@pytest.mark.parametrize("name", ["ribosome_80s", "tric", "apoferritin", "rubisco", "phosphoglycerate_kinase"])
def test_mask_has_the_volume_of_the_mass(name: str):
    template = build_template(MOLECULES[name], 8.0)
    assert template.mask_volume == pytest.approx(1.21e3 * MOLECULES[name].mass_kda, rel=0.06)


def test_radii_are_those_of_the_real_complexes():
    assert build_template(MOLECULES["apoferritin"], 10.0).radius == pytest.approx(62, abs=8)
    assert build_template(MOLECULES["ribosome_80s"], 10.0).radius == pytest.approx(150, abs=20)


def test_plateau_is_one_and_rna_is_denser():
    protein = build_template(MOLECULES["fatty_acid_synthase"], 10.0).density
    ribosome = build_template(MOLECULES["ribosome_80s"], 10.0).density
    assert np.median(protein[protein > 0.7]) == pytest.approx(1.0, abs=0.15)
    assert np.percentile(ribosome, 99.5) > 1.5 * np.percentile(protein[protein > 0.5], 60)


def test_ferritin_is_hollow_and_symmetric():
    density = build_template(MOLECULES["apoferritin"], 10.0).density
    middle = density.shape[0] // 2
    assert density[middle, middle, middle] < 0.05
    quarter_turn = np.rot90(density, axes=(1, 2))
    assert np.corrcoef(density.ravel(), quarter_turn.ravel())[0, 1] > 0.999


def test_a_molecule_is_the_same_every_time():
    first, second = (build_template(MOLECULES["p97"], 12.0).density for _ in range(2))
    assert np.array_equal(first, second)


def test_mass_does_not_depend_on_the_voxel_size():
    small, large = (build_template(MOLECULES["tric"], size) for size in (6.0, 24.0))
    mass = [float(t.density.sum()) * t.spacing**3 for t in (small, large)]
    assert mass[0] == pytest.approx(mass[1], rel=0.01)
    assert fine_spacing(24.0) == 12.0


def test_selection():
    assert [m.name for m in select_molecules("tric:2, p97")] == ["tric", "p97"]
    assert select_molecules("tric:2")[0].abundance == 2
    assert select_molecules("none") == []
    assert len(select_molecules("all")) == len(MOLECULES)
    assert build_templates("p97:4", 20.0)[0].abundance == 4


@pytest.mark.parametrize("selection", ["nothing_known", "tric:zero", "tric:-1", "tric,,p97"])
def test_bad_selection_names_what_is_allowed(selection: str):
    with pytest.raises(ParameterError, match="What to do"):
        select_molecules(selection)


def test_solids():
    points = np.array([[0.0, 0, 0], [0, 0, 9], [9, 0, 0], [0, 30, 0]])
    assert shell(10, 5).contains(points).tolist() == [False, True, True, False]
    assert cylinder(10, 10, 5).contains(points).tolist() == [False, True, False, False]
    assert capsule((0, 0, 0), (0, 30, 0), 3).contains(points).tolist() == [True, False, False, True]
    four = symmetric(sphere((0, 30, 0), 2), "C4")
    assert four.contains(np.array([[0.0, 0, 30], [0, 0, -30], [30, 0, 0]])).tolist() == [True, True, False]


def test_splat_shares_linearly_and_drops_what_is_outside():
    grid = splat(np.array([[1.25, 1.0, 1.0], [50.0, 1, 1]]), np.array([4.0, 1.0]), (4, 4, 4))
    assert grid[1, 1, 1] == 3
    assert grid[2, 1, 1] == 1
    assert grid.sum() == 4


def test_filled_region_has_density_one():
    axis = np.arange(-30, 30.1, 3.0)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    density = density_from_points(points, np.full(len(points), 27.0), 5.0, 5.0)
    middle = density.shape[0] // 2
    assert density[middle, middle, middle] == pytest.approx(1, abs=0.04)
    assert density.shape[0] % 2 == 1
    assert np.count_nonzero(density > MASK_THRESHOLD) * 125 == pytest.approx(63**3, rel=0.25)
