"""Picking whole tomograms with a network of centres: tiles, scales, parameters, model folders."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryoetseg.core.models.card import save_model
from cryoetseg.core.models.centre_unet3d import CentreUNet3d
from cryoetseg.core.runtime.errors import WeightsError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.students.centres.apply import BinnedView, find_centres
from cryoetseg.core.students.centres.model import Calibration, CentreModel, build_network, centre_card, load_centres
from cryoetseg.core.students.centres.peaks import Centres
from cryoetseg.core.students.centres.picks import LIKELY, centre_picks, with_contrast
from cryoetseg.core.students.centres.targets import BOUND, HEAT, WIDTH
from cryoetseg.core.students.picker.apply import off_the_faces, run
from cryoetseg.core.students.picker.params import PickDeepetParameters
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.volumes.io import write_volume

CPU = torch.device("cpu")


class Brightness(CentreUNet3d):
    """Answers with the brightness of each cell, so that what it finds is known: a particle of 8 voxels in every bright spot."""

    def forward(self, volumes):
        heat = torch.nn.functional.avg_pool3d(volumes.float(), 2)[:, 0]
        answer = torch.zeros((len(heat), 3, *heat.shape[1:]))
        answer[:, HEAT], answer[:, WIDTH], answer[:, BOUND] = heat - 2.0, 0.0, -3.0
        return answer


def model(finest=8.0, coarsest=40.0):
    return CentreModel(Brightness(3), finest, coarsest, Calibration(2.0, 0.5))


def spots(places, shape=(40, 120, 130), sigma=2.0):
    volume = np.zeros(shape, np.float32)
    for place in places:
        volume[place] = 1
    return gaussian_filter(volume, sigma)


def test_every_particle_is_found_once_wherever_the_tiles_lie():
    places = [(8, 20, 20), (20, 79, 80), (20, 100, 64), (33, 64, 110), (20, 60, 16)]
    volume = volume_from_array("t", spots(places), 20.0)
    found = find_centres(volume, model(coarsest=39.0), CPU)
    assert sorted(map(tuple, np.rint(found.zyx).astype(int))) == sorted(places)
    assert np.abs(found.zyx - np.rint(found.zyx)).max() < 0.5
    np.testing.assert_allclose(found.diameter, 8.0)


def test_mirrored_copies_take_the_bias_of_a_lopsided_network_out_of_the_places():
    class Lopsided(Brightness):
        """Sees everything a cell too far along x."""

        def forward(self, volumes):
            return super().forward(volumes).roll(1, -1)

    lopsided = CentreModel(Lopsided(3), 8.0, 39.0, Calibration())
    volume = volume_from_array("t", spots([(20, 32, 20)], (40, 64, 64), sigma=4.0), 20.0)
    places = [centre_picks(volume, lopsided, PickDeepetParameters(views=views, height_threshold=0.5), CPU).zyx[0, 2]
              for views in ("1", "2")]
    np.testing.assert_allclose(places, [22, 20], atol=0.8)


def test_binned_scales_find_wider_particles_in_the_voxels_of_the_file():
    volume = volume_from_array("t", spots([(20, 60, 60)], (40, 120, 120), sigma=4.0), 10.0)
    found = find_centres(volume, model(finest=20.0, coarsest=39.0), CPU)  # only the binning by two lies in the range
    np.testing.assert_allclose(found.zyx[0], [20, 60, 60], atol=0.6)
    np.testing.assert_allclose(found.diameter[0], 16.0)


@pytest.mark.parametrize(("size", "binnings"), [(5.0, [2, 4, 8]), (10.0, [1, 2, 4]), (31.0, [1]), (60.0, [1]), (13.0, [1, 2])])
def test_tomograms_are_binned_into_the_models_range(size, binnings):
    assert model().binnings(size) == binnings


def test_parameters_choose_among_the_picks():
    volume = volume_from_array("t", spots([(20, 60, 60), (20, 20, 20)]), 20.0)
    table = centre_picks(volume, model(coarsest=39.0), PickDeepetParameters(), CPU)
    assert len(table) == 2
    assert (table.score[:-1] >= table.score[1:]).all()
    assert (table.score >= LIKELY).all()
    np.testing.assert_allclose(table.diameters, 160)
    assert set(table.class_id) == {1}
    assert table.class_names[2] == "membrane protein"
    for parameters, count in ((PickDeepetParameters(diameter_min=170), 0), (PickDeepetParameters(diameter_max=150), 0),
                              (PickDeepetParameters(membrane_proteins="only"), 0), (PickDeepetParameters(membrane_proteins="drop"), 2),
                              (PickDeepetParameters(count=1), 1), (PickDeepetParameters(distance=2000), 1)):
        assert len(centre_picks(volume, model(coarsest=39.0), parameters, CPU)) == count


def test_a_place_is_a_particle_from_the_usual_probability_on_unless_another_is_asked_for():
    volume = spots([(20, 20, 20), (20, 100, 100)]) + 0.015 * spots([(20, 60, 60)]) + 0.017 * spots([(20, 100, 20)])
    volume = volume_from_array("t", volume, 20.0)
    every = centre_picks(volume, model(coarsest=39.0), PickDeepetParameters(height_threshold=0.05, ranking="height"), CPU)
    likely = centre_picks(volume, model(coarsest=39.0), PickDeepetParameters(ranking="height"), CPU)
    assert 0.15 < every.score.min() < 0.2 < np.sort(every.score)[1] < 0.25
    assert len(likely) == 3
    assert sorted(likely.score) == sorted(every.score[every.score >= LIKELY])


def test_contrast_reorders_picks_and_deals_their_probabilities_out_anew():
    found = Centres(np.arange(9.0).reshape(3, 3), np.full(3, 8.0), np.array([3.0, 2.0, 1.0]), np.zeros(3))
    ordered = with_contrast(found, np.array([0.0, 1.0, 9.0]))
    assert ordered.zyx[:, 0].tolist() == [0, 3, 6]  # ranks 3 + 1, 2 + 2, 1 + 3 are equal: the first stays first
    assert with_contrast(found, np.array([0.0, 9.0, 1.0])).zyx[:, 0].tolist() == [3, 0, 6]
    assert with_contrast(found, np.array([0.0, 9.0, 1.0])).logit.tolist() == [3, 2, 1]


@pytest.mark.parametrize(("size", "asked"), [(20.0, True), (19.0, False)])
def test_contrast_counts_in_coarse_voxels_only(monkeypatch, size, asked):
    calls = []
    monkeypatch.setattr("cryoetseg.core.students.centres.picks.contrast_at",
                        lambda volume, zyx, widths: calls.append(1) or np.zeros(len(zyx)))
    volume = volume_from_array("t", spots([(20, 60, 60), (20, 20, 20)]), size)
    centre_picks(volume, model(coarsest=37.0), PickDeepetParameters(), CPU)
    assert bool(calls) == asked
    centre_picks(volume, model(coarsest=37.0), PickDeepetParameters(ranking="height"), CPU)
    assert len(calls) == asked


def test_picks_near_a_face_are_left_out_when_asked():
    volume = volume_from_array("t", spots([(20, 60, 60), (20, 4, 60)]), 20.0)
    table = centre_picks(volume, model(coarsest=39.0), PickDeepetParameters(), CPU)
    assert len(off_the_faces(table, volume.header.shape, 0.0)) == 2
    assert np.rint(off_the_faces(table, volume.header.shape, 120.0).zyx).tolist() == [[20, 60, 60]]  # 4.5 voxels are 90 A


def test_probabilities_and_logits_are_inverse_to_each_other():
    calibration = Calibration(1.7, -0.4, 0.6)
    heat = calibration.heat_logit(0.3, 20.0)
    assert 1 / (1 + np.exp(-calibration.calibrated(heat, 20.0))) == pytest.approx(0.3)
    assert calibration.calibrated(heat, 40.0) - calibration.calibrated(heat, 20.0) == pytest.approx(0.6)


def test_a_model_folder_picks_as_the_model_does(tmp_path):
    network = build_network(3, (8, 16, 24))
    written = CentreModel(network, 8.0, 40.0, Calibration(1.3, 0.2))
    save_model(tmp_path / "model", network, centre_card(written, {}, name="x", made_by="y"))
    read = load_centres(tmp_path / "model")
    assert read.network.channels == (8, 16, 24)
    assert (read.finest, read.coarsest, read.calibration) == (8.0, 40.0, Calibration(1.3, 0.2, 0.0))
    grey = np.random.default_rng(0).standard_normal((16, 48, 48)).astype(np.float32)
    write_volume(tmp_path / "t.mrc", grey, 20.0)
    job = Job(method="pick-deepet", parameters={"height_threshold": 0.02}, output_folder=str(tmp_path / "out"), device="cpu", inputs=[
        InputFile(path=str(tmp_path / "model"), role="model"),
        InputFile(path=str(tmp_path / "t.mrc"), tilt_series_id="t", contrast="bright")])
    (tmp_path / "out").mkdir()
    outcome = run(job)
    assert (tmp_path / "out" / outcome.outputs[0].path).is_file()
    assert "t" in outcome.metrics


def test_a_card_without_calibration_is_refused(tmp_path):
    network = build_network(0)
    card = centre_card(CentreModel(network, 8.0, 40.0, Calibration()), {})
    save_model(tmp_path / "model", network, card.model_copy(update={"network_parameters": {"finest": 8.0, "channels": [32, 64, 96, 128]}}))
    with pytest.raises(WeightsError, match="coarsest"):
        load_centres(tmp_path / "model")


def test_the_answer_does_not_depend_on_where_a_tile_begins():
    network = build_network(1).eval()
    volume = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 1, 64, 64, 64)).astype(np.float32))
    with torch.inference_mode():
        whole = network(volume)
        part = network(volume[:, :, 16:64, 16:64, 16:64])
    # 16 voxels are one period of the poolings; inside, away from the cut faces, both agree
    inner = (slice(None), slice(None), slice(12, 20), slice(12, 20), slice(12, 20))
    moved = (slice(None), slice(None), slice(20, 28), slice(20, 28), slice(20, 28))
    assert (whole[moved] - part[inner]).abs().max() < 0.15 * float(whole.std())


def noisy_spots():
    noise = np.random.default_rng(0).normal(0, 0.002, (40, 96, 96)).astype(np.float32)
    return noise + spots([(14, 40, 40), (26, 60, 52)], noise.shape, sigma=4.0)


@pytest.mark.parametrize(("finest", "coarsest"), [(8.0, 11.0), (20.0, 39.0)])
def test_borders_and_padding_change_no_score(finest, coarsest):
    whole, seeking = noisy_spots(), model(finest, coarsest)
    spoilt = np.full_like(whole, -1.0)
    spoilt[6:-6, 20:-20, 20:-20] = whole[6:-6, 20:-20, 20:-20]
    trusted = whole[6:-6, 21:-21, 21:-21]  # without the voxel beside the border
    inside = find_centres(volume_from_array("t", trusted, 10.0), seeking, CPU)
    found = find_centres(volume_from_array("t", spoilt, 10.0), seeking, CPU)
    assert len(inside.zyx) >= 2
    np.testing.assert_allclose(found.zyx[:2], inside.zyx[:2] + np.array([6, 21, 21]), atol=0.1)
    np.testing.assert_allclose(found.logit[:2], inside.logit[:2], rtol=0.02)


def test_binned_grey_values_are_those_of_the_sample():
    whole = noisy_spots()
    corner = np.add.outer(np.arange(96), np.arange(96)) < 90
    spoilt = np.where(corner, np.float32(-1), whole)
    sample = BinnedView(volume_from_array("t", spoilt, 10.0), 2)
    shown = sample[(slice(0, 20), slice(0, 48), slice(0, 48))][:, ~corner[1::2, 1::2]]
    assert shown.mean() == pytest.approx(0, abs=0.05)
    assert shown.std() == pytest.approx(1, abs=0.05)
