"""What every run needs: errors, parameters, jobs, files, progress, devices, seeds."""
