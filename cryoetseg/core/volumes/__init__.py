"""Volumes: reading, writing, contrast, normalisation, resampling, tiles."""
