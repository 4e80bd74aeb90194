"""copick projects in and out: by hand-made projects, zarr and JSON, and by the library itself where it is installed."""
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from cryoetseg.core.commands.addresses import known, resolved
from cryoetseg.core.commands.running import input_file
from cryoetseg.core.interchange.copick_project import parse_pattern, parse_uri, read_project
from cryoetseg.core.methods import run_job
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError, OutputError, ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import read_labels, read_volume, write_volume

path = Path

def test_parts_of_addresses():
    assert parse_uri("copick:/a/c.json?wbp@10.0&run=TS_*") == (path("/a/c.json"), "wbp@10.0", "TS_*")
    assert parse_uri("copick:c.json") == (path("c.json"), "", "*")
    assert parse_pattern("ribosome:alice/1") == ("ribosome", "alice", "1", "*")
    assert parse_pattern("membrane:alice/1@10") == ("membrane", "alice", "1", "10")
    with pytest.raises(InputError, match="quotation"):
        parse_uri("copick:c.json?wbp&other")


def test_what_a_project_holds(copick_config):
    project = read_project(copick_config)
    assert project.run_names() == ["TS_01", "TS_02"]
    assert [entry.uri for entry in project.tomograms(parse_pattern(""), "TS_01")] == ["wbp@10", "denoised@20.012"]
    assert [entry.uri for entry in project.picks(parse_pattern("*:bob"), "TS_02")] == ["p97:bob/2"]
    assert [(entry.uri, entry.labels) for entry in project.segmentations(parse_pattern(""), "TS_01")] == [
        ("all:alice/1@10", "multilabel"), ("membrane:alice/1@10", "")]


def test_the_overlay_hides_the_static_root(copick_config):
    overlay = copick_config.parent / "overlay" / "ExperimentRuns" / "TS_01" / "Picks"
    overlay.mkdir(parents=True)
    (overlay / "alice_1_ribosome.json").write_text('{"points": []}')
    (entry,) = read_project(copick_config).picks(parse_pattern("ribosome"), "TS_01")
    assert len(read_particles(entry.path)) == 0


def test_tomograms_of_an_address_know_their_run_and_voxel_size(copick_config):
    files = resolved("tomograms", [path(f"copick:{copick_config}?denoised@20.012")])
    inputs = [input_file(file) for file in files]
    assert [(item.tilt_series_id, item.voxel_size) for item in inputs] == [("TS_01", 20.012), ("TS_02", 20.012)]
    assert read_volume(inputs[1].path, inputs[1].voxel_size)[0][0, 0, 1] == pytest.approx(21.012)
    one = resolved("tomogram", path(f"copick:{copick_config}?wbp&run=TS_02"))
    assert known(one).tilt_series_id == "TS_02"


def test_picks_and_masks_of_an_address(copick_config):
    (picks,) = resolved("particles", [path(f"copick:{copick_config}?ribosome&run=TS_01")])
    item = input_file(picks, "particles")
    table = read_particles(item.path, voxel_size=item.voxel_size)
    assert table.zyx.tolist() == [[5, 10, 3]]  # copick: voxel = Angstrom / voxel size
    assert table.tilt_series_ids() == ["TS_01"]
    (mask,) = resolved("labels", [path(f"copick:{copick_config}?membrane@10&run=TS_02")])
    assert np.flatnonzero(read_labels(mask)[0].any(axis=(1, 2))).tolist() == [4]


@pytest.mark.parametrize(("query", "error", "mentions"), [
    ("?", InputError, "several tomograms of a run.*wbp@10"), ("?wbp@11", InputError, "one of: wbp@10, denoised@20.012"),
    ("?wbp@ten", InputError, "a number"), ("?wbp", ParameterError, "2 files"), ("?none&run=TS_01", InputError, "names nothing")])
def test_addresses_that_are_not_clear_say_what_there_is(copick_config, query, error, mentions):
    with pytest.raises(error, match=mentions):
        resolved("tomogram", path(f"copick:{copick_config}{query}"))


