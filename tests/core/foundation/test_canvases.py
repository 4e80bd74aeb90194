import numpy as np
import pytest
import torch
from scipy import ndimage

from cryoetseg.core.foundation import canvases
from cryoetseg.core.foundation.canvases import CanvasPlan, gives_features, slab_canvases
from cryoetseg.core.foundation.door import Affinity, Backbone, Look
from cryoetseg.core.foundation.frames import plan_frame
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.foundation.pictures import Pictures
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.seeds import numpy_generator
from cryoetseg.core.volumes.cleaned import cleaned

SIDE, TOKENS = 32, 16
PARAMETERS = SegmentSlabsParameters(tile_px=SIDE, overlap_px=8, border_tokens=2, eigenvectors=4, eigenimages=4, gradient_iterations=20)


class Feeling(Backbone):
    """Sees grey values only, but as affinities alone."""

    name, input_size_px, tokens, slices = "feeling", SIDE, TOKENS, 3

    def affinities(self, image, voxel_size_nm, generator, draws):
        grey = torch.from_numpy(image[1]).unfold(0, 2, 2).unfold(1, 2, 2).mean(dim=(2, 3)).flatten()
        return [Affinity(torch.exp(-((grey[:, None] - grey) ** 2) * 20), TOKENS, "only")]

    def head_passes(self, image, voxel_size_nm, generator):
        raise AssertionError("the gradient solver was asked")


class Seeing(Feeling):
    """Sees grey values, as features, with noise that the generator draws."""

    name = "seeing"

    def look(self, images, generator, draws):
        grey = ndimage.zoom(images[:, 1], (1, 0.5, 0.5), order=1)
        waves = np.stack([np.cos(2 * grey * k + 1) for k in range(1, 7)], axis=1)
        noise = torch.randn(waves.shape, generator=generator).numpy()
        return Look((waves + 0.02 * noise).astype(np.float32), images[:, 1])


@pytest.fixture(scope="module")
def volume():
    """Four bright bars that move along z, in noise."""
    z, _, x = np.indices((6, 40, 52))
    return ((np.abs((x + z) % 13 - 6) < 3) + 0.1 * np.random.default_rng(0).normal(size=x.shape)).astype(np.float32)


def plan(volume, backbone, seed=0, **changes):
    parameters = PARAMETERS.model_copy(update=changes)
    frame = plan_frame(volume.shape[1:], parameters, SIDE, TOKENS)
    return CanvasPlan(Pictures(cleaned(volume, "bright", "off"), frame, backbone, parameters), frame, backbone, 10.0, parameters, seed)


def likeness(canvas, slab):
    return np.corrcoef(canvas.ravel(), ndimage.gaussian_filter(slab, 1).ravel())[0, 1]


def test_tokens_of_the_fit_are_those_drawn_from_all_in_the_order_they_were_drawn(volume, monkeypatch):
    monkeypatch.setattr(canvases, "FIT_TOKENS", 500)
    made, sample = plan(volume, Seeing()), [0, 2, 5]
    features, intensity = canvases._fit_tokens(made, sample)
    every = np.concatenate([np.moveaxis(canvases._look(made, z).features, 1, -1).reshape(-1, 6) for z in sample])
    grey = np.concatenate([canvases._window_intensity(made, z).ravel() for z in sample])
    drawn = numpy_generator(0, "fit").permutation(len(every))[:500]
    np.testing.assert_array_equal(features, every[drawn])
    np.testing.assert_array_equal(intensity, grey[drawn])


def test_only_a_backbone_that_looks_gives_features():
    assert gives_features(Seeing())
    assert not gives_features(Feeling())


@pytest.mark.parametrize(("backbone", "solver"), [(Seeing(), "auto"), (Seeing(), "joint"), (Seeing(), "eigen"), (Feeling(), "auto")])
def test_structures_are_dark_on_the_canvas(volume, backbone, solver):
    slabs = list(slab_canvases(plan(volume, backbone, solver=solver), [1, 2, 4]))
    assert [slab.z for slab in slabs] == [1, 2, 4]
    for slab in slabs:
        assert slab.canvas.shape == (40, 52)
        assert slab.canvas.min() >= 0
        assert slab.canvas.max() <= 255
        assert likeness(slab.canvas, volume[slab.z]) < -0.8
        assert likeness(slab.density, volume[slab.z]) > 0.8
        listed = [slab.record["base"], *(entry["eigenimage"] for entry in slab.record["rounds"])]
        assert sorted(listed) == list(range(len(slab.eigenimages)))


@pytest.mark.parametrize("solver", ["joint", "eigen"])
def test_the_published_merging_works_with_both(volume, solver):
    slab = next(iter(slab_canvases(plan(volume, Seeing(), solver=solver, aggregation="greedy"), [3])))
    assert slab.canvas.shape == (40, 52)
    assert np.ptp(slab.canvas) > 50
    assert {"base", "rounds", "contours"} <= set(slab.record)
    assert "aggregation" not in slab.record  # only the projection names itself


def test_affinities_alone_cannot_be_solved_jointly(volume):
    with pytest.raises(ParameterError, match=r"joint.*feeling"):
        slab_canvases(plan(volume, Feeling(), solver="joint"), [1])


def test_canvases_repeat_with_the_seed(volume):
    one, again, other = (list(slab_canvases(plan(volume, Seeing(), seed=seed), [1, 2])) for seed in (0, 0, 1))
    for first, second, third in zip(one, again, other):
        np.testing.assert_array_equal(first.canvas, second.canvas)
        assert np.abs(first.canvas - third.canvas).max() > 0


def test_random_numbers_of_a_slab_do_not_depend_on_the_slabs_before(volume):
    alone = next(iter(slab_canvases(plan(volume, Seeing(), solver="eigen"), [4])))
    after = list(slab_canvases(plan(volume, Seeing(), solver="eigen"), [2, 4]))[1]
    np.testing.assert_array_equal(alone.canvas, after.canvas)


def test_joint_canvases_have_one_scale_for_all_slabs(volume):
    """A slab without structures stays light instead of being stretched to full contrast."""
    empty = volume.copy()
    empty[3] = np.random.default_rng(1).normal(size=(40, 52)) * 0.05
    empty[3, :2, :2] = 1.0  # one bright corner sets the grey scale
    first, second = (slab.canvas for slab in slab_canvases(plan(empty, Seeing(), stretch="minmax"), [1, 3]))
    assert second[4:].mean() > first[4:].mean()
    assert (second < 60).mean() < 0.1 < (first < 60).mean()
