"""Installation of cryoetseg.

The base needs little, because the Scipion side may run on Python 3.8 beside a newer interpreter for the core:
``pip install cryoetseg[all] -c constraints.txt`` gives one environment for both (Python 3.11).
"""
import re
from pathlib import Path

from setuptools import find_packages, setup

root = Path(__file__).parent
version = re.search(r'__version__ = "([^"]+)"', (root / "cryoetseg" / "__init__.py").read_text()).group(1)

base = ["numpy", "mrcfile", "pydantic>=2"]
scipion = ["scipion-pyworkflow", "scipion-em", "scipion-em-tomo>=3.11"]
core = ["torch>=2.1", "diffusers", "transformers", "accelerate", "safetensors", "monai", "scipy", "scikit-image", "scikit-learn",
        "emfile", "starfile", "pandas", "tifffile", "zarr>=3", "typer", "rich", "tqdm", "psutil", "matplotlib", "jinja2", "trimesh"]
dev = ["pytest", "pytest-xdist", "hypothesis", "ruff", "mypy", "scipion-em-reliontomo", "scipion-app", "scipion-em-imod", "submitit",
       "dynamotable", "eulerangles", "imodmodel", "ome-zarr-models", "h5py"]

setup(
    name="cryoetseg",
    version=version,
    description="Cryo-electron tomography segmentation without labels, in Scipion, on the command line and in Python",
    long_description=(root / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="GPL-3.0-or-later",
    packages=find_packages(include=["cryoetseg", "cryoetseg.*"]),
    package_data={"cryoetseg": ["protocols.conf", "*.png", "templates/*.template", "core/models/shipped/*.md", "core/models/shipped/*/*",
                                "core/models/shipped/*/*/*", "core/report/*.html", "napari_plugin/*.yaml", "demo/data/*"]},
    python_requires=">=3.8",
    install_requires=base,
    extras_require={"scipion": scipion, "core": core, "all": scipion + core, "dev": dev, "cellpose": ["cellpose>=4"],
                    "napari": ["napari>=0.5", "PyQt5"], "hdf": ["h5py"], "portal": ["cryoet-data-portal>=4"],
                    "batch": ["submitit>=1.5", "dask-jobqueue>=0.9"]},
    entry_points={
        "pyworkflow.plugin": ["cryoetseg = cryoetseg"],
        "napari.manifest": ["cryoetseg = cryoetseg.napari_plugin:napari.yaml"],
        "console_scripts": ["cryoetseg = cryoetseg.core.cli:main"],
    },
    classifiers=[
        "License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Bio-Informatics",
    ],
)
