"""Bad files: one module for each part of a file that may be bad. Importing them enters their cases."""

from hazards import checkpoints, descriptions, hdf5, legacy, plain, zips  # noqa: F401
from hazards.forging import CASES as CASES
