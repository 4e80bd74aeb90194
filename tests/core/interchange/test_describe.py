"""``info`` on what lists tomograms: the names, voxel sizes and contents that the project itself states."""
import json

from cryoetseg.core.cli import app, exit_code_of


def test_a_list_of_tomograms_is_told(relion_project, capsys):
    project = relion_project / "Tomograms" / "job012" / "tomograms.star"
    assert exit_code_of(app, ["info", str(project), "--json"], "cryoetseg") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], [item["name"] for item in told["tomograms"]]) == ("tomograms", ["TS_01", "TS_02"])
    first = told["tomograms"][0]
    assert (first["voxel_size_angstrom"], first["tilt_series_pixel_size_angstrom"], first["tilt_range_degrees"]) == (10, 2.5, [-51.5, 57.5])
    assert exit_code_of(app, ["info", str(project)], "cryoetseg") == 0
    assert "name TS_01; file" in capsys.readouterr().out
    (relion_project / "picks.star").write_text("data_\n")
    (relion_project / "set.star").write_text(
        f"data_\n_rlnTomoTomogramsFile {project.relative_to(relion_project)}\n_rlnTomoParticlesFile picks.star\n")
    assert exit_code_of(app, ["info", str(relion_project / "set.star"), "--json"], "cryoetseg") == 0
    whole = json.loads(capsys.readouterr().out)
    assert (whole["tomograms"], whole["particles"]) == (told["tomograms"], str(relion_project / "picks.star"))


def test_a_copick_project_is_told(copick_config, capsys):
    assert exit_code_of(app, ["info", str(copick_config), "--json"], "cryoetseg") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["objects"]) == ("copick project", ["ribosome", "p97", "membrane"])
    assert told["runs"][1] == {"name": "TS_02", "tomograms": ["wbp@10", "denoised@20.012"], "picks": ["p97:bob/2", "ribosome:alice/1"],
                               "segmentations": ["all:alice/1@10", "membrane:alice/1@10"]}


def test_a_list_of_aretomo_is_told(tmp_path, capsys):
    (tmp_path / "a_Vol.mrc").touch()
    (tmp_path / "TiltSeries_Metrics.csv").write_text("Tilt_Series,Thickness(Pix)\na.mrc,300\n")
    assert exit_code_of(app, ["info", str(tmp_path / "TiltSeries_Metrics.csv"), "--json"], "cryoetseg") == 0
    assert json.loads(capsys.readouterr().out)["tomograms"] == [{"name": "a", "file": str(tmp_path / "a_Vol.mrc")}]
