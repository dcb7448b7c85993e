"""cffi build description of shmredis._core: what Python sees of the C core, and how it is compiled.

core.h and its companions are the interface of the product; whitebox.h adds the inner functions that unit
tests drive. All are read by cffi and by the compiler, so they cannot drift from the code.
"""

import os
from pathlib import Path

from cffi import FFI

CSRC = Path(__file__).parent
ROOT = CSRC.parent
HEADERS = ["core.h", "core_session.h", "core_files.h", "core_workers.h", "whitebox.h"]


def declarations(header: str) -> str:
    """The header's text without preprocessor lines, which cffi does not read."""
    lines = (CSRC / header).read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


def compile_flags() -> tuple[list[str], list[str]]:
    compile_args = [
        "-std=gnu11",
        "-O3",
        "-g",
        "-fno-strict-aliasing",
        "-fvisibility=hidden",
        "-fno-semantic-interposition",
    ]
    link_args = []
    if sanitizers := os.environ.get("SHMREDIS_SANITIZE"):
        compile_args += [
            f"-fsanitize={sanitizers}",
            "-fno-sanitize-recover=all",
            "-O1",
            "-DSHMREDIS_DEBUG",
        ]
        compile_args += ["-fno-omit-frame-pointer"]
        link_args += [f"-fsanitize={sanitizers}"]
    if os.environ.get("SHMREDIS_DEBUG"):
        compile_args.append("-DSHMREDIS_DEBUG")
    return compile_args, link_args


def builder() -> FFI:
    ffi = FFI()
    for header in HEADERS:
        ffi.cdef(declarations(header))
    ffi.cdef('extern "Python" uint64_t python_xxh3(const char *p, size_t n);')
    ffi.cdef('extern "Python" void python_say(int level, const char *text);')
    ffi.cdef(
        'extern "Python" void python_inside(void *owner, struct call *c, int row, const char *words, '
        "size_t n, const uint32_t *ends, int argc, int resp);"
    )
    ffi.cdef(
        'extern "Python" void python_denied(uint64_t session_id, const struct acl_event *event);'
    )
    compile_args, link_args = compile_flags()
    ffi.set_source(
        "shmredis._core",
        "".join(f'#include "{header}"\n' for header in HEADERS),
        sources=[str(path.relative_to(ROOT)) for path in sorted(CSRC.rglob("*.c"))],
        include_dirs=["csrc"],
        depends=[str(path.relative_to(ROOT)) for path in sorted(CSRC.rglob("*.h"))],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        libraries=["rt", "m"],
    )
    return ffi


ffibuilder = builder()
