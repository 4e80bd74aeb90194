"""DeepETPicker: particles found by a 3D residual U-Net that learns from coordinates (Liu et al. 2024)."""