@pytest.mark.parametrize(("change", "mentions"), [
    ({"overlay_root": "s3://bucket/project"}, "data fetch"), ({"config_type": "cryoet_data_portal"}, "data fetch"),
    ({"overlay_root": "", "static_root": ""}, "overlay_root"), ({"pickable_objects": None}, "pickable_objects"),
    ({"pickable_objects": [0]}, "pickable_objects"), ({"pickable_objects": [{"name": "a", "label": "1,2"}]}, "label or radius"),
    ({"runs": ["TS_01", 7]}, "runs")])
def test_projects_that_are_not_here_say_how_to_get_them(copick_config, change, mentions):
    copick_config.write_text(json.dumps({**json.loads(copick_config.read_text()), **change}))
    with pytest.raises(InputError, match=mentions):
        read_project(copick_config)


@pytest.fixture
def exported(tmp_path):
    """A tomogram, masks and picks of two classes with orientations, written into a new project."""
    shape, folder = (10, 70, 30), tmp_path / "in"
    write_volume(folder / "TS_01.mrc", np.arange(21000, dtype=np.float32).reshape(shape), 13.48)
    mask = np.zeros(shape, dtype=np.int8)
    mask[3] = 1
    write_volume(folder / "TS_01_membranes.mrc", mask, 13.48)
    mask[6] = 5
    write_volume(folder / "TS_01_classes.mrc", mask, 13.48)
    write_volume(folder / "TS_01_instances.mrc", mask * 60, 13.48)
    table = ParticleTable.from_points([[1, 2, 3], [4, 50, 6], [7, 8, 9]], voxel_size=13.48, tilt_series_id="TS_01", class_id=[1, 5, 5],
                                      class_names={1: "ribosome 80S", 5: "p97"}, score=[0.9, 0.8, 0.7], angles=[[10, 20, 30]] * 3,
                                      diameters=[250.0, 150, 150])
    write_particles(table, folder / "picks.star")
    inputs = [InputFile(path=str(folder / "TS_01.mrc"), tilt_series_id="TS_01")]
    inputs.append(InputFile(path=str(folder / "picks.star"), role="particles"))
    inputs += [InputFile(path=str(folder / f"TS_01_{what}.mrc"), role="mask") for what in ("membranes", "classes", "instances")]
    run_job(Job(method="export-copick", inputs=inputs, output_folder=str(tmp_path / "out"), parameters={"tomogram_type": "my wbp"}))
    return tmp_path / "out" / "copick.json"


def test_layout_of_a_written_project(exported):
    run = exported.parent / "data" / "ExperimentRuns" / "TS_01"
    assert {str(file.relative_to(run)) for file in run.glob("*/*")} == {
        "VoxelSpacing13.480/my-wbp.zarr", "Picks/cryoetseg_1_ribosome-80S.json", "Picks/cryoetseg_1_p97.json",
        "Segmentations/13.480_cryoetseg_1_membranes.zarr", "Segmentations/13.480_cryoetseg_1_classes-multilabel.zarr",
        "InstanceSegmentations/13.480_cryoetseg_1_instances.zarr"}
    objects = {item["name"]: item for item in json.loads(exported.read_text())["pickable_objects"]}
    assert (objects["p97"]["label"], objects["p97"]["radius"], objects["ribosome-80S"]["is_particle"]) == (5, 75.0, True)
    assert len({item["label"] for item in objects.values()}) == len(objects)
    classes = zarr.open_group(str(run / "Segmentations" / "13.480_cryoetseg_1_classes-multilabel.zarr"), mode="r")["0"][:]
    assert {int(classes[3, 0, 0]), int(classes[6, 0, 0])} == {objects["ribosome-80S"]["label"], objects["p97"]["label"]}
    picks = json.loads((run / "Picks" / "cryoetseg_1_p97.json").read_text())
    assert (picks["user_id"], picks["session_id"], picks["run_name"], picks["voxel_spacing"]) == ("cryoetseg", "1", "TS_01", 13.48)
    assert picks["points"][0]["location"] == pytest.approx({"x": 6 * 13.48, "y": 50 * 13.48, "z": 4 * 13.48})


