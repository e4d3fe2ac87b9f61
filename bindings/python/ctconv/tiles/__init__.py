# SPDX-License-Identifier: Apache-2.0
"""ctconv.tiles: y = layer(x) for arrays larger than memory, tile by tile, from file to file.

    report = ctconv.tiles.run(layer, "x.npy", "y.npy", memory="2G")  # or x.zarr, y.zarr: package zarr
    python -m ctconv.tiles torch.nn.ConvTranspose3d '{...}' -x x.npy -w w.npy -o y.npy --memory 2G

In:  a ctconv.Layer, x in a file or an array, where y goes, a memory limit
Out: y, with reproducible=1 the bits of one whole call for any tiling; a Report
     A run that is killed goes on at the next call: OUT.journal says which tiles OUT.part holds.
Refuses: what the layer refuses; limits that no tile keeps; StorageError for disks, files and chunks that fail
"""

from ._errors import StorageError
from ._memory import most_resident
from ._memory import parsed as bytes_of
from ._progress import State
from ._run import Report, run

__all__ = ["Report", "State", "StorageError", "bytes_of", "most_resident", "run"]
