"""Tiled and streamed inference."""
