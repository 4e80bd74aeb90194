import json

import pytest
import torch

from cryoetseg.core.foundation.backbone import load_backbone
from cryoetseg.core.foundation.backbone_folder import find_folder
from cryoetseg.core.foundation.stable_diffusion import StableDiffusionBackbone
from cryoetseg.core.models.shelf import shipped_folder
from cryoetseg.core.runtime.errors import WeightsError

CPU = torch.device("cpu")


def test_a_folder_with_a_conditional_unet_is_stable_diffusion(sd_folder):
    assert isinstance(load_backbone(str(sd_folder), "", CPU), StableDiffusionBackbone)


def test_missing_stable_diffusion_says_how_to_get_it(tmp_path):
    with pytest.raises(WeightsError, match="cryoetseg weights fetch stable-diffusion-v1-4"):
        load_backbone("stable-diffusion-v1-4", str(tmp_path), CPU)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(WeightsError, match=r"cryoet-tiny, stable-diffusion-v1-4"):
        load_backbone("stabel-diffusion", "", CPU)


@pytest.mark.parametrize("content", [None, "{ not json", json.dumps({"_class_name": "SomethingElse"})])
def test_folders_that_hold_no_backbone_are_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(WeightsError, match=tmp_path.name):
        load_backbone(str(tmp_path), "", CPU)


def test_the_shipped_backbone_needs_no_folder():
    assert find_folder("cryoet-tiny") == shipped_folder("cryoet-tiny")
