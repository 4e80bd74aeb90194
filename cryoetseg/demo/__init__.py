"""``make demo``: the main job in a Scipion project, with a report anyone can open."""
