"""Files that rows read, write and compile."""

import os, tarfile

HALF = 32 << 10


def half_compressible(path, size, text):
    """Writes `size` bytes: in each 64 KiB the first half is a piece of `text` (real files), the second is random.

    Random bytes make every chunk new to the store, however often this is called; zstd takes about a third of the whole away.
    """
    with open(text, "rb") as source, open(path, "wb") as file:
        for _ in range(size // (2 * HALF)):
            piece = source.read(HALF)
            if len(piece) < HALF:
                source.seek(0)
                piece = source.read(HALF)
            file.write(piece)
            file.write(os.urandom(HALF))


def c_sources(folder, files=24, functions=40):
    """A program of many C files that `make -j2` compiles in some seconds; always the same."""
    os.makedirs(folder)
    headers = "".join(f"#include <{name}.h>\n" for name in ("stdio", "stdlib", "string", "math", "time", "errno", "unistd", "sys/stat", "pthread", "signal"))
    for number in range(files):
        with open(f"{folder}/part{number}.c", "w") as file:
            file.write(headers)
            for function in range(functions):
                file.write(
                    f"int f{number}_{function}(int n, char *s) {{\n"
                    f"  char line[256]; int sum = {number * functions + function};\n"
                    f"  for (int i = 0; i < n; i++) {{ sum = sum * 31 + s[i % 16]; if (sum % {function + 3} == 0) sum ^= i << {function % 7}; }}\n"
                    f"  switch (sum & 7) {{ case 0: sum += n; break; case 1: sum -= (int)strlen(s); break; case 5: sum *= {function + 1}; break; default: sum ^= n; }}\n"
                    '  snprintf(line, sizeof line, "%d %s\\n", sum, s); fputs(line, stdout);\n'
                    "  return sum;\n}\n")
    with open(folder + "/main.c", "w") as file:
        file.write("".join(f"int f{number}_0(int, char *);\n" for number in range(files)))
        file.write("int main(void) { char s[17] = \"0123456789abcdef\"; int n = 0;\n")
        file.write("".join(f"n += f{number}_0({number}, s);\n" for number in range(files)) + "return n == 1; }\n")
    with open(folder + "/Makefile", "w") as file:
        file.write("OBJECTS := main.o " + " ".join(f"part{number}.o" for number in range(files)) + "\n")
        file.write("CFLAGS := -O1 -g\nprogram: $(OBJECTS)\n\tcc -o $@ $(OBJECTS)\n")


def archive(path, folder, *names):
    with tarfile.open(path, "w") as tar:
        for name in names:
            tar.add(f"{folder}/{name}", name)
