"""How well kinds of particles are told apart: adjusted Rand index and purity, beside chance, size alone, and classes known.

Simulated boxes of 4 and 9 molecules that taught nothing, at three contrasts (no data needed), and the nine classes of sim_deepfinder
01-06 at true centres and at the picks of the general picker (folder of shared test data).
"""
from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.model_selection import cross_val_predict

from cryoetseg.core.clusters.describe import radial_profile
from cryoetseg.core.clusters.embed import box_scale, boxes_at, forward
from cryoetseg.core.clusters.grouping import clusters_of
from cryoetseg.core.clusters.model import METHOD, load_embedding
from cryoetseg.core.clusters.params import ClusterParticlesParameters
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.recipes.embedding.boxes import densities, draw_conditions, draw_views, recorded, render
from cryoetseg.core.recipes.embedding.run import HELD_OUT_SEED
from cryoetseg.core.recipes.general.draw import HELD_OUT_MOLECULES
from cryoetseg.core.runtime.seeds import numpy_generator
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.molecules import built_in_molecules
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.random_molecules import random_molecule
from cryoetseg.core.students.centres.apply import find_centres
from cryoetseg.core.students.centres.model import load_centres
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.volumes.cleaned import open_cleaned
from cryoetseg.core.volumes.io import read_volume

VOXEL, RADIUS_PX = 10.0, 5.0
CPU = torch.device("cpu")
EACH = 30  # boxes of a molecule
JUNK_SEEDS = (931, 932, 933)
Embed = Callable[[np.ndarray], np.ndarray]


def scores(truth: np.ndarray, found: np.ndarray) -> str:
    table = contingency_matrix(truth, found)
    return f"{adjusted_rand_score(truth, found):.2f} / {table.max(axis=0).sum() / table.sum():.2f} ({len(np.unique(found))})"


