"""What a row is given: scratch space, images ready to use, and a way to report."""

import contextlib, json, os, shutil, subprocess, sys, tempfile, traceback

from harness import data
from harness.native import LoopRoot
from harness.peers import StorageDaemon
from harness.processes import Failed, Terrine, Unmeasurable, need, sh
from harness.results import Results, Row

# Unpacked and configured by `apt-get install` in a row; the archives are in the image, so that no network counts.
APT_PACKAGES = "git python3-minimal vim-tiny"


class Bench:
    def __init__(self, program, results_folder, full, seed):
        self.program, self.full = program, full
        self.results = Results(results_folder, sh(program, "version").strip())
        self.scratch = tempfile.mkdtemp(prefix="terrine-bench.", dir=os.environ.get("TMPDIR", "/var/tmp"))
        # A container's root in a user namespace has to pass.
        os.chmod(self.scratch, 0o711)
        self.seed = os.path.realpath(seed) if seed else self.scratch + "/seed"
        self.made, self.failed, self.row_name = {}, [], ""
        # What ends with the row that is being measured, and what ends with the bench.
        self.open, self.lasting = contextlib.ExitStack(), contextlib.ExitStack()

    # Reporting

    def row(self, what, ours, against="", peer=None, target="", limit=None, kind="time", more=None):
        """Reports one line of the table.

        `limit` is the highest ratio that meets the target; `more` instead the highest difference in seconds.
        """
        ratio = None if peer is None else (peer / ours if kind == "rate" else ours / peer)
        verdict = ""
        if limit is not None:
            verdict = "met" if ratio <= limit else f"missed by {ratio / limit:.2f}x"
        if more is not None:
            verdict = f"{(ours - peer) * 1000:.0f} ms more: " + ("met" if ours - peer <= more else "missed")
        self.results.add(Row(self._key(what), what, ours, kind, against, peer, ratio, target, verdict))

    def missing(self, what, why, against="", target=""):
        """Reports a line that cannot be measured here."""
        text = " ".join(str(why).split()).replace("|", "/")
        for path, name in ((self.scratch, "SCRATCH"), (self.seed, "SEED"), (self.program, "terrine")):
            text = text.replace(path, name)
        self.results.add(Row(self._key(what), what, against=against, target=target, missing=text[:400]))

    def curve(self, name, title, x, y, series):
        self.results.curves[name] = {"title": title, "x": x, "y": y, "series": series}

    def _key(self, what):
        return f"{self.row_name}/{what}"

    def measure(self, name, function):
        """Runs one row. What it leaves open is closed, whatever happens; what fails is told in the table."""
        self.row_name = name
        print(f"-- {name}", flush=True)
        # What was written before this row must not go to the disk while it is measured.
        os.sync()
        try:
            with contextlib.ExitStack() as self.open:
                function(self)
        except Unmeasurable as why:
            self.missing(name, why)
        except (Failed, OSError, KeyError, ValueError) as error:
            traceback.print_exc()
            self.failed.append(name)
            self.missing(name, f"failed: {error}")

    # Things to measure with; all end with the row.

    def folder(self, name, short=False):
        # podman takes no path of more than 50 characters for its run folder.
        path = f"{self.scratch}/{name}" if short else f"{self.scratch}/{self.row_name}-{name}"
        os.mkdir(path)
        self.open.callback(clear, path)
        return path

    def home(self, name="home"):
        """A terrine home with the images `bench:1` (a Debian base) and `bench:tools` (with compilers, fio, archives)."""
        self.images()
        folder = self.folder(name)
        # Blobs are never written to again, so another name is a copy; all else is copied, by `cp`, which leaves holes alone.
        shutil.copytree(self.seed + "/home", folder + "/home", symlinks=True, copy_function=lambda source, target: (
            os.link(source, target) if "/store/blobs/" in source else sh("cp", "-a", source, target)))
        terrine = Terrine(self.program, folder + "/home")
        self.open.callback(terrine.remove_machines)
        return terrine

    def native(self, image="bench:tools", data=None):
        """The files of an image on a native loop device."""
        root = LoopRoot(self.raw_copy(image), self.folder("native"), data)
        self.open.callback(root.close)
        return root

    def storage_daemon(self, image="bench:tools", data=None):
        """The same on qemu-storage-daemon's export.

        Through a buffered loop device: with direct I/O, version 7.2 loses what is written (`diff` of a copied tree, after its caches were dropped).
        """
        daemon = StorageDaemon(self.folder("daemon") + "/export", self.raw(image))
        self.open.callback(daemon.close)
        root = LoopRoot(daemon.file, self.folder("daemon-root"), data, direct=False)
        self.open.callback(root.close)
        return root

    def raw_copy(self, image):
        copy = self.folder("raw") + "/disk.raw"
        sh("cp", "--sparse=always", self.raw(image), copy)
        return copy

    # Made once for all rows

    def once(self, name, make):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def once_open(self, name, make):
        """The same for what is open: it ends with the bench instead of with the row that asked first."""
        row, self.open = self.open, self.lasting
        try:
            return self.once(name, make)
        finally:
            self.open = row

    def images(self):
        """Builds the images that rows start from, unless they were left here by a run with the same `--seed`."""
        def make():
            if os.path.exists(self.seed + "/complete"):
                return
            need("fio", "fio")
            os.makedirs(self.seed, exist_ok=True)
            terrine = Terrine(self.program, self.seed + "/home")
            print("building a Debian base", flush=True)
            terrine("build", self.recipe("base", "base: debian-bookworm"), "-t", "bench:1", "-q")
            print("building an image with tools", flush=True)
            terrine("build", self._tools_recipe(), "-t", "bench:tools", "-q")
            open(self.seed + "/complete", "w").close()
        self.once("images", make)

    def recipe(self, name, text):
        folder = f"{self.seed}/{name}"
        os.makedirs(folder, exist_ok=True)
        with open(folder + "/terrine.yaml", "w") as file:
            file.write(f"version: 1\nname: bench-{name}\n{text}\n")
        return folder

    def _tools_recipe(self):
        folder = self.recipe("tools", f"""base: bench:1
packages: {{ apt: [gcc, libc6-dev, make] }}
files:
  - {{ from: fio, to: /opt/bench/fio }}
  - {{ from: sources.tar, to: /opt/bench/sources.tar }}
workspace: {{ path: /workspace, from: empty }}
steps:
  - name: archives
    inputs: []
    run: |
      mkdir -p /opt/bench/archives/partial
      apt-get update -qq
      apt-get install -qq --download-only --no-install-recommends -o Dir::Cache::archives=/opt/bench/archives {APT_PACKAGES}
      rm -rf /opt/bench/archives/partial /opt/bench/archives/lock""")
        os.makedirs(folder + "/empty", exist_ok=True)
        # This host's fio with its libraries: Debian's package brings more than a hundred MiB into a root.
        os.makedirs(folder + "/fio", exist_ok=True)
        fio = shutil.which("fio")
        libraries = [word for line in sh("ldd", fio).splitlines() for word in line.split() if word.startswith("/")]
        for path in [fio, *libraries]:
            shutil.copy(os.path.realpath(path), f"{folder}/fio/{os.path.basename(path)}")
        shutil.rmtree(folder + "/sources", ignore_errors=True)
        data.c_sources(folder + "/sources")
        data.archive(folder + "/sources.tar", folder, "sources")
        return folder

    def raw(self, image):
        """An image's disk as a sparse file, and (as a side effect) its files; not to be written to."""
        path = f"{self.seed}/{image.replace(':', '-')}"

        def make():
            self.images()
            if not os.path.exists(path + ".json"):
                self._copy_out(image, path)
            with open(path + ".json") as file:
                self.made["config"] = json.load(file)
            return path + ".raw"
        return self.once(path, make)

    def _copy_out(self, image, path):
        terrine = Terrine(self.program, self.seed + "/home")
        for kind in ("raw", "files"):
            clear(f"{path}.{kind}")
        terrine("start", image, "--name", "copy", "--network", "none")
        try:
            folder = terrine.folder("copy")
            sh("sync", "-f", folder + "/disk")
            # Only the blocks that are in use: a whole disk is 16 GiB of reading. -f: mounted, but nothing writes to it.
            sh("e2image", "-raf", folder + "/fuse/disk", path + ".raw")
            sh("cp", "-a", folder + "/disk", path + ".files")
            # Last: with it the copy is complete.
            shutil.copy(terrine.home + "/machines/copy/bundle/config.json", path + ".json")
        finally:
            terrine.remove_machines()

    def files(self, image="bench:1"):
        """An image's files as plain files of this host."""
        return self.raw(image).removesuffix(".raw") + ".files"

    def machine_config(self):
        """What terrine asks the OCI runtime for, for a machine without network."""
        self.raw("bench:1")
        return self.made["config"]

    def text(self):
        """A file of real files, from which test data are cut."""
        def make():
            data.archive(self.scratch + "/text.tar", self.files("bench:1"), "usr", "var")
            return self.scratch + "/text.tar"
        return self.once("text", make)

    def data(self, folder, mebibytes, name="data"):
        """A file of that size of real and random halves, new with each call."""
        path = f"{folder}/{name}"
        data.half_compressible(path, mebibytes << 20, self.text())
        return path

    def close(self):
        """Leaves nothing: machines first, which may hold mounts, then mounts, then files."""
        self.open.close()
        self.lasting.close()
        if os.path.isdir(self.seed + "/home"):
            Terrine(self.program, self.seed + "/home").remove_machines()
        clear(self.scratch)


def clear(folder):
    """Unmounts what is mounted below a folder, and removes it."""
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4] for line in file]
    for point in reversed(points):
        if point.startswith(folder + "/"):
            subprocess.run(["umount", point], stderr=subprocess.DEVNULL)
    if subprocess.run(["rm", "-rf", "--one-file-system", folder]).returncode != 0:
        print(f"bench: {folder} is still there", file=sys.stderr)