LISTED = """
import copick, json, sys
import numpy as np
root = copick.from_file(sys.argv[1])
run = root.get_run("TS_01")
tomogram = run.get_voxel_spacing(13.48).get_tomograms("my-wbp")[0]
picks = run.get_picks(object_name="p97", user_id="cryoetseg", session_id="1")[0]
points, matrices = picks.numpy()
classes = run.get_segmentations(name="classes", is_multilabel=True)[0]
labels = {item.name: item.label for item in root.pickable_objects}
print(json.dumps({
    "shape": tomogram.numpy().shape, "last": float(tomogram.numpy()[-1, -1, -1]), "half": tomogram.numpy("1").shape,
    "points": points.tolist(), "matrix": matrices[0].tolist(), "score": [p.score for p in picks.points],
    "planes": [int(np.unique(classes.numpy()[z])[0]) for z in (3, 6)], "labels": labels,
    "membranes": np.flatnonzero(run.get_segmentations(name="membranes")[0].numpy().any(axis=(1, 2))).tolist(),
    "instances": np.unique(run.get_segmentations(name="instances", is_instance=True)[0].numpy()).tolist()}))
"""


def test_the_library_reads_what_is_written(exported, copick_python):
    found = copick_python(LISTED, exported)
    assert (found["shape"], found["last"], found["half"]) == ([10, 70, 30], 20999.0, [5, 35, 15])
    np.testing.assert_allclose(found["points"], np.array([[6, 50, 4], [9, 8, 7]]) * 13.48)
    from scipy.spatial.transform import Rotation

    expected = Rotation.from_euler("ZYZ", [10, 20, 30], degrees=True).inv().as_matrix()  # copick's documentation, "RELION to Copick"
    np.testing.assert_allclose(np.array(found["matrix"])[:3, :3], expected, atol=1e-6)
    np.testing.assert_allclose(found["score"], [0.8, 0.7], atol=1e-5)
    assert found["planes"] == [found["labels"]["ribosome-80S"], found["labels"]["p97"]]
    assert (found["membranes"], found["instances"]) == ([3], [0, 44, 60])


WRITTEN = """
import copick, json, sys
import numpy as np
from copick.impl.filesystem import CopickRootFSSpec, CopickConfigFSSpec
from copick.models import CopickPoint, CopickLocation
root = copick.from_file(sys.argv[1])
run = root.new_run("by-library")
tomogram = run.new_voxel_spacing(8.0).new_tomogram("denoised")
tomogram.from_numpy(np.arange(64 * 10 * 12, dtype=np.float32).reshape(64, 10, 12))
picks = run.new_picks("ribosome", "7", "carol")
picks.points = [CopickPoint(location=CopickLocation(x=8.0, y=16.0, z=24.0))]
picks.store()
mask = np.zeros((64, 10, 12), dtype=np.uint8)
mask[5] = 1
run.new_segmentation(8.0, "membrane", "7", False, "carol").from_numpy(mask)
print(json.dumps(True))
"""


def test_what_the_library_writes_is_read(copick_config, copick_python):
    copick_python(WRITTEN, copick_config)
    (tomogram,) = resolved("tomograms", [path(f"copick:{copick_config}?denoised@8&run=by-library")])
    assert read_volume(tomogram)[0][1, 0, 0] == 120
    assert read_volume(tomogram, 16.0)[0].shape == (32, 5, 6)
    (picks,) = resolved("particles", [path(f"copick:{copick_config}?ribosome:carol&run=by-library")])
    item = input_file(picks, "particles")
    assert read_particles(item.path, voxel_size=item.voxel_size).zyx.tolist() == [[3, 2, 1]]
    (mask,) = resolved("labels", [path(f"copick:{copick_config}?membrane:carol")])
    assert np.flatnonzero(read_labels(mask)[0].any(axis=(1, 2))).tolist() == [5]