def report(name: str, boxes: np.ndarray, truth: np.ndarray, embed: Embed) -> None:
    """One row: clusters of the embedding, of HDBSCAN, of size alone, of chance, and of the embedding with the true classes."""
    vectors = embed(boxes)
    profiles = np.stack([radial_profile(box)[1] for box in boxes])
    profiles = (profiles - profiles.mean(0)) / profiles.std(0)

    def grouped(points: np.ndarray, **changes: str) -> np.ndarray:
        return clusters_of(points, ClusterParticlesParameters(confidence=0, **changes), numpy_generator(0, "clusters")).label

    own = grouped(vectors)
    chance = numpy_generator(0, "chance").permutation(own)
    taught = cross_val_predict(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"), vectors, truth, cv=5)
    columns = [own, grouped(vectors, method="hdbscan"), grouped(profiles), chance, taught]
    print(f"| {name} | " + " | ".join(scores(truth, column) for column in columns) + " |", flush=True)


def mixtures(embed: Embed) -> None:
    """Molecules that taught nothing, the size of the mixture and the contrast changing."""
    library = {molecule.name: molecule for molecule in built_in_molecules()}
    held_out = [*(library[name] for name in HELD_OUT_MOLECULES), *(random_molecule(number, HELD_OUT_SEED + 1) for number in range(4))]
    bodies = torch.from_numpy(densities(held_out))
    radii = np.array([75.0, 65, 90, 125, 110, 80, 80, 80, 80])
    for count in (4, 9):
        for contrast in (1.0, 2.0, 4.0):
            rng = numpy_generator(1, "mixture", count, contrast)
            kinds = range(5) if count == 4 else range(9)
            drawn = [draw_views(kind, EACH, radii, rng) for kind in list(kinds)[:count]]
            views = {name: torch.from_numpy(np.concatenate([part[name] for part in drawn])) for name in drawn[0]}
            density = render(views, bodies)
            noise = torch.from_numpy(rng.standard_normal(density.shape, dtype=np.float32))
            boxes = recorded(density, draw_conditions(rng, contrast), noise).numpy()
            report(f"{count} molecules, contrast {contrast:g}", boxes, views["kind"].numpy(), embed)


def junk(embed: Embed) -> None:
    """What is no particle, among molecules that taught nothing: pieces of membrane, ice crystals, gold, places at the faces of a tomogram.

    Of each sort the share in clusters in which it, or junk of any sort, is the majority; particles the other way round.
    """
    p = SimulationParameters(voxel_size=VOXEL, size_z=64, size_y=320, size_x=320, snr=0.3, particles="groel, rubisco, fatty_acid_synthase",
                             occupancy=0.08, contamination_count=6, gold_count=12, vesicle_count=6, actin_count=0, unresolved_density=0.0)
    sums = np.zeros((5, 3))
    for seed in JUNK_SEEDS:
        made, rng = simulate(p, seed), numpy_generator(seed, "junk")
        number_of = {name: number for number, name in made.class_names.items()}
        sorts = [made.particles.zyx[rng.permutation(len(made.particles))[:5 * EACH]]]
        for mask in (made.membrane_mask > 0, made.class_mask == number_of["contamination"], made.class_mask == number_of["gold"]):
            places = np.argwhere(mask)
            sorts.append(places[rng.permutation(len(places))[:EACH]].astype(float))
        faces = rng.uniform(0, np.array(made.reconstruction.shape) - 1, (EACH, 3))
        faces[:, 0] = np.where(rng.random(EACH) < 0.5, 1.0, len(made.reconstruction) - 2.0)
        sorts.append(faces)
        volume = volume_from_array("junk", made.reconstruction, VOXEL, contrast="bright").data
        zyx, kind = np.concatenate(sorts), np.repeat(np.arange(5), [len(part) for part in sorts])
        found = clusters_of(embed(boxes_at(volume, zyx, VOXEL, box_scale(volume, zyx, VOXEL))), ClusterParticlesParameters(confidence=0),
                            numpy_generator(seed, "clusters")).label
        table = contingency_matrix(kind, found)
        of_junk = table[1:].sum(axis=0) > table[0]
        for row in range(5):
            largest = table[row] == table.max(axis=0)
            sums[row] += [len(sorts[row]), table[row, largest].sum(), table[row, of_junk if row else ~of_junk].sum()]
    print("| places | number | in clusters of their own sort | in clusters of junk; particles: of particles |\n| --- | --- | --- | --- |")
    for name, (number, own, right) in zip(("particles", "membrane", "ice", "gold", "faces of the tomogram"), sums):
        print(f"| {name} | {number:.0f} | {own / number:.2f} | {right / number:.2f} |", flush=True)


def sim_deepfinder(data: Path, embed: Embed) -> None:
    """The nine classes, all six tomograms together."""
    picker = load_centres(model_folder("general", "picker"))
    true, found = ([], []), ([], [])
    missed = false = 0
    for number in range(1, 7):
        path = data / f"tomograms/sim_deepfinder_tomo{number:02d}.mrc"
        volume, _ = open_cleaned(path, "dark", VOXEL)
        table = read_particles(data / f"annotations/sim_deepfinder_tomo{number:02d}.star", voxel_size=VOXEL)
        student = volume_from_array(path.stem, read_volume(path, VOXEL)[0], VOXEL, contrast="dark")
        picks = find_centres(student, picker, CPU, smallest_probability=0.3)
        distance, row = cKDTree(table.zyx).query(picks.zyx)
        hit = distance <= RADIUS_PX
        missed, false = missed + len(table) - len(np.unique(row[hit])), false + int((~hit).sum())
        for places, classes, (boxes, kinds) in ((table.zyx, table.class_id, true), (picks.zyx[hit], table.class_id[row[hit]], found)):
            boxes.append(boxes_at(volume, places, VOXEL, box_scale(volume, places, VOXEL)))
            kinds.append(classes)
    report("sim_deepfinder, true centres", np.concatenate(true[0]), np.concatenate(true[1]), embed)
    report(f"sim_deepfinder, picks ({missed} missed, {false} false left out)", np.concatenate(found[0]), np.concatenate(found[1]), embed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", default="general")
    arguments = parser.parse_args()
    network = load_embedding(model_folder(arguments.model, METHOD))

    def embed(boxes: np.ndarray) -> np.ndarray:
        return np.concatenate([forward(network, boxes[first:first + 64], CPU) for first in range(0, len(boxes), 64)])

    print("| adjusted Rand index / purity (clusters) | mixture | hdbscan | size alone | chance | embedding with classes |\n"
          "| --- | --- | --- | --- | --- | --- |", flush=True)
    mixtures(embed)
    junk(embed)
    if arguments.data.is_dir():
        sim_deepfinder(arguments.data, embed)


if __name__ == "__main__":
    main()
