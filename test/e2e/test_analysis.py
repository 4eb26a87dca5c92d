"""The guards of `make analyze` bark: a planted mistake is found, an explained one is let through, a program without its
hardening is told of."""
import os
import subprocess

import pytest

from harness import processes

ANALYZE = os.path.join(processes.ROOT, "scripts", "analyze")
HARDENING = os.path.join(processes.ROOT, "scripts", "hardening")
PLANTED = {
    "clang-tidy": ("#include <string.h>\nint f(char *p);\nint f(char *p)\n{\n    MARK\n"
                   "    return strcmp(p, \"a\") == 2 ? 1 : 0;\n}\n", "bugprone-suspicious-string-compare"),
    "clang": ("int f(int n);\nint f(int n)\n{\n    int *p = 0;\n    MARK\n    return n > 3 ? *p : n;\n}\n", "core.NullDereference"),
    "gcc": ("#include <stdio.h>\nint f(void);\nint f(void)\n{\n    FILE *file = fopen(\"x\", \"r\");\n"
            "    if (file == NULL)\n        return 1;\n    MARK\n    return 0;\n}\n", "Wanalyzer-file-leak"),
}


def said(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("tool", PLANTED)
def test_a_planted_mistake_is_found_unless_it_is_explained(tmp_path, tool):
    text, finding = PLANTED[tool]
    file = tmp_path / "planted.c"
    file.write_text(text.replace("MARK", "/* nothing */"))
    status, output = said(ANALYZE, "one", str(file))
    assert status == 1 and finding in output, output
    file.write_text(text.replace("MARK", "/* lint: a test */"))
    status, output = said(ANALYZE, "one", str(file))
    assert status == 0, output


@pytest.mark.parametrize("flags, says", [
    (("-no-pie",), "no PIE"), (("-Wl,-z,norelro",), "no RELRO"), (("-Wl,-z,lazy",), "bound late"), (("-Wl,-z,execstack",), "no NX"),
    (("-fno-stack-protector",), "no stack protector"), (("-U_FORTIFY_SOURCE",), "no FORTIFY"), (("-Wl,-rpath,/tmp",), "RPATH"),
])
def test_a_program_without_its_hardening_is_told_of(tmp_path, flags, says):
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text('#include <stdio.h>\n#include <string.h>\nint main(int c, char **v)\n{\n    char to[9];\n'
                      '    strcpy(to, v[c - 1]);\n    return puts(to) < 0;\n}\n')
    hard = ["-O2", "-fPIE", "-pie", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Wl,-z,relro,-z,now,-z,noexecstack"]
    told = []
    for more in ((), flags):
        subprocess.run(["gcc", "-w", *hard, *more, "-o", program, source], check=True)
        told.append(said(HARDENING, str(program))[1])
    assert says not in told[0] and says in told[1], told
