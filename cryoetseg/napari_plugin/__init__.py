"""napari plugin: open the results of a run, curate them, save them back with their history, run commands in the background.

Nothing here imports napari or Qt before napari asks for it.
"""
