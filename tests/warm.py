"""Python processes that need not import torch, DVC and the like anew: they are forked from one that has imported them.

These imports are half of what a stage of the smoke preset takes. `environment()` is for subprocess: in it `python` and `dvc`
are small programs. They have the command run in such a process, in their folder, with their files and their environment. They
pass SIGINT and SIGTERM on to it, and end as it ends; where they are killed, it is killed. The pipeline itself is imported anew
each time. A test of what a process imports, or of a stage that sees dvc die, takes the real ones.
Nothing waits there for the disk, and stages that share their work among processes do it in one.
"""
import atexit
import gc
import importlib
import marshal
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from select import select

CLIENT = Path(__file__).with_name("warm_client.py")
SHARED = "WARM_SHARED"  # the folder of a server that several processes share
IMPORTED = (
    "cv2", "distributed.cli.dask_scheduler", "dvc.cli.parser", "dvc.commands.experiments", "dvc.commands.queue",
    "dvc.data_cloud", "dvc.parsing.context", "dvc.repo.artifacts", "dvc.repo.datasets", "dvc.repo.experiments.queue.celery",
    "dvc.repo.experiments.queue.tempdir", "dvc.repo.experiments.show", "dvc.repo.index", "dvc.repo.metrics",
    "dvc.repo.params", "dvc.repo.plots", "dvc.repo.reproduce", "dvc.repo.stage", "dvc.rwlock", "dvc.scm", "dvc.stage.cache",
    "dvc.utils.strictyaml", "dvc_data.hashfile.db.local", "filelock", "imagecodecs._imcd", "jinja2", "joblib",
    "matplotlib.backends.backend_agg", "networkx", "pandas", "PIL.ImageCms", "PIL.ImageDraw", "psutil",
    "pydantic.fields", "pydantic.json_schema", "pydantic.main", "rich.progress", "ruamel.yaml", "safetensors.torch",
    "scipy.ndimage", "scipy.signal", "scipy.stats", "scmrepo.git", "simplejpeg", "skimage.metrics", "tabulate", "tifffile",
    "torch", "torch._dynamo", "torch.distributed.run", "torch.utils.flop_counter", "typer", "yaml")


@cache
def environment() -> dict[str, str]:
    """What to add to the environment of commands, with a server that runs as long as this process, or with the shared one."""
    if folder := os.environ.get(SHARED):
        deadline = time.monotonic() + 300
        while not Path(folder, "socket").exists():
            assert time.monotonic() < deadline, f"no server in {folder}"
            time.sleep(0.05)
        return _environment(Path(folder))
    environment.server, folder = _started()  # its standard input stays open until this process ends, and then it ends
    assert environment.server.stdout.readline() == b"ready\n"
    return _environment(folder)


def share() -> subprocess.Popen:
    """Start a server for this process and for those that it starts, and do not wait for it. It ends with its standard input."""
    server, folder = _started()
    os.environ[SHARED] = str(folder)
    return server


@contextmanager
def anew():
    """`environment()` with a server of its own: its processes share no seed of hashes with those of another."""
    server, folder = _started()
    try:
        assert server.stdout.readline() == b"ready\n"
        yield _environment(folder)
    finally:
        server.communicate()


