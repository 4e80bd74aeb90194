"""Small projects of other programs, and a training that did not end: folders and lists of files in which any one may be damaged."""
from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cryoetseg.core.commands.info import describe_file
from cryoetseg.core.dual.finish import DRAFT
from cryoetseg.core.dual.model import DualNetworks
from cryoetseg.core.dual.params import DualArchitecture
from cryoetseg.core.interchange import aretomo, relion_project
from cryoetseg.core.methods import run_job
from cryoetseg.core.models.card import ModelCard
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.files import write_text
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.training.checkpoint import Checkpoint, grouped, write_checkpoint
from cryoetseg.core.training.engine import LAST
from cryoetseg.core.volumes.io import write_volume

ARCHITECTURE = {"patch_px": 16, "denoiser_channels": "2,2", "generator_channels": "2,2", "noise_channels": "2,2,2", "filter_radius": 3,
                "code_length": 4}  # fmt: skip
TOMOGRAMS = """data_global
loop_
_rlnTomoName #1
_rlnTomoTiltSeriesPixelSize #2
_rlnTomoTomogramBinning #3
_rlnTomoSizeX #4
_rlnTomoSizeY #5
_rlnTomoSizeZ #6
_rlnTomoReconstructedTomogram #7
_rlnTomoHand #8
TS_01 2.5 4.0 32 24 16 TS_01.mrc -1
TS_02 2.5 4.0 32 24 16 TS_01.mrc -1
"""
LISTED = "Tilt_Series,Thickness(Pix),Tilt_Axis,Pix_Size(A)\nTS_01.mrc,300,84.2,2.5\n"
Reader = Callable[[Path], object]


def projects(folder: Path) -> dict[str, tuple[Path, Reader]]:
    """Write each below ``folder``; returns what may be damaged and what reads it, by name."""
    array = np.random.default_rng(0).normal(size=(4, 6, 8)).astype(np.float32)
    for name in ("relion5/TS_01.mrc", "aretomo/TS_01_Vol.mrc", "drawn.mrc"):
        write_volume(folder / name, array, 10.0)
    table = ParticleTable.from_points([[1.5, 2.0, 1.0], [2.0, 5.0, 6.0]], voxel_size=10.0, tilt_series_id="TS_01", class_id=1,
                                      class_names={1: "ribosome"}, angles=[10.0, 20.0, 30.0])
    write_text(folder / "relion5" / "tomograms.star", TOMOGRAMS)
    write_text(folder / "relion5" / "set.star", "data_\n_rlnTomoTomogramsFile tomograms.star\n_rlnTomoParticlesFile list.star\n")
    write_particles(table, folder / "relion5" / "list.star", format="relion5", tomogram_shape=array.shape)
    write_text(folder / "aretomo" / "TiltSeries_Metrics.csv", LISTED)
    return {
        "copick project": (_copick(folder, array, table), _import_copick),
        "tomograms.star": (folder / "relion5" / "tomograms.star", relion_project.read_tomograms),
        "optimisation set": (folder / "relion5", lambda path: read_particles(path / "set.star", tomogram_voxel_size=10.0)),
        "AreTomo3 list": (folder / "aretomo" / "TiltSeries_Metrics.csv", aretomo.read_tomograms),
        "training of dual": (_training(folder / "training"), _export_dual),
        "volume that is drawn": (folder / "drawn.mrc", _draw)}  # fmt: skip


def _copick(folder: Path, array: np.ndarray, table: ParticleTable) -> Path:
    write_volume(folder / "TS_01.mrc", array, 10.0)
    write_volume(folder / "mask.mrc", (array > 0).astype(np.int8), 10.0)
    write_particles(table, folder / "TS_01.star")
    roles = {"TS_01.mrc": "tomogram", "mask.mrc": "mask", "TS_01.star": "particles"}
    inputs = [InputFile(path=str(folder / name), role=role, tilt_series_id="TS_01") for name, role in roles.items()]
    run_job(Job(method="export-copick", inputs=inputs, output_folder=str(folder / "exported")), overwrite=True)
    project = folder / "exported"
    for name in ("job.json", "result.json", ".made_by_cryoetseg"):  # of our run, no part of a project
        (project / name).unlink(missing_ok=True)
    return project


def _import_copick(project: Path) -> object:
    with tempfile.TemporaryDirectory() as out:
        return run_job(Job(method="import-copick", inputs=[InputFile(path=str(project / "copick.json"), role="copick")], output_folder=out))


def _training(folder: Path) -> Path:
    architecture = DualArchitecture(**ARCHITECTURE)
    tensors = {name: tensor for part, network in DualNetworks(architecture).named_children()
               for name, tensor in grouped(f"networks/{part}", network.state_dict()).items()}
    write_checkpoint(folder / LAST, Checkpoint(tensors, {}))
    card = ModelCard(method="dual", network="dual", network_parameters=architecture.model_dump(), voxel_size=10.0, normalisation="standard")
    write_text(folder / DRAFT / "card.json", card.model_dump_json(indent=2))
    return folder


def _export_dual(training: Path) -> object:
    with tempfile.TemporaryDirectory() as out:
        return run_job(Job(method="export-dual", inputs=[InputFile(path=str(training), role="training")], output_folder=out))


def _draw(volume: Path) -> object:
    with tempfile.TemporaryDirectory() as out:
        return describe_file(volume, None, None, Path(out, "picture.png"))
