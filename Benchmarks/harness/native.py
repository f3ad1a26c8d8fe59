"""A disk's files on a loop device with direct I/O, with nothing of terrine below: the peer of what runs in a sandbox."""

import os, subprocess

from harness.processes import sh

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C"}
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


class LoopRoot:
    """A file with an ext4 on it, mounted through a loop device and fit for `chroot`.

    The bench has a mount namespace of its own and the loop device is detached when its last mount goes: a bench that is killed leaves neither.
    """

    def __init__(self, file, point, data=None, direct=True):
        self.point, self.mounts = point, []
        os.makedirs(point, exist_ok=True)
        loop = sh("losetup", "--find", "--show", f"--direct-io={'on' if direct else 'off'}", "--sector-size", "4096", file).strip()
        try:
            self._mount("-o", "noatime", loop, point)
        finally:
            # In use it is only marked: the kernel detaches it at the unmount.
            subprocess.run(["losetup", "--detach", loop], stderr=subprocess.DEVNULL)
        self._mount("-t", "proc", "proc", point + "/proc")
        self._mount("-t", "tmpfs", "-o", "mode=755,size=1m", "dev", point + "/dev")
        for name, (major, minor) in DEVICES.items():
            os.mknod(f"{point}/dev/{name}", 0o666 | 0o020000, os.makedev(major, minor))
            os.chmod(f"{point}/dev/{name}", 0o666)
        if data:
            os.makedirs(point + "/data", exist_ok=True)
            self._mount("--bind", data, point + "/data")

    def _mount(self, *arguments):
        sh("mount", *arguments)
        self.mounts.append(arguments[-1])

    def script(self, script):
        return sh("chroot", self.point, "sh", "-e", "-c", script, env=ENVIRONMENT)

    def close(self):
        while self.mounts:
            sh("umount", self.mounts[-1])
            self.mounts.pop()
