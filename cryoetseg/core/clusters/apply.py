"""Clusters of the particles of tomograms, as a job: classes with confidences, averages, a table, a map, and likeness to examples."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..models.embedding3d import EmbeddingNetwork
from ..models.shelf import model_folder
from ..particles.belonging import particles_of
from ..particles.formats import read_particles, write_particles
from ..particles.table import ParticleTable, concatenate
from ..runtime.device import choose_device
from ..runtime.errors import InputError
from ..runtime.files import write_text
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import file_stem, meant, name_of, named_inputs, series_key
from ..runtime.params import parameters_from
from ..runtime.seeds import numpy_generator
from ..volumes.cleaned import checked_header, open_cleaned
from ..volumes.io import open_labels
from .counts import concentrations, neighbour_table, promised, sample_of
from .describe import near_mask, neighbour_distance
from .embed import Picks, box_scale, boxes_at, embedded, forward
from .grouping import UNSURE, clusters_of, flat_map, likeness
from .model import METHOD, load_embedding
from .params import ClusterParticlesParameters
from .pictures import write_clusters

RADII = np.concatenate([np.arange(0.0, 1000.0, 100.0), np.arange(1000.0, 3001.0, 250.0)])  # A, shells of the neighbour curve


def run(job: Job) -> MethodOutcome:
    """Cluster the particles (role ``particles``) of the tomograms (role ``tomogram``); lists with the role ``like`` are examples, and masks
    with the role ``mask`` tell which picks are near membranes. Raises :class:`InputError` where no particle belongs to a tomogram."""
    p, folder = parameters_from(ClusterParticlesParameters, job.parameters), Path(job.output_folder)
    device = choose_device(job.device)
    network = load_embedding(model_folder(p.model, METHOD)).to(device)
    picks = [part for part in _all_picks(job, network, device, folder) if len(part.table)]
    if not picks:
        raise InputError("no particle of the list lies in one of the tomograms", "a list of particles of these tomograms",
                         "check the names of the tilt series and the voxel size of the list")
    vectors = np.concatenate([part.vectors for part in picks])
    found = clusters_of(vectors, p, numpy_generator(job.seed, "clusters"))
    rows = _rows(job, picks, found.label, found.confidence, p)
    chosen = np.sort(numpy_generator(job.seed, "map").permutation(len(vectors))[:p.map_points])
    places = flat_map(vectors[chosen], numpy_generator(job.seed, "map", "places"))
    rows.loc[chosen, ["map_x", "map_y"]] = places
    outcome = MethodOutcome()
    _write_lists(rows, picks, found.label, found.confidence, folder, outcome)
    _write_likeness(job, picks, vectors, rows, folder, outcome)
    write_text(folder / "picks.csv", rows.to_csv(index=False, float_format="%.5g"))
    outcome.outputs.append(Output(kind="table", path="picks.csv"))
    write_clusters(picks, rows, p, job.seed, folder, outcome)
    _write_counts(picks, rows, job.seed, folder, outcome)
    share = float((found.label == UNSURE).mean())
    outcome.metrics.update({"particles": len(vectors), "clusters": int(found.label.max()), "unsure_share": share})
    return outcome


def _all_picks(job: Job, network: EmbeddingNetwork, device: Any, folder: Path) -> list[Picks]:
    items = named_inputs(job, "tomogram")
    names = [name_of(item) for item in items]
    result = []
    for item, name in zip(items, names):
        checked_header(item)
        volume, header = open_cleaned(item.path, item.contrast, item.voxel_size)
        tables = [particles_of(_read(source, header.shape, header.voxel_size), name, names, header.voxel_size)
                  for source in job.inputs_of("particles")]
        own = concatenate(tables)
        inside = ((own.zyx >= -0.5) & (own.zyx < np.array(volume.shape) - 0.5)).all(axis=1)
        if not inside.all():
            raise InputError(f"{int((~inside).sum())} of {len(own)} particles lie outside the tomogram {name}",
                             f"0 to {(np.array(volume.shape) - 1).tolist()} (z, y, x)",
                             "coordinates of another binning are the usual cause: give the voxel size of the particle list")
        own = replace(own, tilt_series_id=np.full(len(own), name, dtype=object), class_names={})
        vectors = embedded(volume, own.zyx, header.voxel_size, network, device, folder / "embedding" / file_stem(name), f"embed {name}")
        result.append(Picks(name, volume, header.voxel_size, own, vectors))
    return result


def _read(item: InputFile, shape: tuple[int, int, int], voxel_size: float) -> ParticleTable:
    return read_particles(item.path, voxel_size=item.voxel_size, tilt_series_id=item.tilt_series_id, tomogram_shape=shape,
                          tomogram_voxel_size=voxel_size)


def _rows(job: Job, picks: list[Picks], label: np.ndarray, confidence: np.ndarray, p: ClusterParticlesParameters) -> pd.DataFrame:
    """What is known of each pick; lengths in Angstrom."""
    parts, first = [], 0
    masks = job.inputs_of("mask")
    for part in picks:
        own = slice(first, first + len(part.table))
        first = own.stop
        frame = pd.DataFrame({"tilt_series_id": part.name, **{axis: part.table.zyx[:, n] for n, axis in enumerate("zyx")}})
        frame["voxel_size"] = part.voxel_size
        frame["cluster"], frame["confidence"] = label[own], confidence[own]
        frame["score"], frame["diameter"] = part.table.score, part.table.diameters
        frame["neighbour"] = neighbour_distance(part.table.zyx, label[own], part.voxel_size)
        keys = [series_key(name_of(item)) for item in masks]
        mask = [item for item, key in zip(masks, keys) if len(masks) == len(picks) == 1 or meant(series_key(part.name), keys) == key]
        frame["near_membrane"] = None
        if mask:
            frame["near_membrane"] = near_mask(open_labels(mask[0].path).data, part.table.zyx, part.voxel_size, p.near_membrane)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True).assign(map_x=np.nan, map_y=np.nan)


def _write_counts(picks: list[Picks], rows: pd.DataFrame, seed: int, folder: Path, outcome: MethodOutcome) -> None:
    """Numbers in the sample's volume, neighbours over chance, and what the scores promise."""
    samples = {part.name: sample_of(part.volume, part.voxel_size, numpy_generator(seed, "sample", part.name)) for part in picks}
    for name, table in (("counts.csv", concentrations(rows, samples)), ("neighbours.csv", neighbour_table(rows, samples, RADII)),
                        ("scores.csv", promised(rows["score"].to_numpy(dtype=float)))):
        write_text(folder / name, table.to_csv(index=False, float_format="%.4g"))
        outcome.outputs.append(Output(kind="table", path=name))


