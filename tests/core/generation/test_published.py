import pytest
import torch
from safetensors.torch import load_file

from cryoetseg.core.generation.network import ConditionalUNet3d
from cryoetseg.core.generation.published import export_published, import_published, to_published
from cryoetseg.core.runtime.errors import WeightsError

NAMES = {"cond_emb.time_mlp.1.weight", "cond_emb.time_mlp.3.bias", "cond_emb.class_mlp.weight", "cond_emb.coord_mlp.0.weight",
         "cond_emb.coord_mlp.2.weight", "enc1.norm1.weight", "enc3.conv1.weight", "bot.cond_proj.bias", "dec2.skip.weight",
         "down3.conv.weight", "up1.deconv.weight", "out_conv.bias"}


@pytest.fixture
def network():
    torch.manual_seed(1)
    return ConditionalUNet3d(3, 8).eval()


def test_export_and_import_give_the_same_network_under_published_names(tmp_path, network):
    export_published(tmp_path / "ours.safetensors", network)
    stored = load_file(tmp_path / "ours.safetensors")
    torch.save({"model_state": stored, "epoch": 99, "idx_to_class": {0: "a"}}, tmp_path / "theirs.pth")  # as the authors' program does
    assert set(stored) >= NAMES
    assert len(stored) == len(network.state_dict())
    again = import_published(tmp_path / "theirs.pth")
    assert torch.equal(again.head.weight, import_published(tmp_path / "ours.safetensors").head.weight)
    arguments = torch.randn(1, 1, 16, 16, 16), torch.tensor([40]), torch.eye(3)[:1], torch.tensor([[0.1, 0.5, 0.9]])
    with torch.no_grad():
        torch.testing.assert_close(again(*arguments), network(*arguments))


def test_positions_are_xyz_in_the_published_layer(network):
    theirs = to_published(network.state_dict())["cond_emb.coord_mlp.0.weight"]
    ours = network.condition.position[0].weight
    zyx = torch.tensor([0.1, 0.5, 0.9])
    torch.testing.assert_close(theirs @ zyx.flip(0), ours @ zyx)


def test_foreign_weights_are_refused_by_name(tmp_path):
    torch.save({"model_state": {"attention.weight": torch.zeros(2)}}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"attention\.weight"):
        import_published(tmp_path / "other.pth")
    torch.save({"model_state": {"out_conv.weight": torch.zeros(1, 8, 3, 3, 3)}}, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match="not those of the published network"):
        import_published(tmp_path / "part.pth")
