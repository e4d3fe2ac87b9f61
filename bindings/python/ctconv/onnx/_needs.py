# SPDX-License-Identifier: Apache-2.0
"""The packages that ctconv.onnx works with, imported when first used.

In:  the package's name and what needs it.   Out: the module.
Refuses: a package that is absent, by an ImportError that says which, for what, and how it is installed.
"""

import importlib


def need(name, purpose):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != name.partition(".")[0]:
            raise
        package = name.partition(".")[0]
        raise ImportError(f"{purpose} needs the package {package}: pip install {package}", name=package) from error
