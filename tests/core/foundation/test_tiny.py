import json

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cryoetseg.core.foundation import tiny
from cryoetseg.core.foundation.backbone import load_backbone
from cryoetseg.core.foundation.tiny import TinyBackbone, build_network, fold, unfold
from cryoetseg.core.foundation.train import save_backbone
from cryoetseg.core.models.shelf import shipped_folder
from cryoetseg.core.runtime.errors import WeightsError

CPU = torch.device("cpu")
PICTURES = np.random.default_rng(0).random((2, 3, 32, 32)).astype(np.float32)
MEBIBYTE = 1024**2
SHIPPED = shipped_folder("cryoet-tiny")


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network([32, 32], 3, 32)


@pytest.fixture
def backbone(network):
    return TinyBackbone(network, CPU)


@pytest.fixture
def folder(tmp_path, network):
    save_backbone(tmp_path / "mine", network, {"name": "my-backbone"})
    return tmp_path / "mine"


def test_fold_keeps_every_voxel_in_its_token_and_unfold_undoes_it():
    pictures = torch.arange(2 * 3 * 8 * 6, dtype=torch.float32).reshape(2, 3, 8, 6)
    tokens = fold(pictures)
    assert tokens.shape == (2, 12, 4, 3)
    assert torch.equal(unfold(tokens), pictures)
    assert set(tokens[1, :4, 2, 1].tolist()) == set(pictures[1, 0, 4:6, 2:4].flatten().tolist())


def test_sizes_follow_the_network(backbone):
    assert (backbone.slices, backbone.tokens, backbone.input_size_px) == (3, 16, 32)


def test_what_it_sees_has_one_feature_vector_a_token_and_one_value_a_voxel(backbone):
    seen = backbone.look(PICTURES, generator(), 1)
    assert seen.features.shape == (2, 32, 16, 16)
    assert seen.density.shape == (2, 32, 32)


def test_density_is_the_answer_for_the_middle_slice(network, backbone):
    asked = {}
    handle = network.register_forward_hook(lambda module, inputs, output: asked.update(answer=output.sample))
    density = backbone.look(PICTURES, generator(), 1).density
    handle.remove()
    np.testing.assert_allclose(density, unfold(asked["answer"])[:, 1].numpy(), atol=1e-6)


def test_affinities_are_symmetric_between_zero_and_one_with_ones_on_the_diagonal(backbone):
    affinities = backbone.affinities(PICTURES[0], 1.0, generator(), 1)
    assert [affinity.name for affinity in affinities] == ["up0", "up1"]
    assert [affinity.grid for affinity in affinities] == [8, 16]
    for affinity in affinities:
        assert affinity.matrix.shape == (affinity.grid**2,) * 2
        torch.testing.assert_close(affinity.matrix, affinity.matrix.T)
        torch.testing.assert_close(affinity.matrix.diagonal(), torch.ones(affinity.grid**2), atol=1e-4, rtol=0)
        assert affinity.matrix.min() >= 0


