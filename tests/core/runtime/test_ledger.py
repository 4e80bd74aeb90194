"""A run writes into its folder alone, and over nothing that no run there made."""

import os
import subprocess
import sys

import pytest

from cryoetseg.core.runtime.errors import OutputError
from cryoetseg.core.runtime.files import check_permit, write_text
from cryoetseg.core.runtime.job import InputFile, Job, MethodOutcome, Output
from cryoetseg.core.runtime.record import recorded_run


@pytest.fixture
def run(tmp_path):
    def run(name="out.txt", text="ours", publish=None, **options):
        def finish(result):
            if publish is None or publish.exists():
                return result
            write_text(publish, text)
            outputs = [*result.outputs, Output(kind="published", path=os.path.relpath(publish, tmp_path / "out"))]
            return result.model_copy(update={"outputs": outputs})

        def method(job):
            write_text(tmp_path / "out" / name, text)
            return MethodOutcome(outputs=[Output(kind="table", path=name)])

        job = Job(method="write", parameters={"text": text}, output_folder=str(tmp_path / "out"))
        return recorded_run(job, method, finish, published=[] if publish is None else [publish], **options)

    return run


def test_a_file_that_nobody_here_made_is_kept_unless_told_otherwise(tmp_path, run):
    mine = tmp_path / "out" / "out.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(OutputError, match=r"out\.txt exists.*--overwrite"):
        run()
    assert mine.read_text() == "mine"
    assert os.listdir(mine.parent) == ["out.txt"]
    run(overwrite=True)
    assert mine.read_text() == "ours"


def test_what_a_run_here_made_may_be_replaced_also_when_it_was_killed(tmp_path, run):
    run(text="first")
    run(text="second")
    (tmp_path / "out" / "result.json").unlink()
    run(text="third")
    assert (tmp_path / "out" / "out.txt").read_text() == "third"


def test_results_of_an_earlier_version_are_known_by_their_record(tmp_path, run):
    run(text="first")
    (tmp_path / "out" / ".made_by_cryoetseg").unlink()
    run(text="second")
    assert (tmp_path / "out" / "out.txt").read_text() == "second"


@pytest.mark.parametrize("name", ["../escaped.txt", "a/../../escaped.txt"])
def test_nothing_is_written_outside(tmp_path, run, name):
    with pytest.raises(OutputError, match="outside"):
        run(name)
    assert not (tmp_path / "escaped.txt").exists()


def test_a_published_file_that_its_owner_changed_is_kept(tmp_path, run):
    published = tmp_path / "picks.csv"
    run(text="first", publish=published)
    assert published.read_text() == "first"
    published.write_text("curated by hand")
    with pytest.raises(OutputError, match="changed since"):
        run(text="second", publish=published)
    assert published.read_text() == "curated by hand"
    published.unlink()
    run(text="first", publish=published)
    assert published.read_text() == "first"


def test_methods_may_ask_before_long_work_and_outside_of_a_run_all_is_allowed(tmp_path):
    check_permit(tmp_path / "anything")


def test_temporary_files_of_a_killed_run_are_cleared_by_the_next(tmp_path, run):
    run()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / "out" / f".out.{ended.pid}.part.txt"
    left.write_text("half")
    run(text="second")
    assert not left.exists()


@pytest.fixture
def pick(tmp_path):
    """A method that names its result by the tomogram's file, as all do."""
    def pick(tomogram, publish=None, **options):
        def finish(result):
            if publish is None:
                return result
            write_text(publish, tomogram)
            return result.model_copy(update={"outputs": [*result.outputs, Output(kind="published", path="../" + publish.name)]})

        def method(job):
            write_text(tmp_path / "out" / f"{path.stem}.txt", tomogram)
            return MethodOutcome(outputs=[Output(kind="table", path=f"{path.stem}.txt")])

        path = tmp_path / tomogram
        job = Job(method="pick", inputs=[InputFile(path=str(path))], output_folder=str(tmp_path / "out"))
        return recorded_run(job, method, finish, published=[] if publish is None else [publish], **options)

    for name in ("TS_01/rec", "TS_02/rec", "TS_03/other"):
        write_text(tmp_path / name, name)
    return pick


def test_the_result_of_another_tomogram_of_the_same_name_is_kept(tmp_path, pick):
    """As a loop over TS_*/rec.mrc with one --out would lose all but the last; also when other runs came in between."""
    result = tmp_path / "out" / "rec.txt"
    pick("TS_01/rec")
    pick("TS_03/other")
    with pytest.raises(OutputError, match=r"rec\.txt is the result of .*TS_01/rec, and this run works on .*TS_02/rec"):
        pick("TS_02/rec")
    assert result.read_text() == "TS_01/rec"
    pick("TS_02/rec", overwrite=True)
    assert result.read_text() == "TS_02/rec"
    pick("TS_02/rec")
    with pytest.raises(OutputError, match=r"is the result of .*TS_02/rec"):
        pick("TS_01/rec")


def test_the_tomogram_itself_may_change_or_move(tmp_path, pick):
    pick("TS_01/rec")
    write_text(tmp_path / "TS_01" / "rec", "reconstructed anew")
    pick("TS_01/rec")
    os.replace(tmp_path / "TS_01", tmp_path / "moved")
    pick("moved/rec")
    assert (tmp_path / "out" / "rec.txt").read_text() == "moved/rec"


def test_a_published_result_of_another_tomogram_is_kept_and_told_before_the_work(tmp_path, pick):
    published = tmp_path / "list.txt"
    pick("TS_01/rec", published)
    with pytest.raises(OutputError, match=r"list\.txt is the result of"):
        pick("TS_03/other", published)
    assert published.read_text() == "TS_01/rec"
    assert not (tmp_path / "out" / "other.txt").exists()
