"""Scenes for ChimeraX, checked by a parser of the commands' documented grammar, and the files that they open by other readers."""
import gzip
import re
import shlex
from xml.etree import ElementTree

import mrcfile
import numpy as np
import pytest

from cryoetseg.core.interchange.colours import CLASS_COLOURS
from cryoetseg.core.methods import run_job
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import JobError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume

MODEL = r"#\d+(\.\d+)?"
NUMBER, COLOUR = r"-?\d+(\.\d+)?(e-?\d+)?", r"#[0-9a-f]{6}"
TRIPLE = f"{NUMBER},{NUMBER},{NUMBER}"
# keywords and their values as the user's guide and the source of ChimeraX (open_command, map/volumecommand.py) have them
GRAMMAR = {
    "open": {"id": r"\d+(\.\d+)?", "name": ".+", "format": "mrc"},
    "volume": {"style": "surface|mesh|image", "level": NUMBER, "color": COLOUR, "step": r"\d+", "voxelSize": NUMBER, "origin": TRIPLE,
               "colorMode": "l8|auto8", "orthoplanes": "xyz|off", "positionPlanes": r"\d+,\d+,\d+", "imageMode": "orthoplanes|full region"},
    "lighting": {}, "view": {},
}


def parse(text):
    """Command, first argument and options of each line; fails on what the grammar lacks."""
    parsed = []
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        command, *words = shlex.split(line)
        assert command in GRAMMAR, line
        target = words.pop(0) if command in ("open", "volume", "lighting") else ""
        assert command != "volume" or re.fullmatch(MODEL, target), line
        options = dict(zip(words[::2], words[1::2]))
        assert len(words) == 2 * len(options), line
        for name, value in options.items():
            assert re.fullmatch(GRAMMAR[command][name], value), f"{name} {value} in {line}"
        parsed.append((command, target, options))
    return parsed


@pytest.fixture
def scene(tmp_path):
    """A tomogram whose header has an origin, a membrane mask, a label mask and particles of two classes."""
    shape, origin = (8, 10, 12), (40.0, -20.0, 0.0)
    write_volume(tmp_path / "TS 01.mrc", np.arange(960, dtype=np.float32).reshape(shape), 10.0, origin)
    mask = np.zeros(shape, dtype=np.int8)
    mask[2] = 1
    write_volume(tmp_path / "TS 01_membranes.mrc", mask, 10.0, origin)
    mask[5] = 4
    write_volume(tmp_path / "TS 01_classes.mrc", mask, 10.0, origin)
    table = ParticleTable.from_points([[1, 2, 3], [4, 5, 6], [7, 8, 9]], voxel_size=10.0, tilt_series_id="TS 01", class_id=[1, 3, 3],
                                      class_names={1: "ribosome & co", 3: "p97"}, score=[0.9, 0.8, 0.7], diameters=120.0)
    write_particles(table, tmp_path / "picks.star")
    inputs = [InputFile(path=str(tmp_path / "TS 01.mrc"), tilt_series_id="TS 01")]
    inputs.append(InputFile(path=str(tmp_path / "picks.star"), role="particles"))
    inputs += [InputFile(path=str(tmp_path / f"TS 01_{what}.mrc"), role="mask") for what in ("membranes", "classes")]
    run_job(Job(method="export-chimerax", inputs=inputs, output_folder=str(tmp_path / "scene")))
    return tmp_path / "scene"


def test_the_scene_is_what_chimerax_understands(scene):
    commands = parse((scene / "TS 01.cxc").read_text())
    opened = {options["id"]: (target, options["name"]) for command, target, options in commands if command == "open"}
    assert opened["1"] == ("../TS 01.mrc", "TS 01")
    assert opened["2"] == ("../TS 01_membranes.mrc", "membranes")
    assert {number: name for number, (_, name) in opened.items() if number > "2"} == {
        "3.1": "classes 1", "3.2": "classes 4", "4": "ribosome & co", "5": "p97"}
    for target, _ in opened.values():
        assert (scene / target).is_file(), target
    formats = {options.get("format") for command, target, options in commands if command == "open" and not target.endswith(".cmm")}
    assert formats == {"mrc"}
    shown = {target: options for command, target, options in commands if command == "volume"}
    assert (shown["#1"]["positionPlanes"], shown["#2"]["style"], shown["#2"]["level"]) == ("6,5,4", "surface", "0.5")
    assert shown["#3.2"]["color"] == CLASS_COLOURS[3]
    for model in ("#1", "#2", "#3.1", "#3.2"):
        assert ("volume", model, {"voxelSize": "10", "origin": "0,-20,40"}) in commands


