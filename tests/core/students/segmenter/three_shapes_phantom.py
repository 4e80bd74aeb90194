"""Small volumes of three shapes of equal density, placed at random."""
import numpy as np

VOXEL = 10.0
QUICK = {"patch_px": 16, "jitter_px": 4, "iterations": 40, "learning_rate": 2e-3, "held_out": 0.0, "augmentation": "tilt_axis"}
REACH = 4  # voxels from a centre to the box of its shape


def shape_of(value):
    """The 9 x 9 x 9 mask of a class: 1 a ball, 2 a rod along x, 3 a plate across x."""
    z, y, x = np.indices((9, 9, 9)) - REACH
    return {1: z**2 + y**2 + x**2 <= 9, 2: (z**2 + y**2 <= 2) & (abs(x) <= 4), 3: (abs(x) <= 1) & (z**2 + y**2 <= 16)}[value]


def three_shapes(seed, shape=(24, 44, 44), each=4, noise=0.3):
    """Data with bright shapes (float32), class labels (int8), and the centres by class."""
    random = np.random.default_rng(seed)
    data, labels = noise * random.standard_normal(shape).astype(np.float32), np.zeros(shape, np.int8)
    centres = {1: [], 2: [], 3: []}
    for value in [1, 2, 3] * each:
        for _ in range(500):
            centre = [int(random.integers(REACH + 1, size - REACH - 1)) for size in shape]
            taken = [np.array(other) for points in centres.values() for other in points]
            if all(np.linalg.norm(other - centre) > 10 for other in taken):
                window = tuple(slice(c - REACH, c + REACH + 1) for c in centre)
                data[window] += 2.0 * shape_of(value)
                labels[window][shape_of(value)] = value
                centres[value].append(centre)
                break
    return data, labels, centres
