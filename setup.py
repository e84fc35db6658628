"""What goes into the wheel; everything else about it is in pyproject.toml.

The templates stay a top-level folder here and become part of `mlxsite` in the
wheel, because a package must not claim the name `templates` for itself.
"""

from __future__ import annotations

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["mlxsite*", "inference*", "metrics*"]),
        "mlxsite._templates",
    ],
    package_dir={"mlxsite._templates": "templates"},
    package_data={"": ["static/**/*"], "mlxsite._templates": ["**/*"]},
    # `templates` holds no modules, and only what is named above is shipped.
    include_package_data=False,
)
