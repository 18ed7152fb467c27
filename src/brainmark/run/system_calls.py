"""System calls that no model needs, refused in the sandbox: what has no way in cannot be broken.

The filter is a program of the classic Berkeley packet filter, as seccomp takes it (``man 2 seccomp``).
"""

from __future__ import annotations

import platform
import struct

_ERRNO, _ALLOW = 0x00050001, 0x7FFF0000  # "operation not permitted", and go on
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # places in what the filter looks at
_FOREIGN = 0x40000000  # numbers of another table (x32) begin here

# keys of the user, looking into other processes, mounts and namespaces, and parts of the kernel that often had faults
_X86_64 = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438,
    "add_key": 248, "request_key": 249, "keyctl": 250, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "mount": 165, "umount2": 166,
    "pivot_root": 155, "unshare": 272, "setns": 308, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "mount_setattr": 442,
    "swapon": 167, "swapoff": 168, "reboot": 169, "syslog": 103, "acct": 163, "quotactl": 179, "kexec_load": 246,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "iopl": 172, "ioperm": 173,
}  # fmt: skip
_AARCH64 = {
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "pidfd_getfd": 438,
    "add_key": 217, "request_key": 218, "keyctl": 219, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "mount": 40, "umount2": 39,
    "pivot_root": 41, "unshare": 97, "setns": 268, "name_to_handle_at": 264, "open_by_handle_at": 265,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "mount_setattr": 442,
    "swapon": 224, "swapoff": 225, "reboot": 142, "syslog": 116, "acct": 89, "quotactl": 60, "kexec_load": 104,
    "init_module": 105, "finit_module": 273, "delete_module": 106,
}  # fmt: skip
_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}


def make_filter(machine: str = "") -> bytes:
    """Return the filter for a machine (without a name, this one); empty where its numbers are not known here."""
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return b""
    architecture, calls = known
    numbers = sorted(calls.values())
    refuse = len(numbers) + 1  # steps from the first comparison to the end that refuses
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, refuse + 2, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, refuse, 0, _FOREIGN),
        *((_EQUAL, refuse - 1 - place, 0, number) for place, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
