"""Repeat the tests of training and handler as if on other processors: python -m tests.portable (make test-portable).

Each run disables some instructions of this machine's processor, or changes the rounding of the logits. Runs that need
instructions which this processor lacks are skipped and reported.
"""

import os
import subprocess
import sys
from pathlib import Path

# Name, variables, arguments of pytest, and the flag that the processor must have.
RUNS = (
    ("torch without vector instructions", {"ATEN_CPU_CAPABILITY": "default"}, "", None),
    ("torch with AVX2", {"ATEN_CPU_CAPABILITY": "avx2"}, "", "avx2"),
    ("torch with AVX-512", {"ATEN_CPU_CAPABILITY": "avx512"}, "", "avx512f"),
    ("oneDNN with SSE 4.1", {"ONEDNN_MAX_CPU_ISA": "SSE41"}, "", "sse4_1"),
    ("oneDNN with AVX2", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "", "avx2"),
    ("ONNX Runtime's logits off by 1e-4", {}, "-p tests.perturbed_logits", None),
)
# The two parts with floating-point computations.
PARTS = ("test-training", "test-handler")


def main() -> int:
    flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    failed = []
    for name, variables, arguments, flag in RUNS:
        if flag is not None and flag not in flags:
            print(f"{name}: skipped, because this processor has no {flag}", flush=True)
            continue
        print(f"{name} ...", flush=True)
        command = ["make", "-s", "-k", "-j2", "-Otarget", *PARTS, f"ARGS={arguments}"]
        done = subprocess.run(command, env=os.environ | variables, check=False)
        if done.returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all passed", flush=True)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
