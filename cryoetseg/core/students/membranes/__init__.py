"""The membrane student: a 2D U-Net on one or several slices."""
