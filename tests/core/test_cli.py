"""The command line: help at once, options from the parameter models, one line for every error, nothing done twice."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import typer

from cryoetseg.core import cli, methods
from cryoetseg.core.commands import options
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.job import Job, MethodOutcome, Output, read_job, write_job
from cryoetseg.core.runtime.params import Parameters, describe, parameter
from cryoetseg.core.volumes.io import write_volume

VOXEL_SIZE = 10.0
METHOD_OF_COMMAND = {
    "pipeline": "pipeline",
    "train picker": "train-picker",
    "pick deepet": "pick-deepet",
    "train segmenter": "train-segmenter",
    "segment classes": "segment-classes",
    "segment filaments": "segment-filaments",
    "segment slabs": "segment-slabs",
    "simulate": "simulate",
    "train backbone": "train-backbone",
    "segment membranes": "segment-membranes",
    "train membranes": "train-membranes",
    "pick dog": "pick-dog",
    "evaluate segmentation": "evaluate-segmentation",
    "evaluate picking": "evaluate-picking",
    "evaluate restoration": "evaluate-restoration",
}
OTHER_COMMANDS = ["", "segment", "evaluate", "pick", "train", "weights", "weights fetch", "weights verify", "weights list", "run", "info",
                  "batch", *(f"batch {name}" for name in ("plan", "submit", "status", "retry", "cancel", "collect", "work"))]  # fmt: skip


@pytest.fixture
def call(capsys):
    """Run the command line in this process: exit code, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run


@pytest.fixture
def tomogram(tmp_path):
    """Dark balls in noise, and where they are."""
    centres = np.array([[12, 12, 12], [12, 36, 30], [10, 24, 40]])
    grid = np.stack(np.meshgrid(*map(np.arange, (24, 48, 48)), indexing="ij"), -1)
    volume = np.random.default_rng(0).normal(0, 0.3, grid.shape[:3])
    for centre in centres:
        volume -= 4 * (np.linalg.norm(grid - centre, axis=-1) < 5)
    path = tmp_path / "balls.mrc"
    write_volume(path, volume.astype(np.float32), VOXEL_SIZE)
    write_particles(ParticleTable.from_points(centres, voxel_size=VOXEL_SIZE, tilt_series_id="balls"), tmp_path / "truth.star")
    return path


class CountParameters(Parameters):
    """A method of its own, so that running jobs is tested apart from what they compute."""

    factor: int = parameter(2, "Factor.", ge=1, unit="times")


class Counter:
    """Writes ``factor`` x ``seed``, and fails for seed 13."""

    runs = 0

    def __call__(self, job):
        if job.seed == 13:
            raise ParameterError("seed 13", "any other")
        Counter.runs += 1
        with open(os.path.join(job.output_folder, "out.txt"), "w") as stream:
            stream.write(str(job.parameters.get("factor", 2) * job.seed))
        return MethodOutcome(
            outputs=[Output(kind="table", path="out.txt")], metrics={"product": job.parameters.get("factor", 2) * job.seed}
        )


@pytest.fixture
def counting(monkeypatch):
    """The method ``count`` beside the real ones."""
    Counter.runs = 0
    monkeypatch.setitem(methods.METHODS, "count", methods.Method("parameters", "count"))
    monkeypatch.setattr(methods, "_load", lambda address: {"count": Counter(), "parameters": Parameters}[address])


def write_jobs(folder, seeds):
    folder.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds):
        write_job(folder / f"{number:02d}.json", Job(method="count", output_folder=str(folder / f"out{number}"), seed=seed))


# ---- help


