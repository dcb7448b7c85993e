"""Builds the C core (csrc/) as the extension module shmredis._core.

Environment:
    SHMREDIS_SANITIZE   e.g. "address,undefined": builds the core with these sanitizers
    SHMREDIS_DEBUG      non-empty: debug assertions (DASSERT) are compiled in
    SHMREDIS_JOBS       how many compilers run at once (default: all cores)
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext


class ParallelBuild(build_ext):
    """build_ext that compiles the C files of the one extension side by side."""

    def build_extensions(self) -> None:
        compile_one = self.compiler.compile

        def compile_all(sources: list[str], **options: Any) -> list[str]:
            jobs = int(os.environ.get("SHMREDIS_JOBS", "0")) or os.cpu_count() or 1
            with ThreadPoolExecutor(jobs) as pool:
                done = pool.map(lambda source: compile_one([source], **options), sources)
                return [obj for objects in done for obj in objects]

        self.compiler.compile = compile_all
        super().build_extensions()


setup(cmdclass={"build_ext": ParallelBuild}, cffi_modules=["csrc/build_core.py:ffibuilder"])
