"""Particle picking without learning."""
