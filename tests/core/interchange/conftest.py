"""Projects of other programs, made by hand as their documentation says."""
import json
import os
import subprocess

import numpy as np
import pytest
import zarr

from cryoetseg.core.volumes.io import write_volume

SHAPE = (12, 20, 16)


@pytest.fixture
def copick_python():
    """An interpreter that has copick: its present release needs numpy 2 and zarr 2, so it lives in an environment of its own."""
    python = os.environ.get("CRYOETSEG_COPICK_PYTHON", "")
    if not python:
        pytest.skip("CRYOETSEG_COPICK_PYTHON names no interpreter with the library copick (pip install copick, in its own environment)")

    def run(code, *arguments):
        done = subprocess.run([python, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


def hand_made_zarr(path, array, voxel_size):
    """One level as copick 1 writes it: OME-Zarr 0.4, no translation."""
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    axes = [{"name": name, "type": "space", "unit": "angstrom"} for name in "zyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [voxel_size] * 3}]}]}]
    separator = {"name": "v2", "separator": "/"}
    group.create_array("0", shape=array.shape, dtype=array.dtype, chunks=(8, 8, 8), chunk_key_encoding=separator)[:] = array


@pytest.fixture
def write_zarr():
    return hand_made_zarr


@pytest.fixture
def copick_config(tmp_path):
    return written_project(tmp_path)


@pytest.fixture(scope="module")
def unchanged_copick_config(tmp_path_factory):
    """For tests that only read."""
    return written_project(tmp_path_factory.mktemp("copick"))


def written_project(folder):
    """A project of two runs, two tomograms each, picks of two objects, a mask and a class volume; half of it in a static root."""
    overlay, static = folder / "overlay", folder / "static"
    for run in ("TS_01", "TS_02"):
        for kind, size in (("wbp", 10.0), ("denoised", 20.012)):
            root = overlay if kind == "denoised" else static
            array = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE) + size
            hand_made_zarr(root / "ExperimentRuns" / run / f"VoxelSpacing{size:.3f}" / f"{kind}.zarr", array, size)
        picks = static / "ExperimentRuns" / run / "Picks"
        picks.mkdir(parents=True)
        for user, name in (("alice_1", "ribosome"), ("bob_2", "p97")):
            location = {"x": 30.0, "y": 100.0, "z": 50.0}
            points = [{"location": location, "transformation_": np.eye(4).tolist(), "instance_id": 0, "score": 0.5}]
            by, session = user.split("_")
            (picks / f"{user}_{name}.json").write_text(json.dumps({
                "pickable_object_name": name, "user_id": by, "session_id": session, "run_name": run, "unit": "angstrom", "points": points}))
        labels = np.zeros(SHAPE, dtype=np.uint8)
        labels[4] = 1
        hand_made_zarr(overlay / "ExperimentRuns" / run / "Segmentations" / "10.000_alice_1_membrane.zarr", labels, 10.0)
        labels[7] = 2
        hand_made_zarr(overlay / "ExperimentRuns" / run / "Segmentations" / "10.000_alice_1_all-multilabel.zarr", labels, 10.0)
    objects = [{"name": "ribosome", "is_particle": True, "label": 1, "color": [255, 0, 0, 255], "radius": 150},
               {"name": "p97", "is_particle": True, "label": 2, "color": [0, 255, 0, 255]},
               {"name": "membrane", "is_particle": False, "label": 3, "color": [0, 0, 255, 255]}]
    config = folder / "config.json"
    config.write_text(json.dumps({"config_type": "filesystem", "name": "test", "description": "", "version": "1.0.0", "user_id": "alice",
                                  "pickable_objects": objects, "overlay_root": f"local://{overlay}", "static_root": "static",
                                  "overlay_fs_args": {"auto_mkdir": True}}))
    return config


@pytest.fixture
def relion_project(tmp_path):
    """A RELION 5 project: two tomograms of 10 Angstrom, tilt series of 2.5, with tilts in their own files."""
    root = tmp_path / "relion"
    folder = root / "Tomograms" / "job012"
    (folder / "tomograms").mkdir(parents=True)
    (folder / "tilt_series").mkdir()
    rows = []
    for name in ("TS_01", "TS_02"):
        write_volume(folder / "tomograms" / f"rec_{name}.mrc", np.arange(24 * 64 * 72, dtype=np.float32).reshape(24, 64, 72), 10.0)
        (folder / "tilt_series" / f"{name}.star").write_text(
            f"data_{name}\n\nloop_\n_rlnMicrographName #1\n_rlnTomoYTilt #2\nframe1.mrc -51.5\nframe2.mrc 0.5\nframe3.mrc 57.5\n")
        rows.append(f"{name} 300.0 2.7 0.07 1.25 -1.0 2.5 Tomograms/job012/tilt_series/{name}.star 4.0 288 256 96 "
                    f"Tomograms/job012/tomograms/rec_{name}.mrc")
    columns = ["rlnTomoName", "rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast", "rlnMicrographOriginalPixelSize",
               "rlnTomoHand", "rlnTomoTiltSeriesPixelSize", "rlnTomoTiltSeriesStarFile", "rlnTomoTomogramBinning", "rlnTomoSizeX",
               "rlnTomoSizeY", "rlnTomoSizeZ", "rlnTomoReconstructedTomogram"]
    head = "\n".join(f"_{column} #{number}" for number, column in enumerate(columns, start=1))
    (folder / "tomograms.star").write_text(f"# version 50001\n\ndata_global\n\nloop_\n{head}\n" + "\n".join(rows) + "\n")
    return root


@pytest.fixture
def command(capsys):
    """Run the command line in this process; returns what it printed, fails unless the exit code is the expected one."""
    from cryoetseg.core import cli

    def run(*words, code=0):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(word) for word in words])
        printed = capsys.readouterr()
        assert (stop.value.code or 0) == code, printed.err
        return printed.out + printed.err

    return run
