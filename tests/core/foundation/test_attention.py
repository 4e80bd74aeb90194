import pytest
import torch
from diffusers import UNet2DModel

from cryoetseg.core.foundation import attention
from cryoetseg.core.foundation.attention import HeadAttention, MeanAttention, recorded_attention, self_attention_layers

PROMPT = torch.randn(2, 77, 16, generator=torch.Generator().manual_seed(3))
LATENTS = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(4))


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(attention, "BLOCK_ENTRIES", 1000)


def run(unet, latents=LATENTS):
    with torch.no_grad():
        return unet(latents, 7, encoder_hidden_states=PROMPT[: len(latents)]).sample


def test_self_attention_is_found_in_running_order_and_cross_attention_skipped(tiny_unet):
    layers = self_attention_layers(tiny_unet)
    assert [layer.split(".")[0] for layer in layers] == ["down_blocks", "mid_block", "up_blocks", "up_blocks"]
    assert all(layer.endswith("attn1") for layer in layers)


def test_every_self_attention_gives_one_matrix_whose_rows_sum_to_one(tiny_unet, small_blocks):
    sink = MeanAttention()
    with recorded_attention(tiny_unet, sink):
        run(tiny_unet)
    affinities = sink.affinities()
    assert [affinity.name for affinity in affinities] == self_attention_layers(tiny_unet)
    assert [affinity.grid for affinity in affinities] == [8, 4, 8, 8]
    for affinity in affinities:
        assert affinity.matrix.shape == (affinity.grid**2,) * 2
        assert affinity.matrix.min() >= 0
        torch.testing.assert_close(affinity.matrix.sum(dim=1), torch.ones(affinity.grid**2), atol=1e-5, rtol=0)


def test_attention_equals_softmax_of_scaled_products(tiny_unet, small_blocks):
    layer = dict(tiny_unet.named_modules())[self_attention_layers(tiny_unet)[0]]
    seen = {}
    handle = layer.register_forward_pre_hook(lambda module, args, kwargs: seen.update(x=args[0]), with_kwargs=True)
    heads, mean = HeadAttention(), MeanAttention()
    for sink in (heads, mean):
        with recorded_attention(tiny_unet, sink):
            run(tiny_unet, LATENTS[:1])
    handle.remove()
    with torch.no_grad():
        query, key = (projection(seen["x"])[0].unflatten(1, (layer.heads, -1)).transpose(0, 1) for projection in (layer.to_q, layer.to_k))
    expected = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(dim=-1)
    torch.testing.assert_close(heads.affinities()[0].matrix, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mean.affinities()[0].matrix, expected.mean(dim=0), atol=1e-5, rtol=1e-4)


def test_a_batch_is_averaged_like_single_pictures(tiny_unet):
    together, apart = MeanAttention(), MeanAttention()
    with recorded_attention(tiny_unet, together):
        run(tiny_unet)
    for index in range(2):
        with recorded_attention(tiny_unet, apart), torch.no_grad():
            tiny_unet(LATENTS[index:index + 1], 7, encoder_hidden_states=PROMPT[index:index + 1])
    for first, second in zip(together.affinities(), apart.affinities()):
        torch.testing.assert_close(first.matrix, second.matrix, atol=1e-5, rtol=1e-4)


def test_network_gives_the_same_output_while_recorded_and_is_restored(tiny_unet, small_blocks):
    plain = run(tiny_unet)
    with recorded_attention(tiny_unet, MeanAttention(), stop_after_last=False):
        recorded = run(tiny_unet)
    torch.testing.assert_close(recorded, plain, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(run(tiny_unet), plain)


def test_unconditional_networks_record_too():
    torch.manual_seed(0)
    network = UNet2DModel(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(32, 32), layers_per_block=1,
                          down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"))
    picture, sink = LATENTS[:, :1], MeanAttention()
    with torch.no_grad():
        plain = network(picture, 3).sample
        with recorded_attention(network, sink, stop_after_last=False):
            torch.testing.assert_close(network(picture, 3).sample, plain, atol=1e-5, rtol=1e-4)
    assert [affinity.grid for affinity in sink.affinities()] == [4, 4, 4, 4]


def test_an_error_inside_restores_the_network(tiny_unet):
    layer = dict(tiny_unet.named_modules())[self_attention_layers(tiny_unet)[0]]
    before = layer.processor
    with pytest.raises(ValueError, match="stop"), recorded_attention(tiny_unet, MeanAttention()):
        raise ValueError("stop")
    assert layer.processor is before
