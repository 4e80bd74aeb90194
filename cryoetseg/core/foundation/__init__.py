"""Method 1: unsupervised segmentation from the self-attention of diffusion networks."""