def _started() -> tuple[subprocess.Popen, Path]:
    """A server that imports, and the folder of its socket and of the small programs."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    for name in ("python", "dvc"):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{CLIENT}" {name} "$@"\n')
        (folder / name).chmod(0o755)
    return subprocess.Popen([sys.executable, __file__, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            start_new_session=True, env=os.environ | {"GOMP_SPINCOUNT": "3000"}), folder


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}", "WARM": str(folder / "socket"),
            "PYTHON_EXEC": str(folder / "python"),  # of torchrun
            "LOKY_MAX_CPU_COUNT": "1"}


def serve(folder: Path) -> list[str] | None:
    """Returns in the process of a command what is to run there, and None in the server once nobody needs it any more."""
    for name in IMPORTED:
        with suppress(ImportError):
            importlib.import_module(name)
    os.fsync = lambda file: None
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(folder / "compiled")  # of what is imported anew, for the next one
    lighten()
    gc.freeze()  # so that collecting garbage copies none of it in each process
    with socket.socket(socket.AF_UNIX) as listener, closing(Commands()) as commands:
        listener.bind(str(folder / "socket.new"))
        listener.listen(64)
        (folder / "socket.new").rename(folder / "socket")  # once it is there it answers
        os.write(1, b"ready\n")
        while True:
            ready = select([listener, sys.stdin, commands.ended, *commands.asked], [], [])[0]
            if sys.stdin in ready:
                shutil.rmtree(folder, ignore_errors=True)
                return None
            for connection in {*ready} & {*commands.asked}:
                commands.kill(connection)
            if commands.ended in ready:
                commands.tell()
            if listener in ready and (arguments := commands.start(listener.accept()[0])):
                return arguments


def lighten() -> None:
    """Leave out what takes long in a short command and changes nothing that it writes: the end of torch's libraries, and the
    strings behind keys of `params.yaml`, which pydantic reads from the source and no stage needs."""
    for finalizer in [*weakref.finalize._registry]:
        finalizer.atexit = False

    from pydantic._internal import _fields
    _fields.extract_docstrings_from_cls = lambda cls, use_inspect=False: {}

    from torch.distributed.elastic.rendezvous import dynamic_rendezvous
    dynamic_rendezvous.get_method_name = lambda depth=2: "not looked for"  # in all modules, for records that nobody reads


class Commands:
    """What runs in processes that were forked from this one, and the connections of those who asked for it."""

    def __init__(self):
        self.asked: dict[socket.socket, int] = {}
        """The connection of a program -> the process of its command."""
        self.running: dict[int, socket.socket] = {}
        self.ended, self.told = socket.socketpair()
        self.told.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.told.fileno())

    def start(self, connection: socket.socket) -> list[str] | None:
        """Returns in the process of the command its arguments."""
        try:
            _, files, _, _ = socket.recv_fds(connection, 1, 3)
            arguments, folder, environment = marshal.load(connection.makefile("rb"))
        except (EOFError, OSError):  # killed before it had asked
            return connection.close()
        if (pid := os.fork()) == 0:
            connection.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            return arguments
        for file in files:
            os.close(file)
        self.asked[connection] = pid
        self.running[pid] = connection
        self.answer(connection, pid)

    def tell(self) -> None:
        """Tell of each command that has ended how it ended."""
        self.ended.recv(4096)
        for pid in [*self.running]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                connection = self.running.pop(pid)
                self.answer(connection, os.waitstatus_to_exitcode(status))
                self.asked.pop(connection, None)
                connection.close()

    def kill(self, connection: socket.socket) -> None:
        """The program that asked has been killed, as it says nothing else: kill its command."""
        os.kill(self.asked.pop(connection), signal.SIGKILL)

    @staticmethod
    def answer(connection: socket.socket, number: int) -> None:
        with suppress(OSError):
            connection.sendall(b"%d\n" % number)

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for open_one in (self.ended, self.told, *self.running.values()):
            open_one.close()


def execute(arguments: list[str]) -> None:
    """As Python executes `-m MODULE ...` and `-c CODE ...`."""
    import numpy

    numpy.random.seed()
    kind, what, *more = arguments
    sys.path[:1] = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]
    sys.argv = [what if kind == "-m" else kind, *more]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})


def end(code: int) -> None:
    """As Python ends, but for taking all that is imported to pieces, which takes as long as importing it."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    if not (arguments := serve(Path(sys.argv[1]))):
        return
    try:
        execute(arguments)
    except SystemExit as asked:
        if isinstance(asked.code, str):
            print(asked.code, file=sys.stderr)
        end(asked.code if isinstance(asked.code, int) else int(asked.code is not None))
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        end(1)
    end(0)


if __name__ == "__main__":
    main()
