"""The sources of sources.yaml, and how each is fetched: by this host's own apt or pip, and by its hash."""

import hashlib, os, re, subprocess
from dataclasses import dataclass, field

import yaml
from harness.processes import Failed, sh


@dataclass
class Source:
    name: str
    sha256: str
    language: str
    build: str
    pypi: str = ""
    debian: str = ""
    native: list = field(default_factory=list)
    services: list = field(default_factory=list)
    assumes: str = ""
    hidden: bool = False

    def fetch(self, folder, scratch):
        """Unpacks it into a folder of its own."""
        archive = f"{scratch}/{self.name}.archive"
        if self.pypi:
            fetch_sdist(self.pypi, archive)
        else:
            fetch_from_pool(self.debian, archive)
        with open(archive, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise Failed(f"{self.pypi or self.debian} has the hash {found}, and not {self.sha256}")
        os.mkdir(folder)
        sh("tar", "-xf", archive, "-C", folder, "--strip-components=1", "--no-same-owner")
        os.unlink(archive)


def read_sources(path):
    with open(path) as file:
        return [Source(**entry) for entry in yaml.safe_load(file)["sources"]]


def fetch_from_pool(path, archive):
    """A file of the pool that this host's packages come from, through apt's own mirrors, proxies and certificates."""
    uris = sh("apt-get", "update", "--print-uris")
    mirrors = re.findall(r"^'(.*/)dists/(?!.*security)[^/]*/InRelease' ", uris, re.M)
    if not mirrors:
        raise Failed("this host's apt has no source of Debian; add one to its sources.list")
    sh("/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", "download-file", mirrors[0] + path, archive)


# `pip download` would run the sdist's own build program to learn its metadata: a stranger's code, on this host. So pip is asked for no more than the file.
SDIST = """
import sys
from pip._internal.commands import create_command
from pip._internal.network.utils import HEADERS
from pip._vendor.packaging.specifiers import SpecifierSet
name, version = sys.argv[1].split("==")
command = create_command("download")
with command.main_context():
    options, _ = command.parse_args(["--quiet", "--no-binary", ":all:"])
    session = command.get_default_session(options)
    found = command._build_package_finder(options=options, session=session).find_best_candidate(name, SpecifierSet("==" + version)).best_candidate
    if not found:
        sys.exit(f"no index of this host's pip has an sdist of {sys.argv[1]}")
    answer = session.get(found.link.url_without_fragment, headers=HEADERS)
    answer.raise_for_status()
    open(sys.argv[2], "wb").write(answer.content)
"""


def fetch_sdist(requirement, archive):
    done = subprocess.run(["python3", "-c", SDIST, requirement, archive], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{requirement} cannot be fetched: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'pip says nothing'}")
