"""The structure of HDF5 files, checked before HDF5's library opens them.

The library trusts the addresses in a file: a B-tree node that is its own child crashes the process, a node that is its own
neighbour is an endless loop, and an address that leads into other data gives wrong numbers. `check_structure` follows every address
once, and refuses a file in which they do not form a tree or in which two things share bytes.

Source: HDF5 File Format Specification 3.0. Each module names the sections that it reads.
"""

from minitorch_np.base.hdf5.attributes import strings as strings
from minitorch_np.base.hdf5.storage import SIGNATURE as SIGNATURE
from minitorch_np.base.hdf5.storage import Damaged as Damaged
from minitorch_np.base.hdf5.storage import Storage as Storage
from minitorch_np.base.hdf5.walk import check_data_file as check_data_file
from minitorch_np.base.hdf5.walk import check_structure as check_structure
