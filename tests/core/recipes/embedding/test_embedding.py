"""The recipe of the embedding: what is rendered, what the loss wants, and that a training writes a usable model."""
import numpy as np
import pytest
import torch

from cryoetseg.core.clusters.boxes import BOX_VOXEL, SIDE
from cryoetseg.core.clusters.model import embedding_card, load_embedding
from cryoetseg.core.models.card import save_model
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.recipes.embedding.boxes import EMPTY, GOLD, MEMBRANE, STORED, draw_conditions, draw_views, recorded, render
from cryoetseg.core.recipes.embedding.run import started
from cryoetseg.core.recipes.embedding.task import contrastive_loss, retrieval
from cryoetseg.core.students.centres.model import load_centres


def views_of(kind, count=3, seed=0):
    drawn = draw_views(kind, count, np.array([60.0]), np.random.default_rng(seed))
    return {name: torch.from_numpy(values) for name, values in drawn.items()}


@pytest.fixture
def ball():
    axis = np.arange(STORED) - STORED // 2
    return torch.from_numpy((axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 <= 7**2)[None].astype(np.float16))


def test_a_molecule_is_rendered_at_its_place(ball):
    views = views_of(0)
    views["bodies"][:, 1:] = -1
    views["sheet"][:, 3] = 1e4
    density = render(views, ball)
    axis = (torch.arange(SIDE) - (SIDE - 1) / 2) * BOX_VOXEL
    for row, place in zip(density, views["places"][:, 0]):
        middle = torch.stack([(row.sum(dim=[d for d in range(3) if d != n]) * axis).sum() / row.sum() for n in range(3)])
        assert torch.allclose(middle, place, atol=1.5)


def test_what_is_no_molecule(ball):
    for kind, least, most in ((EMPTY, 0.0, 0.01), (MEMBRANE, 0.5, 1.0), (GOLD, 5.0, 13.0)):
        views = views_of(kind)
        views["bodies"][:, 1:] = -1
        if kind != MEMBRANE:
            views["sheet"][:, 3] = 1e4
        assert least <= float(render(views, ball).amax()) <= most


def test_boxes_of_one_tomogram_are_standardised_and_lack_the_wedge():
    conditions = draw_conditions(np.random.default_rng(0), 1.0)
    noise = torch.from_numpy(np.random.default_rng(1).standard_normal((8, SIDE, SIDE, SIDE), dtype=np.float32))
    boxes = recorded(torch.zeros_like(noise), conditions, noise)
    assert abs(float(boxes.mean())) < 1e-4
    assert float(boxes.std()) == pytest.approx(1, abs=1e-3)
    assert float(torch.fft.rfftn(boxes, dim=(1, 2, 3)).abs()[:, SIDE // 2 - 1, :, 0].mean()) < 1e-2  # along the beam nothing is measured


def test_the_loss_wants_kinds_together():
    kinds = torch.tensor([0, 0, 1, 1])
    together = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert contrastive_loss(together, kinds, 0.1) < 0.01 < contrastive_loss(together[[0, 2, 1, 3]], kinds, 0.1)


def test_retrieval():
    vectors = np.eye(3)[[0, 0, 1, 1]]
    assert retrieval(vectors, [0, 0, 1, 1]) == 1
    assert retrieval(vectors, [0, 1, 0, 1]) < 0.6


def test_it_starts_as_the_general_pickers_encoder_whatever_its_width_and_comes_back_from_disk(tmp_path):
    picker, network = load_centres(model_folder("general", "picker")).network, started(0)
    own, taught = network.state_dict(), picker.state_dict()
    encoder = [name for name in own if not name.startswith("head")]
    assert len(encoder) > 20
    assert all(torch.equal(own[name], taught[name]) for name in encoder)
    save_model(tmp_path / "model", network, embedding_card(network, {}, "by hand"))
    again = load_embedding(tmp_path / "model").state_dict()
    assert again.keys() == own.keys()
    assert all(torch.equal(again[name], own[name]) for name in own)
