"""Vox-UDA: segmenting subtomograms of an unlabelled target with labels of a simulated source (Li et al., arXiv 2406.18610)."""
