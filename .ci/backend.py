"""The build backend: setuptools, which reads from MANIFEST.in here, not at the top level, what the
source archive holds.
"""

from setuptools.build_meta import *  # noqa: F403 - the hooks of PEP 517 and 660
from setuptools.command.egg_info import manifest_maker

manifest_maker.template = ".ci/MANIFEST.in"