def test_maps_of_probabilities_and_instances_are_surfaces(tmp_path):
    shape = (6, 8, 10)
    write_volume(tmp_path / "t.mrc", np.arange(480, dtype=np.float32).reshape(shape), 10.0)
    write_volume(tmp_path / "t_probability.mrc", np.linspace(0, 1, 480).reshape(shape).astype(np.float16), 10.0)
    write_volume(tmp_path / "t_few.mrc", (np.arange(480).reshape(shape) // 160 * 300).astype(np.int16), 10.0)
    write_volume(tmp_path / "t_many.mrc", np.arange(480).reshape(shape).astype(np.int16), 10.0)
    inputs = [InputFile(path=str(tmp_path / "t.mrc"), tilt_series_id="t")]
    inputs += [InputFile(path=str(tmp_path / f"t_{what}.mrc"), role="mask") for what in ("probability", "few", "many")]
    run_job(Job(method="export-chimerax", inputs=inputs, output_folder=str(tmp_path / "scene")))
    commands = parse((tmp_path / "scene" / "t.cxc").read_text())
    opened = {options["name"]: (options["id"], target) for command, target, options in commands if command == "open"}
    assert opened == {"t": ("1", "../t.mrc"), "probability": ("2", "../t_probability.mrc"), "few 300": ("3.1", "t_few_300.mrc"),
                      "few 600": ("3.2", "t_few_600.mrc"), "many": ("4", "../t_many.mrc")}  # above twenty objects one surface shows all
    levels = {target: options["level"] for command, target, options in commands if options.get("style") == "surface"}
    assert levels == dict.fromkeys(("#2", "#3.1", "#3.2", "#4"), "0.5")
    with mrcfile.open(tmp_path / "scene" / "t_few_600.mrc") as file:
        assert (file.data == (np.arange(480).reshape(shape) >= 320)).all()


@pytest.mark.parametrize("suffix", [".zarr", ".mrc.gz", ".em", ".tif"])
def test_what_chimerax_does_not_read_is_copied_as_mrc(tmp_path, suffix):
    """ChimeraX has no reader of .zarr, refuses packed files and takes no origin from EM and TIFF."""
    tomogram, mask = np.arange(960, dtype=np.float32).reshape(8, 10, 12), np.zeros((8, 10, 12), dtype=np.int8)
    mask[3] = 1
    for name, array in {"t": tomogram, "t_membranes": mask}.items():
        plain = tmp_path / (f"{name}.mrc" if suffix == ".mrc.gz" else f"{name}{suffix}")
        write_volume(plain, array, 10.0, (40.0, -20.0, 0.0))
        if suffix == ".mrc.gz":
            (tmp_path / f"{name}{suffix}").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
    inputs = [InputFile(path=str(tmp_path / f"t{suffix}"), tilt_series_id="t"),
              InputFile(path=str(tmp_path / f"t_membranes{suffix}"), role="mask")]
    outcome = run_job(Job(method="export-chimerax", inputs=inputs, output_folder=str(tmp_path / "scene")))
    commands = parse((tmp_path / "scene" / "t.cxc").read_text())
    opened = [(target, options["id"]) for command, target, options in commands if command == "open"]
    assert opened == [("t.mrc", "1"), ("t_membranes.mrc", "2")]
    kinds = {output.path: output.kind for output in outcome.outputs}
    assert kinds == {"t.cxc": "chimerax", "t.mrc": "tomogram", "t_membranes.mrc": "mask"}
    assert ("volume", "#2", {"voxelSize": "10", "origin": "0,-20,40"}) in commands
    for name, array in {"t": tomogram, "t_membranes": mask}.items():
        with mrcfile.open(tmp_path / "scene" / f"{name}.mrc") as file:
            np.testing.assert_array_equal(file.data, array)
            assert (float(file.voxel_size.x), file.header.origin.z) == (10.0, 40.0)


def test_markers_lie_where_the_tomogram_lies(scene):
    root = ElementTree.parse(scene / "TS 01_class3.cmm").getroot()
    assert (root.tag, root.get("name")) == ("marker_set", "p97")
    places = [[float(item.get(axis)) for axis in "xyz"] for item in root]
    assert places == [[60, 50 - 20, 40 + 40], [90, 80 - 20, 70 + 40]]
    assert [item.get("radius") for item in root] == ["60", "60"]
    assert "#" + "".join(f"{round(255 * float(root[0].get(part))):02x}" for part in "rgb") == CLASS_COLOURS[2]
    assert ElementTree.parse(scene / "TS 01_class1.cmm").getroot().get("name") == "ribosome & co"


def test_names_are_no_commands_and_no_folders(tmp_path):
    write_volume(tmp_path / "t.mrc", np.arange(960, dtype=np.float32).reshape(8, 10, 12), 10.0)
    tomogram = InputFile(path=str(tmp_path / "t.mrc"), tilt_series_id="a/b\nrunscript evil.py\u2028exit")
    run_job(Job(method="export-chimerax", inputs=[tomogram], output_folder=str(tmp_path / "scene")))
    (scene,) = tmp_path.rglob("*.cxc")
    assert scene.parent == tmp_path / "scene"
    commands = parse(scene.read_text())
    assert [command for command, _, _ in commands] == ["open", "volume", "volume", "lighting", "view"]
    assert commands[0][2]["name"] == "a/b runscript evil.py exit"


def test_files_for_surfaces_and_artiax(scene):
    with mrcfile.open(scene / "TS 01_classes_4.mrc") as file:
        assert np.flatnonzero(file.data.any(axis=(1, 2))).tolist() == [5]
        assert (file.data.max(), float(file.header.origin.z)) == (1, 40.0)
    assert read_particles(scene / "TS 01_class3.star").zyx.tolist() == [[4, 5, 6], [7, 8, 9]]


def test_objects_of_copick_are_classes_by_their_names(tmp_path):
    """Each list has one object and no number, in whatever order they come."""
    write_volume(tmp_path / "t.mrc", np.arange(960, dtype=np.float32).reshape(8, 10, 12), 10.0)
    inputs = [InputFile(path=str(tmp_path / "t.mrc"), tilt_series_id="t")]
    for user, name in (("a", "p97"), ("a", "ribosome"), ("b", "p97")):
        table = ParticleTable.from_points([[1, 2, 3]], voxel_size=10.0, tilt_series_id="t", class_names={1: name})
        write_particles(table, tmp_path / f"{user}_1_{name}.json")
        inputs.append(InputFile(path=str(tmp_path / f"{user}_1_{name}.json"), role="particles", voxel_size=10.0, tilt_series_id="t"))
    run_job(Job(method="export-chimerax", inputs=inputs, output_folder=str(tmp_path / "scene")))
    sets = [ElementTree.parse(tmp_path / "scene" / f"t_class{number}.cmm").getroot() for number in (1, 2)]
    assert [(root.get("name"), len(root)) for root in sets] == [("p97", 2), ("ribosome", 1)]


def test_what_belongs_to_no_tomogram_is_refused(tmp_path):
    for name in ("a", "b", "c"):
        write_volume(tmp_path / f"{name}.mrc", np.arange(27, dtype=np.float32).reshape(3, 3, 3), 10.0)
    inputs = [InputFile(path=str(tmp_path / f"{name}.mrc"), tilt_series_id=name) for name in "ab"]
    stray = InputFile(path=str(tmp_path / "c.mrc"), role="mask")
    with pytest.raises(JobError, match="belongs to none"):
        run_job(Job(method="export-chimerax", inputs=[*inputs, stray], output_folder=str(tmp_path / "out")))
    with pytest.raises(JobError, match="two tomograms"):
        run_job(Job(method="export-chimerax", inputs=[inputs[0], inputs[0]], output_folder=str(tmp_path / "out")))
