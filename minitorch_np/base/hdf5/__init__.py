"""HDF5 files, walked before HDF5 opens them.

HDF5's own library trusts the addresses in a file: a B-tree node that is its own child ends the process, one that is its own
neighbour keeps it for ever, and an address that leads into other data gives other numbers. `check_structure` follows every address
first, each once, and refuses a file in which they do not form a tree or in which two things lie in the same place.

Source: HDF5 File Format Specification 3.0, whose section numbers are named where its structures are read.
"""

from minitorch_np.base.hdf5.storage import Damaged as Damaged
from minitorch_np.base.hdf5.walk import check_data_file as check_data_file
from minitorch_np.base.hdf5.walk import check_structure as check_structure
