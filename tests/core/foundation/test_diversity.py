import numpy as np

from cryoetseg.core.foundation.diversity import contour_count, diversity, patch_deviations


def discs(*centres, radius=3, side=64):
    y, x = np.mgrid[:side, :side]
    return np.any([(y - cy) ** 2 + (x - cx) ** 2 <= radius**2 for cy, cx in centres], axis=0) * 255.0


def test_patches_of_a_64_image():
    assert patch_deviations(np.zeros((64, 64))).shape == (31, 31)


def test_constant_image_has_no_diversity():
    assert diversity(np.full((64, 64), 9.0)) == 0


def test_half_flat_half_checker_is_more_diverse_than_all_checker():
    checker = np.indices((64, 64)).sum(axis=0) % 2 * 255.0
    half = checker.copy()
    half[:, :32] = 0
    assert diversity(checker) == 0
    assert diversity(half) > 50


def test_patch_deviation_is_the_population_one():
    image = np.zeros((4, 4))
    image[0, 0] = 16.0
    assert patch_deviations(image)[0, 0] == np.std(image)


def test_contours_count_separate_bright_pieces():
    assert contour_count(discs((10, 10), (30, 30), (50, 12))) == 3
    assert contour_count(np.full((8, 8), 3.0)) == 0


def test_touching_corners_are_one_contour():
    image = np.zeros((8, 8))
    image[1:3, 1:3] = image[3:5, 3:5] = 255
    assert contour_count(image) == 1


def test_dark_holes_and_what_lies_in_them_are_no_external_contours():
    image = 255 - discs((20, 20), radius=8)
    assert contour_count(image) == 1
    image[20, 20] = 255
    assert contour_count(image) == 1
