"""Membranes as objects: one label each, with area, thickness, curvature and volume, a mesh, and points with normals on them."""