def test_an_existing_project_keeps_what_it_has(copick_config, tmp_path, command):
    write_volume(tmp_path / "TS_02.mrc", np.arange(64, dtype=np.float32).reshape(4, 4, 4), 10.0)
    write_particles(ParticleTable.from_points([[1, 2, 3]], voxel_size=10.0, tilt_series_id="TS_02", class_names={1: "ribosome"}),
                    tmp_path / "p.star")
    words = ["export", "copick", tmp_path / "TS_02.mrc", "--particles", tmp_path / "p.star", "--project", copick_config, "--user", "eve"]
    command(*words, "--no-write-tomograms", "--out", tmp_path / "record")
    project = read_project(copick_config)
    assert list(project.objects()) == ["ribosome", "p97", "membrane"]
    assert project.objects()["ribosome"]["radius"] == 150
    (entry,) = project.picks(parse_pattern("ribosome:eve"))
    assert (entry.run, entry.path.parent.parent.parent.parent.name) == ("TS_02", "overlay")
    assert [entry.uri for entry in project.picks(parse_pattern("ribosome:alice"), "TS_02")] == ["ribosome:alice/1"]


def test_import_as_files(copick_config, tmp_path):
    project = InputFile(path=str(copick_config), role="copick")
    result = run_job(Job(method="import-copick", inputs=[project], output_folder=str(tmp_path / "out"),
                         parameters={"tomogram": "wbp@10", "run_names": "TS_02"}))
    volume, header = read_volume(tmp_path / "out" / "TS_02.mrc")
    assert (volume[0, 0, 1], header.voxel_size) == (11, 10.0)
    table = read_particles(tmp_path / "out" / "TS_02_particles.star")
    assert table.zyx.tolist() == [[5, 10, 3], [5, 10, 3]]
    assert sorted(table.class_names[number] for number in table.class_id) == ["p97", "ribosome"]
    assert np.unique(read_labels(tmp_path / "out" / "TS_02_all_alice_1.mrc")[0]).tolist() == [0, 1, 2]
    assert {item.kind for item in result.outputs} == {"tomogram", "particles", "mask"}
    assert {item.tilt_series_id for item in result.outputs} == {"TS_02"}


def test_instances_are_imported(copick_config, tmp_path, write_zarr):
    objects = np.zeros((12, 20, 16), dtype=np.uint16)
    objects[2, :5], objects[9, 3:] = 7, 300
    write_zarr(tmp_path / "overlay" / "ExperimentRuns" / "TS_01" / "InstanceSegmentations" / "10.000_alice_1_vesicle.zarr", objects, 10.0)
    (entry,) = read_project(copick_config).segmentations(parse_pattern("vesicle"))
    assert entry.labels == "instance"
    run_job(Job(method="import-copick", inputs=[InputFile(path=str(copick_config), role="copick")], output_folder=str(tmp_path / "out"),
                parameters={"tomogram": "wbp@10", "run_names": "TS_01", "segmentations": "vesicle"}))
    np.testing.assert_array_equal(read_labels(tmp_path / "out" / "TS_01_vesicle_alice_1.mrc")[0], objects)


@pytest.mark.parametrize("change", ["picks", "tomogram", "a further list"])
def test_a_project_that_changed_is_imported_again(copick_config, tmp_path, change):
    job = Job(method="import-copick", inputs=[InputFile(path=str(copick_config), role="copick")], output_folder=str(tmp_path / "out"),
              parameters={"tomogram": "wbp@10", "run_names": "TS_02"})
    first = run_job(job)
    assert run_job(job).seconds == first.seconds  # the same project: the stored result
    run = tmp_path / "static" / "ExperimentRuns" / "TS_02"
    picks = run / "Picks" / "alice_1_ribosome.json"
    if change == "picks":
        picks.write_text(picks.read_text().replace('"x": 30.0', '"x": 40.0'))
    elif change == "tomogram":
        zarr.open_group(str(run / "VoxelSpacing10.000" / "wbp.zarr"), mode="r+")["0"][0, 0, 1] = 7
    else:
        (picks.parent / "dora_1_ribosome.json").write_bytes(picks.read_bytes())
    assert run_job(job).sha256 != first.sha256
    table, volume = read_particles(tmp_path / "out" / "TS_02_particles.star"), read_volume(tmp_path / "out" / "TS_02.mrc")[0]
    assert (table.zyx[:, 2].max(), volume[0, 0, 1], len(table)) == {"picks": (4, 11, 2), "tomogram": (3, 7, 2)}.get(change, (3, 11, 3))


