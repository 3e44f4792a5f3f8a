"""Running a command with a limit of time, so that nothing that hangs or crashes stops the rest."""

import json
import os
import signal
import subprocess
import time


class Ran:
    """How a command ended."""

    def __init__(self, status, output, errors, seconds, is_late):
        self.status, self.output, self.errors = status, output, errors
        self.seconds, self.is_late = seconds, is_late

    def reason(self):
        """Why there is no result, with the last words of the command."""
        how = f"not done within {self.seconds:.0f} s" if self.is_late else f"ended with status {self.status}"
        lines = (self.errors or self.output).strip().splitlines()[-12:]
        return how + (": " + "\n".join(lines) if lines else "")

    def result(self):
        """What a workload said of itself."""
        for line in reversed(self.output.splitlines()):
            if line.startswith("SKIP "):
                return {"status": "skipped", "reason": line[5:]}
            if line.startswith("RESULT ") and self.status == 0:
                return {"status": "done", "seconds": round(self.seconds, 2), **json.loads(line[7:])}
        return {"status": "failed", "reason": self.reason()}


def run_command(words, environment, seconds):
    """Runs a command in a process group of its own and ends all of it after `seconds`."""
    begin = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in words], env={key: str(value) for key, value in environment.items()},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        start_new_session=True)
    is_late = False
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        is_late = True
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
    return Ran(process.returncode, output or "", errors or "", time.monotonic() - begin, is_late)
