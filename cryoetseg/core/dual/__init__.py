"""DUAL (Zeng, Ding et al. 2024): unpaired translation between tomograms and clean density with the noise kept apart."""
