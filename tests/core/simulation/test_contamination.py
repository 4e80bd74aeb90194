"""Ice beside the sample, crystals and carbon: where they lie and what they hide."""

import numpy as np
import pytest

from cryoetseg.core.simulation.contamination import carbon_film, crystals, sample_columns
from cryoetseg.core.simulation.library import build_templates
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.sample import build_scene

SMALL = {"size_z": 32, "size_y": 64, "size_x": 64, "voxel_size": 14.0}
PLAIN = {**SMALL, "vesicle_count": 0, "ellipsoid_count": 0, "tube_count": 0, "sheet_count": 0, "actin_count": 0}


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_asked_share_of_the_field_holds_sample(share):
    columns = sample_columns(SimulationParameters(**SMALL, field_share=share), np.random.default_rng(0))
    assert columns.mean() == pytest.approx(share, abs=0.02)


def test_nothing_of_the_sample_lies_beside_its_edge():
    p = SimulationParameters(**SMALL, field_share=0.5, particles="apoferritin", unresolved_density=0.1)
    scene = build_scene(p, build_templates(p.particles, p.voxel_size), 3)
    assert 0.45 < scene.columns.mean() < 0.55
    assert not scene.classes[:, ~scene.columns].any()
    assert not scene.membranes[:, ~scene.columns].any()
    assert scene.density[:, ~scene.columns].mean() < 0.01 * scene.density[:, scene.columns].mean()  # soft rims of particles at the edge
    assert scene.membranes[:, scene.columns].any()
    assert scene.density[:, scene.columns].any()


def test_crystals_lie_outside_the_faces_of_the_sample_or_beside_it():
    p = SimulationParameters(**PLAIN, contamination_count=40, contamination_size_min=100, contamination_size_max=150, field_share=0.5)
    empty = np.zeros((64, 64), dtype=bool)
    empty[:, 32:] = True
    rows = list(crystals(p, (10, 22), empty, np.random.default_rng(1)))
    middles = np.array([[(part.start + part.stop) / 2 for part in row.box] for row in rows])
    on_faces = (np.abs(middles[:, 0] - 16) > 5)
    beside = empty[tuple(middles[:, 1:].astype(int).T.clip(0, 63))]
    assert len(rows) > 30
    assert (on_faces | beside).all()
    assert beside.sum() >= 15


def test_what_is_no_sample_takes_the_place_of_what_it_covers_and_is_no_membrane():
    p = SimulationParameters(**SMALL, contamination_count=3, contamination_size_min=300, contamination_size_max=500, particles="none",
                             field_share=0.8, sample_thickness=200)
    scene = build_scene(p, [], 5)
    foreign = scene.classes == scene.class_of("contamination")
    assert foreign.any()
    assert not scene.membranes[foreign].any()
    assert scene.occupied[foreign].all()
    assert (scene.density[foreign] > 0).all()


def test_carbon_ends_at_the_round_edge_of_its_hole():
    p = SimulationParameters(**PLAIN, carbon_edge=True)
    film = carbon_film(p, (4, 28), np.random.default_rng(2))
    assert film is not None
    assert film.box[0] == slice(0, 11)  # 150 A of film about the lower face at voxel 4
    share = film.mask.mean()
    assert 0.05 < share < 0.95
    assert not film.density[~film.mask].any()
    assert film.density[film.mask].mean() == pytest.approx(1.2, abs=0.15)
    assert (film.mask == film.mask[0]).all()


def test_without_any_the_sample_is_what_it_was():
    p = SimulationParameters(**SMALL, particles="none")
    scene = build_scene(p, [], 1)
    assert scene.columns.all()
    assert not np.isin(scene.classes, [scene.class_of("contamination"), scene.class_of("carbon")]).any()
