"""`python` or `dvc` as warm.py has them; what it cannot run is run by the real one."""
import json
import os
import signal
import socket
import sys

name, *arguments = sys.argv[1:]
if name == "dvc":
    arguments = ["-m", "dvc", *arguments]
while arguments[:1] == ["-u"]:
    arguments.pop(0)
if arguments[:1] not in (["-m"], ["-c"]):
    os.execv(sys.executable, [sys.executable, *arguments])
signals = signal.SIGINT, signal.SIGTERM
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
with socket.socket(socket.AF_UNIX) as server, server.makefile("rb") as answers:
    server.connect(os.environ["WARM"])
    socket.send_fds(server, [b"-"], [0, 1, 2])
    command = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    server.sendall(json.dumps(command).encode() + b"\n")
    pid = int(answers.readline())
    for number in signals:
        signal.signal(number, lambda number, _: os.kill(pid, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    code = int(answers.readline())
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
