"""The whole unsupervised chain as one call: slabs, pseudo-labels, students, masks and coordinates, report."""