def test_same_seed_same_features_other_seed_others(backbone):
    one, again, other = (backbone.look(PICTURES, generator(seed), 2).features for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-4


def test_pictures_that_go_through_one_by_one_are_seen_as_those_that_go_together(backbone, monkeypatch):
    together = backbone.look(PICTURES, generator(), 2)
    monkeypatch.setattr(tiny, "PICTURES_AT_ONCE", 1)
    for whole, alone in zip(together, backbone.look(PICTURES, generator(), 2)):
        np.testing.assert_allclose(whole, alone, atol=1e-4)


def test_draws_are_averaged(backbone):
    shared = generator()
    singles = [backbone.look(PICTURES, shared, 1).features for _ in range(3)]
    np.testing.assert_allclose(backbone.look(PICTURES, generator(), 3).features, np.mean(singles, axis=0), atol=1e-5)


def test_a_step_seed_gives_all_slabs_the_same_noise_steps_but_not_the_same_noise(backbone, monkeypatch):
    seen, original = [], backbone._one_pass
    monkeypatch.setattr(backbone, "_one_pass", lambda noisy, step: seen.append((int(step), noisy)) or original(noisy, step))
    for backbone.step_seed in (3, None):
        for seed in range(4):
            backbone.look(PICTURES, generator(seed), 1)
    steps = [step for step, _ in seen]
    assert len(set(steps[:4])) == 1
    assert len(set(steps[4:])) > 1
    assert not torch.equal(seen[0][1], seen[1][1])


def test_a_single_slice_is_shown_as_its_own_neighbours(backbone):
    single = backbone.look(PICTURES[:, 1], generator(), 1).features
    stacked = backbone.look(np.repeat(PICTURES[:, 1:2], 3, axis=1), generator(), 1).features
    np.testing.assert_array_equal(single, stacked)


def test_looking_leaves_no_hook_behind(network, backbone):
    backbone.look(PICTURES, generator(), 1)
    assert all(not module._forward_hooks for module in network.modules())


def test_a_saved_backbone_comes_back_in_half_the_size_with_nearly_the_same_features(folder, backbone):
    loaded = load_backbone(str(folder), "", CPU)
    assert isinstance(loaded, TinyBackbone)
    assert loaded.name == "my-backbone"
    with safe_open(folder / "unet" / "diffusion_pytorch_model.safetensors", "pt") as stored:
        assert {stored.get_tensor(key).dtype for key in stored.keys()} == {torch.float16}  # noqa: SIM118 - not a dictionary
    one, other = (some.look(PICTURES, generator(), 1).features for some in (loaded, backbone))
    np.testing.assert_allclose(one, other, atol=1e-2)


def cut_short(unet):
    weights = unet / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def take_away(unet):
    (unet / "diffusion_pytorch_model.safetensors").unlink()


def take_one_tensor(unet):
    weights = unet / "diffusion_pytorch_model.safetensors"
    kept = load_file(weights)
    del kept["conv_in.weight"]
    save_file(kept, weights, metadata={"format": "pt"})


def pickle_instead(unet):
    torch.save(load_file(unet / "diffusion_pytorch_model.safetensors"), unet / "diffusion_pytorch_model.bin")
    take_away(unet)


def break_config(unet):
    (unet / "config.json").write_text('{"_class_name": "UNet2DModel", ')


def change_config(**values):
    def change(unet):
        config = json.loads((unet / "config.json").read_text())
        (unet / "config.json").write_text(json.dumps({**config, **values}))

    return change


DAMAGES = [cut_short, take_away, take_one_tensor, pickle_instead, break_config, change_config(block_out_channels=[64, 64]),
           change_config(sample_size=None), change_config(in_channels="many")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_folders_are_named(folder, damage):
    damage(folder / "unet")
    with pytest.raises(WeightsError, match="mine"):
        TinyBackbone.load(folder, CPU)


def test_shipped_weights_are_small_half_precision_and_carry_their_card():
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 20 * MEBIBYTE
    assert not [path for path in files if path.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl"}]
    card = json.loads((SHIPPED / "card.json").read_text())
    assert card["name"] == "cryoet-tiny"
    assert {"method", "target", "tomograms", "voxel_sizes", "normalisation", "parameters", "seed", "versions", "made_by"} <= set(card)
    with safe_open(SHIPPED / "unet" / "diffusion_pytorch_model.safetensors", "pt") as stored:
        assert {stored.get_tensor(key).dtype for key in stored.keys()} == {torch.float16}  # noqa: SIM118 - not a dictionary


def test_shipped_backbone_loads_as_a_frozen_diffusion_network_and_sees():
    config = json.loads((SHIPPED / "unet" / "config.json").read_text())
    assert config["_class_name"] == UNet2DModel.__name__
    backbone = load_backbone("cryoet-tiny", "", CPU)
    assert (backbone.slices, backbone.input_size_px, backbone.name) == (5, 128, "cryoet-tiny")
    y, x = np.indices((128, 128))
    disc = ((y - 64) ** 2 + (x - 64) ** 2 < 9**2).astype(np.float32)
    picture = np.clip(0.4 * disc + 0.3 + 0.1 * np.random.default_rng(0).normal(size=(5, 128, 128)), 0, 1)
    density = backbone.look(picture[None].astype(np.float32), generator(), 1).density[0]
    assert density[disc > 0].mean() > density[disc == 0].mean() + 3 * density[disc == 0].std()
