"""Many jobs at once: a frozen plan, workers that claim one job after the other, and queues that start the workers."""