def _write_lists(rows: pd.DataFrame, picks: list[Picks], label: np.ndarray, confidence: np.ndarray, folder: Path,
                 outcome: MethodOutcome) -> None:
    """One list with classes and confidences where voxel sizes are alike, else one each."""
    names = {UNSURE: "unsure", **{int(number): f"cluster {number}" for number in range(1, int(label.max()) + 1)}}
    first, tables = 0, []
    for part in picks:
        own = slice(first, first + len(part.table))
        first = own.stop
        tables.append(replace(part.table, class_id=label[own], score=confidence[own], class_names=names))
    alike = max(part.voxel_size for part in picks) < 1.001 * min(part.voxel_size for part in picks)
    files = {"particles.star": concatenate(tables)} if alike else {f"{file_stem(part.name)}_particles.star": table
                                                                    for part, table in zip(picks, tables)}
    for name, table in files.items():
        write_particles(table, folder / name)
        outcome.outputs.append(Output(kind="particles", path=name, voxel_size=table.voxel_size))


def _write_likeness(job: Job, picks: list[Picks], vectors: np.ndarray, rows: pd.DataFrame, folder: Path, outcome: MethodOutcome) -> None:
    """Rank all picks by likeness to those of the lists ``like``, which need not be among the picks themselves."""
    if not job.inputs_of("like"):
        return
    device = choose_device(job.device)
    network = load_embedding(model_folder(job.parameters["model"], METHOD)).to(device)
    names, examples = [part.name for part in picks], []
    for part in picks:
        for item in job.inputs_of("like"):
            own = particles_of(_read(item, part.volume.shape, part.voxel_size), part.name, names, part.voxel_size)  # type: ignore[arg-type]
            if len(own):
                scale = box_scale(part.volume, part.table.zyx, part.voxel_size)
                examples.append(forward(network, boxes_at(part.volume, own.zyx, part.voxel_size, scale), device))
    if not examples:
        raise InputError("no example of --like lies in one of the tomograms", "a list of some particles of these tomograms")
    rows["likeness"] = likeness(vectors, np.concatenate(examples))
    order = np.argsort(-rows["likeness"].to_numpy(), kind="stable")
    if max(part.voxel_size for part in picks) < 1.001 * min(part.voxel_size for part in picks):
        table = replace(concatenate([part.table for part in picks]), score=rows["likeness"].to_numpy(), class_id=rows["cluster"].to_numpy())
        write_particles(table.select(order), folder / "ranked.star")
        outcome.outputs.append(Output(kind="ranked", path="ranked.star", voxel_size=table.voxel_size))

