"""Particle lists and their file formats."""
