"""`python` or `dvc` as warm.py has them; what it cannot run is run by the real one.

It imports C modules alone: json, signal and socket would take twice as long as all the rest.
"""
import _signal
import _socket
import marshal
import os
import sys

name, *arguments = sys.argv[1:]
if name == "dvc":
    arguments = ["-m", "dvc", *arguments]
while arguments[:1] == ["-u"]:
    arguments.pop(0)
if arguments[:1] not in (["-m"], ["-c"]):
    os.execv(sys.executable, [sys.executable, *arguments])
signals = _signal.SIGINT, _signal.SIGTERM
_signal.pthread_sigmask(_signal.SIG_BLOCK, signals)
server = _socket.socket(_socket.AF_UNIX)
server.connect(os.environ["WARM"])
files = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
server.sendmsg([b"-"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
server.sendall(marshal.dumps((arguments, os.getcwd(), dict(os.environ))))
answers = open(server.detach(), "rb")
pid = int(answers.readline())
for number in signals:
    _signal.signal(number, lambda number, _: os.kill(pid, number))
_signal.pthread_sigmask(_signal.SIG_UNBLOCK, signals)
code = int(answers.readline())
if code < 0:
    if -code != _signal.SIGKILL:
        _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
