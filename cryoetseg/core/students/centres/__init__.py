"""Particles of any kind: a network that finds centres, tells diameters, and knows what is bound to a membrane."""
