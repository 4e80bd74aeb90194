"""Small cases of every method that applies something, on one simulated scene, in which each of its parameters can be seen to act."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from acting import Case
from small_scene import SCENE, Scene, as_role, general

from cryoetseg.core.methods import run_job
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume


def simulate(scene: Scene) -> Case:
    small = {**SCENE, "size_z": 12, "size_y": 48, "size_x": 48, "voxel_size": 16.0, "tube_count": 1, "tilt_step": 6.0}
    return Case("simulate", values=small, tried={"name": ["other"], "particles": ["apoferritin"]})


def simulate_subtomograms(scene: Scene) -> Case:
    return Case("simulate-subtomograms", values={"count": 3, "size": 16, "voxel_size": 20.0, "particles": "tric, ribosome_80s"},
                tried={"name": ["other"], "particles": ["tric"], "amplitude_contrast": [0.5]})


def segment_slabs(scene: Scene) -> Case:
    of_others = ("averaged_slices", "clahe", "smoothing_sigma", "slab_contrast", "noise_reach", "empty_prompt", "weights_folder",
                 "backbone", "cellpose_model", "splitter")
    # begun with the eigenimage of the fewest contours, so that others join it
    merging = {"separation": "slices", "solver": "eigen", "aggregation": "greedy", "base_contours": 0, "merged_contours": 1000,
               "merge_similarity": -1.0, "neighbour_similarity": -1.0, "centre_similarity": 1.0, "gradient_iterations": 8,
               "gradient_accumulation": 2}
    # widening would cover the gaps that are closed
    published = {"separation": "slices", "gradient_iterations": 8, "gradient_accumulation": 2, "membrane_dilation_px": 0}
    return Case("segment-slabs", scene.inputs("tomogram"),
                {"z_start": 8, "z_end": 11, "particle_diameter": 100.0, "tile_px": 64, "border_tokens": 1, "membrane_extent": 200.0,
                 "particle_threshold": 1.0},
                variants=[((), {**merging, "particle_diameter": 250.0}), ((), {}), ((), published), ((), merging),
                          ((), {"tile_px": 48, "overlap_px": 8})],
                tried={"z_start": [9], "z_end": [10], "gradient_iterations": [4]},
                unseen=dict.fromkeys(of_others, "needs weights that are fetched"))


def segment_membranes(scene: Scene) -> Case:
    return Case("segment-membranes", scene.inputs("tomogram"), {"smallest_component": 1e4, "tile_px": 64},
                variants=[([scene.trained("train-membranes")], {"threshold": 0.2}), ([general("membranes")], {})],
                tried={"z_end": [10], "z_start": [10], "smallest_component": [1e7], "overlap_px": [0]})


def threshold_membranes(scene: Scene) -> Case:
    def write(path: Path) -> None:
        probability = np.zeros((8, 24, 24), np.float32)
        probability[2:4], probability[6, :4, :4] = 0.6, 0.9
        write_volume(path, probability, 10.0)

    path = scene.made("probability.mrc", write)
    return Case("threshold-membranes", [InputFile(path=str(path), role="probability", tilt_series_id="p")], {"smallest_component": 1e3},
                tried={"smallest_component": [1e5], "threshold": [0.7]})


def curate_membranes(scene: Scene) -> Case:
    def mask(path: Path) -> None:
        values = np.zeros((8, 24, 24), np.int8)
        values[1, 2:8], values[5, 2:8] = 1, 1
        write_volume(path, values, 10.0)

    def probability(path: Path) -> None:
        values = np.full((8, 24, 24), 0.05, np.float32)
        values[1, 14:20], values[5, 14:20] = 0.3, 0.6
        values[1, 20:22] = 0.1
        write_volume(path, values, 10.0)

    inputs = [InputFile(path=str(scene.made(f"curated_{made.__name__}.mrc", made)), role=made.__name__, tilt_series_id="p")
              for made in (mask, probability)]
    return Case("curate-membranes", inputs, {"removed": '[["p", 4, 4, 1]]', "added": '[["p", 4, 16, 1]]'},
                tried={"removed": ['[["p", 4, 4, 5]]'], "added": ['[["p", 4, 16, 5]]'], "candidates_from": [0.08]})


def segment_filaments(scene: Scene) -> Case:
    def write(path: Path) -> None:
        settings = {"name": "tubes", "voxel_size": 12.0, "size_z": 24, "size_y": 96, "size_x": 96, "snr": 4.0, "particles": "none",
                    "vesicle_count": 0, "ellipsoid_count": 0, "tube_count": 0, "sheet_count": 0, "actin_count": 0, "microtubule_count": 3}
        run_job(Job(method="simulate", parameters=settings, output_folder=str(path), seed=4))

    tubes = InputFile(path=str(scene.made("tubes", write) / "tubes.mrc"), role="tomogram", contrast="dark")
    return Case("segment-filaments", [tubes, general("membranes")], {"smallest_length": 300.0, "smallest_section": 1000.0, "tile_px": 64},
                tried={"z_end": [12], "z_start": [12], "smallest_length": [2000.0], "smallest_section": [1e6], "largest_gap": [0.0, 40.0]},
                unseen={"z_auto": "the sample fills every slice"})


def pick_deepet(scene: Scene) -> Case:
    return Case("pick-deepet", scene.inputs("tomogram"), {"height_threshold": 0.05},
                variants=[([general("picker")], {}), ([scene.trained("train-picker")], {"height_threshold": 0.001, "cut": 0.01})],
                tried={"count": [1], "diameter_min": [260.0, 100.0, 5000.0], "diameter_max": [10.0, 150.0], "border": [100.0],
                       "distance": [400.0], "membrane_proteins": ["only", "drop"], "cut": [0.45, 0.49, 0.51, 0.55, 0.6],
                       "height_threshold": [0.3, 0.9]})


def segment_classes(scene: Scene) -> Case:
    return Case("segment-classes", [*scene.inputs("tomogram"), scene.trained("train-segmenter")], {"tile_px": 32, "overlap_px": 8},
                tried={"sizes": ["1:1-2,2:1-2"], "overlap_px": [0]},
                unseen=dict.fromkeys(("clustering", "cluster_radius", "largest_part", "smallest_score", "resample"),
                                     "needs a model that finds bodies, of another voxel size"))


def sheets(path: Path) -> None:
    """Two sheets that cross at 50 degrees, and a patch apart from them."""
    z, _, x = np.ogrid[-24:24, -24:24, -24:24]
    slope = np.deg2rad(50)
    mask = (np.abs(z - 4) <= 2) | (np.abs(x * np.sin(slope) + (z - 4) * np.cos(slope)) <= 2) | np.zeros((48, 48, 48), bool)
    mask[1:4, 2:14, 2:14] = True
    write_volume(path, mask.astype(np.int8), 12.0)


def surfaces(method: str, scene: Scene, *more: InputFile, **tried: Sequence[Any]) -> Case:
    mask = InputFile(path=str(scene.made("scene_sheets.mrc", sheets)), role="mask", tilt_series_id="scene")
    return Case(method, [mask, *more], {"smallest_component": 1e5},
                tried={"smallest_component": [1e6], "split_angle": [0.1, 90.0], **tried})


def measure_membranes(scene: Scene) -> Case:
    return surfaces("measure-membranes", scene)


def membrane_points(scene: Scene) -> Case:
    return surfaces("membrane-points", scene, most=[3], offset=[30.0], least_from_edge=[60.0])


def membrane_distance(scene: Scene) -> Case:
    def write(path: Path) -> None:
        write_particles(ParticleTable.from_points([[4, 8, 8], [32, 12, 12]], voxel_size=12.0, tilt_series_id="scene"), path)

    beside = InputFile(path=str(scene.made("beside.star", write)), role="particles", tilt_series_id="scene")
    return surfaces("membrane-distance", scene, beside, near=[1.0, 1000.0])


def pick_dog(scene: Scene) -> Case:
    return Case("pick-dog", scene.inputs("tomogram"), {"particle_diameter": 200.0, "count": 5})


def cluster_particles(scene: Scene) -> Case:
    def write(path: Path) -> None:
        zyx = np.random.default_rng(0).uniform([5, 8, 8], [19, 56, 56], (70, 3))
        write_particles(ParticleTable.from_points(zyx, voxel_size=12.0, tilt_series_id="scene", score=np.linspace(0.2, 0.9, 70)), path)

    picks = InputFile(path=str(scene.made("many.star", write)), role="particles", tilt_series_id="scene")
    return Case("cluster-particles", [*scene.inputs("tomogram", "mask"), picks], {"smallest_cluster": 5, "sample": 60, "average": 3},
                tried={"smallest_cluster": [20, 30], "most_clusters": [2, 3], "confidence": [0.999], "average": [1],
                       "near_membrane": [0.0, 1000.0], "sample": [50]},
                unseen={"model": "one is shipped", "map_points": "needs more than fifty particles on a map that is drawn"})


def select_particles(scene: Scene) -> Case:
    def write(path: Path) -> None:
        write_particles(ParticleTable.from_points([[1, 2, 3], [4, 5, 6]], voxel_size=10.0, tilt_series_id="t", class_id=np.array([1, 2]),
                                                  score=np.array([0.1, 0.9])), path)

    picks = InputFile(path=str(scene.made("two.star", write)), role="particles")
    return Case("select-particles", [picks], tried={"clusters": ["2"], "lowest_score": [0.5]})


def export_particles(scene: Scene) -> Case:
    return Case("export-particles", scene.inputs("particles", "tomogram"), tried={"tilt_series_pixel": [2.5]})


def export_chimerax(scene: Scene) -> Case:
    return Case("export-chimerax", scene.inputs("tomogram", "mask", "particles"), tried={"marker_radius": [50.0]})


def export_ome_zarr(scene: Scene) -> Case:
    return Case("export-ome-zarr", scene.inputs("tomogram"))


def evaluate_segmentation(scene: Scene) -> Case:
    truth, predicted = as_role(scene.input("mask"), "truth"), as_role(scene.input("classes"), "predicted")
    return Case("evaluate-segmentation", [truth, predicted], {"bootstrap_repeats": 50},
                tried={"threshold": [1.0, 2.0], "z_start": [5], "z_end": [12], "tolerance_px": [0.0, 4.0]})


def evaluate_picking(scene: Scene) -> Case:
    def write(path: Path) -> None:
        table = read_particles(scene.input("particles").path)
        steps = np.where(np.arange(len(table)) % 2, 3.0, 9.0)[:, None]  # half of them too far away
        moved = replace(table, zyx=table.zyx + steps, class_id=table.class_id[::-1].copy(), score=np.linspace(1, 0, len(table)))
        write_particles(moved, path)

    predicted = InputFile(path=str(scene.made("moved.star", write)), role="predicted", tilt_series_id="scene")
    truth = as_role(scene.input("particles"), "truth")
    return Case("evaluate-picking", [predicted, truth], {"radius_px": 6.0, "bootstrap_repeats": 50},
                tried={"recall_counts": ["2"], "size_limits": ["200"], "z_start": [8, 12], "z_end": [12, 8]})


def evaluate_restoration(scene: Scene) -> Case:
    predicted, truth = as_role(scene.input("tomogram"), "predicted"), as_role(scene.input("restored"), "truth")
    return Case("evaluate-restoration", [predicted, truth],
                tried={"z_start": [5], "z_end": [12], "shell_threshold": [0.1, 0.9]})


def denoise_dual(scene: Scene) -> Case:
    return Case("denoise-dual", [*scene.inputs("tomogram"), scene.trained("train-dual")])


def simulate_dual(scene: Scene) -> Case:
    return Case("simulate-dual", [*scene.inputs("grand_model"), scene.trained("train-dual")])


def convert_dual(scene: Scene) -> Case:
    return Case("convert-dual", [*scene.inputs("tomogram"), scene.trained("train-dual")])


def fill_wedge(scene: Scene) -> Case:
    return Case("fill-wedge", scene.inputs("tomogram"), {"tilt_min": -50.0, "tilt_max": 50.0},
                variants=[([scene.trained("train-dual")], {}), ([scene.trained("train-dual-wedge")], {})])


def compare_denoisers(scene: Scene) -> Case:
    return Case("compare-denoisers", [*scene.inputs("tomogram", "grand_model", "particles"), scene.trained("train-dual")],
                {"particle_diameter": 200.0})


def generate_particles(scene: Scene) -> Case:
    return Case("generate-particles", [scene.trained("train-generator")], {"count": 2, "steps": 2},
                tried={"name": ["other"], "classes": ["tric"], "position": ["anywhere"], "precision": ["bfloat16"],
                       "guidance": [2.0]})


def segment_subtomograms(scene: Scene) -> Case:
    boxes = as_role(scene.boxes("target"), "subtomogram")
    return Case("segment-subtomograms", [boxes, *scene.inputs("tomogram"), scene.trained("train-voxuda")],
                tried={"threshold": [0.3, 0.7], "overlap": [0.0]})


def export_copick(scene: Scene) -> Case:
    return Case("export-copick", scene.inputs("tomogram", "mask", "particles"),
                tried={"user": ["someone"], "session": ["2"], "tomogram_type": ["wbp"]}, unseen={"project": "one that exists"})


LONG = {"simulate", "segment-slabs", "segment-membranes", "segment-filaments", "pick-deepet", "segment-classes", "cluster-particles",
        "membrane-points", "denoise-dual", "simulate-dual", "convert-dual", "fill-wedge", "compare-denoisers", "generate-particles",
        "segment-subtomograms"}  # minutes of processor time together
CASES = {case.__name__.replace("_", "-"): case for case in (
    simulate, simulate_subtomograms, segment_slabs, segment_membranes, threshold_membranes, curate_membranes, segment_filaments,
    pick_deepet, segment_classes, measure_membranes, membrane_points, membrane_distance, pick_dog, cluster_particles, select_particles,
    export_particles, export_chimerax, export_ome_zarr, export_copick, evaluate_segmentation, evaluate_picking, evaluate_restoration,
    denoise_dual, simulate_dual, convert_dual, fill_wedge, compare_denoisers, generate_particles, segment_subtomograms)}