def export(folder, array, out="out", name="TS_01", **parameters):
    """A tomogram of these values, and what lies beside it, into a project in ``out`` or that of the parameter."""
    write_volume(folder / "t.mrc", array, 10.0)
    inputs = [InputFile(path=str(folder / "t.mrc"), tilt_series_id=name)]
    inputs += [InputFile(path=str(file), role="particles", tilt_series_id=name) for file in folder.glob("*.star")]
    return run_job(Job(method="export-copick", inputs=inputs, output_folder=str(folder / out), parameters=parameters))


GREY = np.arange(64, dtype=np.float32).reshape(4, 4, 4)


def test_a_tomogram_that_changed_is_written_again_but_not_over_that_of_another_project(tmp_path):
    export(tmp_path, GREY)
    export(tmp_path, GREY + 1)
    (written,) = (tmp_path / "out").rglob("*.zarr")
    assert read_volume(written)[0][0, 0, 0] == 1
    theirs = {"project": str(tmp_path / "out" / "copick.json")}
    assert export(tmp_path, GREY + 1, "same", **theirs).outputs[0].path == os.path.relpath(written, tmp_path / "same")
    with pytest.raises(InputError, match="another tomogram"):
        export(tmp_path, GREY + 2, "other", **theirs)
    assert read_volume(written)[0][0, 0, 0] == 1


@pytest.mark.parametrize("name", ["../../evil", "a/b", "..", "/etc/x"])
def test_runs_stay_in_the_project_whatever_their_name(tmp_path, name):
    export(tmp_path, GREY, "deep/out", name)
    (run,) = (tmp_path / "deep" / "out" / "data" / "ExperimentRuns").iterdir()
    assert [path.name for path in run.iterdir()] == ["VoxelSpacing10.000"]
    assert sorted(os.listdir(tmp_path / "deep")) == ["out"]


def test_two_classes_of_one_name_in_copick_are_refused(tmp_path):
    write_particles(ParticleTable.from_points([[1, 2, 3]] * 2, voxel_size=10.0, tilt_series_id="TS_01", class_id=[1, 2],
                                              class_names={1: "a b", 2: "a_b"}), tmp_path / "p.star")
    with pytest.raises(InputError, match=r"both be written as .*a-b\.json"):
        export(tmp_path, GREY)


def test_picks_of_somebody_else_under_the_same_ids_are_kept(tmp_path):
    write_particles(ParticleTable.from_points([[1, 2, 3]], voxel_size=10.0, tilt_series_id="TS_01", class_names={1: "ribosome"}),
                    tmp_path / "p.star")
    export(tmp_path, GREY)
    (picks,) = (tmp_path / "out").rglob("*ribosome.json")
    picks.write_text("curated")
    theirs = {"project": str(tmp_path / "out" / "copick.json")}
    with pytest.raises(OutputError, match=r"ribosome\.json exists"):
        export(tmp_path, GREY, "another", **theirs)
    assert picks.read_text() == "curated"
    export(tmp_path, GREY, "another", session="2", **theirs)
    export(tmp_path, GREY, "another", session="2", tomogram_type="once-more", **theirs)


def test_two_segmentations_that_would_be_one_file_are_refused(copick_config, tmp_path):
    (run,) = (copick_config.parent).rglob("TS_02/Segmentations")
    (binary,) = run.glob("*_membrane.zarr")
    shutil.copytree(binary, binary.with_name(binary.name.replace("_membrane.zarr", "_membrane-multilabel.zarr")))
    project = InputFile(path=str(copick_config), role="copick")
    with pytest.raises(InputError, match=r"membrane.*would both be written as TS_02_membrane"):
        run_job(Job(method="import-copick", inputs=[project], output_folder=str(tmp_path / "out"), parameters={"tomogram": "wbp@10"}))
