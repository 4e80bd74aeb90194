import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from cryoetseg.core.foundation.stable_diffusion import StableDiffusionBackbone, empty_prompt_embedding, noise_max_t, noise_schedule
from cryoetseg.core.runtime.errors import WeightsError

CPU = torch.device("cpu")
PICTURE = np.random.default_rng(0).random((16, 16)).astype(np.float32)


@pytest.mark.parametrize(("voxel_nm", "step"), [(1.348, 50), (1.0, 68), (0.756, 89), (2.0, 34)])
def test_largest_noise_step_of_the_paper(voxel_nm, step):
    assert noise_max_t(voxel_nm) == step


def test_noise_step_stays_in_the_schedule():
    assert noise_max_t(0.01) == 999
    assert noise_max_t(100.0) == 0


def test_noise_amplitudes_of_the_schedule():
    amplitude = (1 - noise_schedule().alphas_cumprod) ** 0.5
    table = {0: 0.029, 25: 0.153, 34: 0.179, 50: 0.220, 68: 0.261, 89: 0.304, 250: 0.571}
    assert {step: round(float(amplitude[step]), 3) for step in table} == table


@pytest.fixture
def backbone(sd_folder):
    return StableDiffusionBackbone.load(sd_folder, CPU)


def generator():
    return torch.Generator().manual_seed(5)


def test_sizes_follow_the_folder(backbone):
    assert (backbone.tokens, backbone.input_size_px, backbone.name) == (8, 16, "sd")


def test_affinities_repeat_with_the_seed_and_cost_one_pass_a_draw(backbone):
    first, second = (backbone.affinities(PICTURE, 1.348, generator(), 5) for _ in range(2))
    assert backbone.passes == 10
    assert len(first) == 4
    for one, other in zip(first, second):
        assert torch.equal(one.matrix, other.matrix)
        torch.testing.assert_close(one.matrix.sum(dim=1), torch.ones(len(one.matrix)), atol=1e-5, rtol=0)


def test_draws_use_fresh_noise(backbone):
    one, five = (backbone.affinities(PICTURE, 1.348, generator(), draws) for draws in (1, 5))
    assert not torch.equal(one[0].matrix, five[0].matrix)


def test_head_passes_keep_heads_and_change_noise(backbone):
    passes = backbone.head_passes(PICTURE, 1.348, generator())
    first, second = next(passes), next(passes)
    assert first[0].matrix.shape == (4, 64, 64)
    assert not torch.equal(first[0].matrix, second[0].matrix)


def test_the_smallest_noise_steps_add_noise_in_half_precision(backbone):
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn((2, 1, 4, 32, 32), generator=generator).bfloat16()
    noisy = backbone._noised(latents, noise, torch.zeros(1, dtype=torch.long))
    assert noisy.dtype == torch.bfloat16
    assert float((noisy - latents).float().std()) == pytest.approx(0.029, abs=0.003)


def test_a_step_seed_gives_all_pictures_the_same_noise_steps(backbone, monkeypatch):
    seen = []
    original = backbone._noised
    monkeypatch.setattr(backbone, "_noised", lambda latents, noise, steps: seen.append(steps.tolist()) or original(latents, noise, steps))
    for backbone.step_seed in (3, None):
        for seed in range(3):
            backbone.affinities(PICTURE, 1.348, torch.Generator().manual_seed(seed), 3)
    assert seen[0] == seen[1] == seen[2]
    assert len(set(seen[0])) > 1
    assert seen[3] != seen[4]


def test_latent_is_a_sample_not_the_mode(backbone):
    one, other = (backbone._encode(PICTURE, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert one.shape == (1, 4, 8, 8)
    assert not torch.allclose(one, other)


def test_prompt_is_read_or_explicitly_zero(sd_folder):
    stored = empty_prompt_embedding(sd_folder, 16)
    assert stored.shape == (77, 16)
    assert stored.std() > 0.5
    assert empty_prompt_embedding(sd_folder, 16, "zeros").abs().max() == 0


def test_missing_prompt_says_what_to_do(sd_folder):
    (sd_folder / "empty_prompt.safetensors").unlink()
    with pytest.raises(WeightsError, match="weights fetch"):
        StableDiffusionBackbone.load(sd_folder, CPU)


def test_missing_or_damaged_parts_are_named(sd_folder):
    network = sd_folder / "unet" / "diffusion_pytorch_model.safetensors"
    network.write_bytes(network.read_bytes()[:500])
    with pytest.raises(WeightsError, match="unet"):
        StableDiffusionBackbone.load(sd_folder, CPU)
    network.unlink()
    with pytest.raises(WeightsError, match="unet"):
        StableDiffusionBackbone.load(sd_folder, CPU)


def test_text_encoder_of_the_folder_makes_the_prompt(sd_folder):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    (sd_folder / "empty_prompt.safetensors").unlink()
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2, "a": 3}
    (sd_folder / "tokenizer").mkdir()
    CLIPTokenizer(vocab=words, merges=[]).save_pretrained(sd_folder / "tokenizer")
    config = CLIPTextConfig(vocab_size=4, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                            bos_token_id=0, eos_token_id=1)
    CLIPTextModel(config).save_pretrained(sd_folder / "text_encoder")
    assert empty_prompt_embedding(sd_folder, 16).shape == (77, 16)


def test_full_size_network_has_the_sixteen_published_layers():
    from cryoetseg.core.foundation.attention import self_attention_layers

    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
    layers = self_attention_layers(unet)
    assert len(layers) == 16
    assert [sum(layer.startswith(stage) for layer in layers) for stage in ("down", "mid", "up")] == [6, 1, 9]
    assert dict(unet.named_modules())[layers[0]].heads == 8
