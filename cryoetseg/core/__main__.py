"""``python -m cryoetseg.core job.json`` runs one job: the door through which Scipion and job arrays come in."""
from .cli import main

if __name__ == "__main__":
    main()
