"""The programs that terrine is held against: runc, podman, qemu-storage-daemon."""

import itertools, json, os, signal, stat, subprocess, time

from harness.processes import Failed, Unmeasurable, need, sh

NAMES = itertools.count()


class Runc:
    """An unpacked copy of an image's files, run by runc."""

    def __init__(self, state, bundle, rootfs, script):
        need("runc", "runc")
        self.state, self.bundle = state, bundle
        os.makedirs(bundle)
        sh("runc", "spec", cwd=bundle)
        self._change(lambda config: (
            config["process"].update(terminal=False, args=["sh", "-c", script]),
            config["root"].update(path=rootfs, readonly=False)))

    def _change(self, change):
        with open(self.bundle + "/config.json") as file:
            config = json.load(file)
        change(config)
        with open(self.bundle + "/config.json", "w") as file:
            json.dump(config, file)

    def confine_like(self, config):
        """Takes over what confines a machine: its user namespace, capabilities, system calls, limits and hidden paths.

        The mounts are the machine's too, without the files that it binds; the namespaces are new ones instead of the machine's.
        """
        linux = dict(config["linux"])
        linux.pop("cgroupsPath", None)
        linux["namespaces"] = [{"type": namespace["type"]} for namespace in linux["namespaces"]]

        def change(own):
            process = {key: value for key, value in config["process"].items() if key != "args"}
            own["process"] = own["process"] | process | {"terminal": False}
            own["mounts"] = [mount for mount in config["mounts"] if mount["type"] != "bind"]
            own["linux"] = linux

        self._change(change)

    def command(self):
        return ("runc", "--root", self.state, "run", "--bundle", self.bundle, f"bench-{next(NAMES)}")


def shifted_copy(rootfs, copy, first):
    """A copy whose owners are `first` and up: what a user namespace without an id-mapped mount needs."""
    sh("cp", "-a", rootfs, copy)
    for folder, folders, files in os.walk(copy):
        for path in [folder] + [f"{folder}/{name}" for name in files] + [f"{folder}/{name}" for name in folders if os.path.islink(f"{folder}/{name}")]:
            status = os.lstat(path)
            os.lchown(path, status.st_uid + first, status.st_gid + first)
            if not stat.S_ISLNK(status.st_mode):
                os.chmod(path, stat.S_IMODE(status.st_mode))


class Podman:
    """A store of podman's with one image in it."""

    def __init__(self, folder, rootfs):
        need("podman", "podman")
        self.folder = folder
        # podman's own defaults are higher than what a host may let its root give.
        with open(folder + "/containers.conf", "w") as file:
            file.write(
                '[containers]\ndefault_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]\n'
                '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n')
        self.environment = os.environ | {"CONTAINERS_CONF": folder + "/containers.conf"}
        tar = subprocess.Popen(["tar", "-C", rootfs, "-c", "."], stdout=subprocess.PIPE)
        try:
            sh(*self._podman(), "import", "-", "bench:1", stdin=tar.stdout, env=self.environment)
            sh(*self.command("true"), env=self.environment)
        except Failed as error:
            raise Unmeasurable(f"podman cannot run here: {error}") from None
        finally:
            tar.stdout.close()
            tar.wait()

    def _podman(self):
        return ("podman", "--root", self.folder + "/root", "--runroot", self.folder + "/run", "--tmpdir", self.folder + "/tmp")

    def command(self, script):
        return (*self._podman(), "run", "--rm", "--network", "none", "bench:1", "sh", "-c", script)

    def close(self):
        subprocess.run([*self._podman(), "rm", "--all", "--force"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class StorageDaemon:
    """A qcow2 with zstd clusters and an empty one on top, exported as a file by qemu-storage-daemon."""

    def __init__(self, folder, raw):
        need("qemu-utils", "qemu-img")
        need("qemu-system-common", "qemu-storage-daemon")
        os.makedirs(folder)
        self.file = folder + "/disk"
        base, top = folder + "/base.qcow2", folder + "/top.qcow2"
        sh("qemu-img", "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", raw, base)
        sh("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, top)
        open(self.file, "w").close()
        self.process = subprocess.Popen(
            ["qemu-storage-daemon", "--blockdev", f"driver=qcow2,node-name=disk,file.driver=file,file.filename={top},discard=unmap",
             "--export", f"type=fuse,id=export,node-name=disk,mountpoint={self.file},writable=on"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 20
        while os.stat(self.file).st_size == 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise Unmeasurable(f"qemu-storage-daemon does not export a file here: {self.process.stderr.read().strip()}")
            time.sleep(0.05)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
