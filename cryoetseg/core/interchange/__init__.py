"""Doors to the programs of the field: whole results written as, and read from, what they call a project, a scene or an image."""
