"""Running programs, and telling why they failed."""

import json, os, shutil, subprocess, sys, time


class Failed(Exception):
    """A program ended as it should not."""


class Unmeasurable(Exception):
    """A row cannot be had on this host; the text says why."""


def sh(*command, **options):
    """Runs a program to its end and gives its output."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)
    try:
        output, errors = process.communicate()
    except BaseException:
        # This bench was told to end: the program gets the time to put its own things away.
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        raise
    if process.returncode != 0:
        said = ((errors or "") + (output or "")).strip()
        words = " ".join(word if len(word) < 80 else word[:77] + "..." for word in command)
        raise Failed(f"`{words}` ended with {process.returncode}: {said}")
    return output


def need(package, *programs):
    """Makes a row unmeasurable when a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            raise Unmeasurable(f"this host has no {program} (package {package})")


def seconds(body):
    """How long a body takes. A body that measures itself returns the figure, and that counts instead."""
    began = time.monotonic()
    own = body()
    return own if isinstance(own, float) else time.monotonic() - began


def first_byte(*command, env=None):
    """Spawns a command: seconds to the first byte of its output, and to its end."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    byte = os.read(process.stdout.fileno(), 1)
    first = time.monotonic() - began
    _, errors = process.communicate()
    whole = time.monotonic() - began
    if process.returncode != 0 or not byte:
        raise Failed(f"`{' '.join(command[:4])} ...` ended with {process.returncode}: {errors.decode(errors='replace').strip()}")
    return first, whole


def at_once(commands):
    """Spawns commands together: seconds until each of them has said something, and until all have ended."""
    began = time.monotonic()
    processes = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for command in commands]
    spoke = [os.read(process.stdout.fileno(), 1) for process in processes]
    first = time.monotonic() - began
    said = [process.communicate()[1] for process in processes]
    whole = time.monotonic() - began
    for process, byte, errors in zip(processes, spoke, said):
        if process.returncode != 0 or not byte:
            raise Failed(f"one of {len(commands)} at once ended with {process.returncode}: {errors.decode(errors='replace').strip()}")
    return first, whole


def drop_caches():
    """Forgets what the host has in memory of its files."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3\n")


class Terrine:
    """The program under test, with a home of its own."""

    def __init__(self, program, home):
        self.program, self.home = program, home
        os.makedirs(home, exist_ok=True)

    def command(self, *arguments):
        # Before the arguments: what follows `--` belongs to the machine.
        return (self.program, arguments[0], "--home", self.home, *arguments[1:])

    def __call__(self, *arguments):
        return sh(*self.command(*arguments))

    def json(self, *arguments):
        return json.loads(self(arguments[0], "--json", *arguments[1:]))

    def has_option(self, command, option):
        return option in sh(self.program, command, "--help")

    def script(self, machine, script):
        """Runs a script in a machine."""
        return self("exec", machine, "--", "sh", "-e", "-c", script)

    def folder(self, machine):
        """A machine's folder as its keeper sees it, with the disk and its file system mounted."""
        for entry in self.json("ps")["machines"]:
            if entry["name"] == machine:
                return f"/proc/{entry['pid']}/root{self.home}/machines/{machine}"
        raise Failed(f"no machine {machine}")

    def remove_machines(self):
        try:
            subprocess.run(
                self.command("rm", "--all"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        except subprocess.TimeoutExpired:
            print(f"bench: `terrine rm --home {self.home} --all` hangs; machines may be left", file=sys.stderr)