@pytest.mark.parametrize("command", [*METHOD_OF_COMMAND, *OTHER_COMMANDS])
def test_help_imports_nothing_heavy(command):
    program = (
        "import sys; from cryoetseg.core.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: sys.stderr.write(','.join({'torch', 'diffusers', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program, *command.split(), "--help"], capture_output=True, text=True, check=True)
    assert "Usage: cryoetseg" in shown.stdout
    assert shown.stderr == ""


@pytest.mark.parametrize(("command", "method"), METHOD_OF_COMMAND.items())
def test_every_parameter_is_an_option_with_unit_and_default(call, command, method):
    code, shown, _ = call(*command.split(), "--help")
    assert code == 0
    words = " ".join(shown.split())
    ranged = ("segment slabs", "segment membranes", "segment filaments", "pipeline")
    spelled_otherwise = {"z_start", "z_end", "z_auto", "steps"} if command in ranged else set()
    for field in describe(methods.parameters_model(method)):
        if field.name not in spelled_otherwise:
            assert f"--{field.name.replace('_', '-')} " in words
            assert not field.unit or f"In {field.unit}." in words
    for option in ("--device", "--seed", "--json", "--verbose"):
        assert option in words


def test_version(call):
    code, shown, _ = call("--version")
    assert code == 0
    assert shown.startswith("cryoetseg 0.")


# ---- errors


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["segment", "slabs"], 2, "TOMOGRAM"),
        (["no-such-command"], 2, "no-such-command"),
        (["segment", "slabs", "none.mrc", "--z", "4:8", "--out", "out", "--no-such-option", "1"], 2, "no-such-option"),
        (["segment", "slabs", "none.mrc", "--z", "4:8", "--out", "out"], 2, "none.mrc"),
        (["segment", "slabs", "none.mrc", "--z", "8:4", "--out", "out"], 3, "8:4"),
        (["segment", "slabs", "none.mrc", "--z", "4:8", "--out", "out", "--solver", "magic"], 3, "solver"),
        (["segment", "slabs", "none.mrc", "--z", "4:8", "--out", "out", "--contrast", "grey"], 3, "grey"),
        (["info", "none.mrc"], 2, "none.mrc"),
        (["run", "none.json"], 8, "none.json"),
        (["run"], 3, "nothing to run"),
        (["weights", "verify", "no-such-weights"], 6, "no-such-weights"),
    ],
)
def test_errors_are_one_line_with_advice_and_a_code(call, tmp_path, monkeypatch, arguments, code, named):
    monkeypatch.chdir(tmp_path)
    got, out, err = call(*arguments)
    assert (got, out) == (code, "")
    assert err.startswith("error: ")
    assert named in err
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_verbose_adds_the_traceback(call):
    _, _, err = call("info", "none.mrc", "--verbose")
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("error: none.mrc")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError("Unable to allocate 9 GiB"), 5, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 5, "out of memory"),
        (ZeroDivisionError("division\nby zero"), 70, "unexpected ZeroDivisionError: division by zero"),
    ],
)
def test_what_no_room_raises_on_purpose_is_still_one_line(call, monkeypatch, raised, code, said):
    def fail(*_):
        raise raised

    monkeypatch.setattr("cryoetseg.core.commands.info.describe_file", fail)
    got, _, err = call("info", "any.mrc")
    assert got == code
    assert said in err
    assert err.count("\n") == 1


# ---- jobs


def test_a_bare_job_file_is_run_and_not_run_again(call, tmp_path, counting):
    write_jobs(tmp_path / "jobs", [7])
    code, shown, _ = call(tmp_path / "jobs" / "00.json")
    assert code == 0
    assert "product" in shown
    code, _, err = call(tmp_path / "jobs" / "00.json")
    assert (code, Counter.runs) == (0, 1)
    assert "already done" in err


def test_json_is_all_that_is_on_standard_output(call, tmp_path, counting):
    write_jobs(tmp_path / "jobs", [7])
    _, shown, _ = call("run", tmp_path / "jobs" / "00.json", "--json", "--seed", "4")
    assert json.loads(shown)["metrics"] == {"product": 8}


def test_the_former_array_tells_what_has_replaced_it(call, tmp_path):
    write_jobs(tmp_path / "jobs", [1])
    code, _, err = call("run", "--array", tmp_path / "jobs")
    assert code == 3
    assert "cryoetseg batch plan" in err
    assert call("run")[0] == 3



def test_options_reach_the_job_with_all_defaults(tmp_path, counting, monkeypatch):
    monkeypatch.setattr(options, "parameters_model", lambda name: CountParameters)
    assert options.checked_parameters("count", {"factor": 3}) == {"factor": 3}
    with pytest.raises(ParameterError, match="factor"):
        options.checked_parameters("count", {"factor": 0})


# ---- the commands themselves, on small volumes


def test_pick_and_evaluate(call, tmp_path, tomogram):
    code, _, err = call("pick", "dog", tomogram, "--out", tmp_path / "picks.star", "--particle-diameter", "100", "--count", "3")
    assert code == 0, err
    assert len(read_particles(tmp_path / "picks.star")) == 3
    job = read_job(tmp_path / "picks" / "job.json")
    assert job.inputs[0].path == str(tomogram)
    code, shown, err = call("evaluate", "picking", tmp_path / "picks.star", tmp_path / "truth.star", "--json")
    assert code == 0, err
    assert json.loads(shown)["metrics"]["f1"] == 1.0
    (tmp_path / "picks.txt").write_text("1 2 3\n")
    code, shown, err = call("evaluate", "picking", tmp_path / "picks.txt", tmp_path / "truth.star")
    assert code == 0, err
    assert "f1" in shown
    assert "warning: one of the lists does not tell its voxel size" in err


