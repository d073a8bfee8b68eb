"""Runs commands for embeddings.py, from a process that stays small: the resident set of a new process counts what it was
started from.

Reads {"command": [...], "environment": {...} or null} a line, answers
{"status", "line": last of the output, "error": last of the errors, "seconds", "processor", "peak"}.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

for request in sys.stdin:
    given = json.loads(request)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(given["command"], stdout=out, stderr=err, env=given["environment"])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        lines = []
        for file in (out, err):
            file.seek(0)
            lines.append((file.read().strip().splitlines() or [""])[-1])
    answer = {"status": process.returncode, "line": lines[0], "error": lines[1], "seconds": seconds}
    answer.update(processor=usage.ru_utime + usage.ru_stime, peak=1024 * usage.ru_maxrss)
    print(json.dumps(answer), flush=True)
