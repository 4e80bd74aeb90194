"""Synthetic particle subtomograms by class and position: a conditional diffusion model in three dimensions (Cryo-ET-Diff)."""