@pytest.mark.parametrize("suffix", [".tbl", ".em"])
def test_a_list_that_knows_tomograms_by_number_has_their_names_beside_it(call, tmp_path, tomogram, suffix):
    words = ["pick", "dog", tomogram, "--out", tmp_path / f"picks{suffix}", "--particle-diameter", "100", "--count", "3"]
    code, _, err = call(*words)
    assert code == 0, err
    assert read_particles(tmp_path / f"picks{suffix}").tilt_series_ids() == ["balls"]
    numbers = tmp_path / "picks_tomograms.csv"
    numbers.unlink()
    assert call(*words)[0] == 0  # what is done is completed
    numbers.write_text("mine")
    code, _, err = call(*words[:-1], "2")
    assert (code, numbers.read_text()) == (4, "mine"), err


def test_evaluate_segmentation_of_the_truth_is_perfect(call, tmp_path):
    mask = np.zeros((8, 16, 16), np.int8)
    mask[:, 4:9] = 1
    write_volume(tmp_path / "mask.mrc", mask, VOXEL_SIZE)
    code, shown, err = call("evaluate", "segmentation", tmp_path / "mask.mrc", tmp_path / "mask.mrc", "--json")
    assert code == 0, err
    assert json.loads(shown)["metrics"]["dice"] == 1.0


def test_info_tells_the_voxel_size_given(call, tomogram):
    _, shown, _ = call("info", tomogram, "--json", "--voxel-size", "12.5")
    content = json.loads(shown)
    assert (content["shape_zyx"], content["voxel_size_angstrom"], content["kind"]) == ([24, 48, 48], 12.5, "volume")


def test_info_of_picks_and_of_a_job(call, tmp_path, tomogram):
    assert json.loads(call("info", tmp_path / "truth.star", "--json")[1])["count"] == 3
    write_jobs(tmp_path / "jobs", [7])
    assert json.loads(call("info", tmp_path / "jobs" / "00.json", "--json")[1])["kind"] == "job"


@pytest.mark.parametrize("words", [["--out", ""], ["--out="], ["--out", " "]])
def test_an_empty_out_is_not_the_current_folder(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        cli.main(["pick", "dog", "tomogram.mrc", *words])
    assert end.value.code == ParameterError.exit_code
    assert "--out is empty" in capsys.readouterr().err
    assert not (tmp_path / "job.json").exists()


def test_a_name_too_long_for_the_disk_is_told_as_such(capsys):
    for words in (["info", "n" * 300 + ".mrc"], ["pick", "dog", __file__, "--out", "n" * 300]):
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        assert end.value.code == 2
        assert "File name too long. Allowed: a file or folder" in capsys.readouterr().err


def test_a_lack_of_memory_is_told_as_such_whatever_error_it_became(capsys):
    def fails():
        try:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        except OSError as error:
            raise InputError("a.mrc cannot be read", "a file this user may read") from error

    application = typer.Typer()
    application.command()(fails)
    assert cli.exit_code_of(application, [], "cryoetseg") == 5
    assert "out of memory: a.mrc cannot be read" in capsys.readouterr().err


def test_info_reads_a_list_counted_from_the_centre_with_its_tomogram(call, tomogram, tmp_path):
    columns = "".join(f"_rlnCenteredCoordinate{axis}Angst\n" for axis in "XYZ")
    (tmp_path / "relion.star").write_text(
        "data_optics\n_rlnOpticsGroup 1\n_rlnTomoTiltSeriesPixelSize 2.5\n\n"
        f"data_particles\n\nloop_\n_rlnTomoName\n{columns}_rlnOpticsGroup\nTS_01 -180 -190 -80 1\n")
    code, _, told = call("info", tmp_path / "relion.star")
    assert code == 2
    assert "--tomogram" in told
    code, shown, _ = call("info", tmp_path / "relion.star", "--tomogram", tomogram, "--json")
    assert code == 0
    np.testing.assert_allclose(json.loads(shown)["lowest_zyx"], [4, 5, 6], atol=1e-6)


def test_info_reads_annotations_by_lines_that_are_called_json(call, tmp_path):
    point = {"type": "point", "location": {"x": 3, "y": 2, "z": 1}}
    (tmp_path / "points.json").write_text(f"{json.dumps(point)}\n{json.dumps(point)}\n")
    code, shown, _ = call("info", tmp_path / "points.json", "--json")
    assert code == 0
    assert json.loads(shown)["count"] == 2
    (tmp_path / "damaged.json").write_text("{")
    assert call("info", tmp_path / "damaged.json")[0] == 2


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_algebra_does_not_wait_for_ever_for_memory_that_is_gone():
    program = (
        "import resource, numpy as np\n"
        "from cryoetseg.core import methods\n"
        "try:\n    methods.run_job(methods.Job(method='pick-dog', output_folder='/nowhere', inputs=[{'path': '/nowhere.mrc'}]))\n"
        "except Exception:\n    pass\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        "resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 4 * 2**20,) * 2)\n"
        "print(np.linalg.inv(2 * np.eye(3))[0, 0])\n")
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == "0.5\n"
