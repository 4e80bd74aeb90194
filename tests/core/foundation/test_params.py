import subprocess
import sys

import pytest

from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.params import describe, parameters_from

PUBLISHED = {
    "stretch": "minmax", "smoothing_sigma": 1.25, "tiling": "quadrants", "backbone": "stable-diffusion-v1-4", "noise_reach": 680.0,
    "solver": "gradient", "eigenvectors": 12, "gradient_iterations": 2000, "gradient_accumulation": 20, "gradient_learning_rate": 2e-3,
    "replay_probability": 0.9, "eigenimages": 10, "inversion_pixel": 100.0, "inversion_area": 0.4, "base_contours": 10,
    "merged_contours": 15, "merge_similarity": 0.35, "merge_rounds": 10, "slab_correction": True, "neighbour_similarity": 0.9,
    "centre_similarity": 0.8, "threshold_scale": "published", "threshold_block_px": 15, "threshold_offset": 3.0, "splitter": "cellpose",
    "filters": "published", "clahe": True, "link_slices": 1,
}


def test_published_preset_holds_every_published_value():
    published = SegmentSlabsParameters.published()
    assert {name: getattr(published, name) for name in PUBLISHED} == PUBLISHED


def test_published_preset_takes_changes():
    assert SegmentSlabsParameters.published(z_start=200, z_end=300, clahe=False).clahe is False


def test_form_starts_with_the_slab_range_and_every_field_explains_itself():
    fields = describe(SegmentSlabsParameters)
    assert [field.name for field in fields[:3]] == ["z_auto", "z_start", "z_end"]
    assert all(len(field.help) > 15 for field in fields)
    assert next(field for field in fields if field.name == "particle_diameter").unit == "A"


@pytest.mark.parametrize(("name", "value"), [("merge_similarity", 2), ("draws", 0), ("solver", "magic"), ("tile_px", 4), ("no_such", 1)])
def test_values_outside_their_bounds_are_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=name):
        parameters_from(SegmentSlabsParameters, {name: value})


def test_parameters_load_without_the_heavy_libraries():
    code = "import sys, cryoetseg.core.foundation.params; print([m for m in ('torch', 'numpy', 'diffusers') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
