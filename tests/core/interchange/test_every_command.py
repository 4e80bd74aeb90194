"""Every parameter of every command that takes a tomogram, mask or particle list takes what a copick project calls it."""
import json

import pytest
import typer

from cryoetseg.core.cli import app
from cryoetseg.core.commands.running import Planned, planning

TOMOGRAM, PICKS, MASK = "wbp@10.0", "ribosome:alice/1", "membrane:alice/1"
DATA = {
    **dict.fromkeys(("tomogram", "tomograms", "noisy", "clean", "half1", "half2", "target", "source", "subtomograms", "empty", "restored",
                     "grand_model", "like"), TOMOGRAM),
    **dict.fromkeys(("particles", "lists", "truth_particles"), PICKS),
    **dict.fromkeys(("labels", "mask", "masks", "truth_mask", "source_masks", "target_masks"), MASK),
}
# paths that are no data of a project: results, models, lists of other programs, density maps
OTHERS = ("out", "model", "start", "template", "results", "relion", "project", "mean_free_path", "training", "job", "array", "steps",
          "batch", "leave", "checkpoint", "generated", "traced", "file", "figure")
SCORED = {"segmentation": f"{MASK}@10.0", "picking": PICKS, "restoration": TOMOGRAM}  # what evaluate compares
MORE = {"segment slabs": "--z 2:4", "pick dog": "--particle-diameter 60"}  # what a command asks for beside files
# what a command or one of its parameters comes with; Vox-UDA would simulate its source at once
TOGETHER = {"train segmenter tomogram": ["labels"], "voxuda train": ["source", "source_masks"], "dual train half1": ["half2"],
            "voxuda ablation": ["source", "source_masks"], "dual train half2": ["half1"]}


def commands(group, words=()):
    """Every command with its words."""
    if not hasattr(group, "list_commands"):
        yield " ".join(words), group
        return
    for name in group.list_commands(None):
        yield from commands(group.get_command(None, name), (*words, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


def paths_of(command):
    return {parameter.name: parameter for parameter in command.params if "pathlib.Path" in str(vars(parameter))}


def kinds_of(words):
    return {**DATA, **dict.fromkeys(("predicted", "truth"), SCORED.get(words.rpartition(" ")[2]))}


CASES = [(words, name) for words, command in COMMANDS.items() if words != "info"
         for name in paths_of(command) if kinds_of(words).get(name)]


def test_every_path_of_a_command_is_known():
    assert {name for command in COMMANDS.values() for name in paths_of(command)} <= {*DATA, *OTHERS, "predicted", "truth"}
    assert len(CASES) > 60


@pytest.mark.parametrize(("words", "name"), [pytest.param(*case, id=" ".join(case)) for case in CASES])
def test_a_project_stands_for_its_files(words, name, unchanged_copick_config, tmp_path):
    command, kinds = COMMANDS[words], kinds_of(words)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "card.json").write_text("{}")
    arguments = [*words.split(), *MORE.get(words, "").split(), "--out", str(tmp_path / "out")]
    wanted = {name, *TOGETHER.get(words, []), *TOGETHER.get(f"{words} {name}", [])}
    for parameter in paths_of(command).values():
        if parameter.name == "out" or not (parameter.required or parameter.name in wanted):
            continue
        kind = kinds.get(parameter.name)
        value = f"copick:{unchanged_copick_config}?{kind}&run=TS_02" if kind else str(tmp_path / "model")
        arguments += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    with planning(), pytest.raises(Planned) as caught:
        app(args=arguments, standalone_mode=False)
    folder = {TOMOGRAM: "VoxelSpacing10.000", PICKS: "Picks"}.get(kinds[name], "Segmentations")
    found = [item for item in caught.value.job.inputs if f"TS_02/{folder}" in item.path]
    assert found, caught.value.job.inputs
    assert {item.voxel_size for item in found} <= {10.0, None}
    assert {item.tilt_series_id for item in found} <= {"TS_02", ""}


@pytest.mark.parametrize(("address", "kind", "voxel_size"), [
    (TOMOGRAM, "volume", 10.0), (f"{MASK}@10.0", "volume", 10.0), (PICKS, "particles", 1.0)])
def test_info_describes_what_an_address_stands_for(address, kind, voxel_size, unchanged_copick_config, capsys):
    app(args=["info", f"copick:{unchanged_copick_config}?{address}&run=TS_01", "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["voxel_size_angstrom"]) == (kind, voxel_size)

