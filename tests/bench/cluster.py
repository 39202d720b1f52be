"""Measure the engine: 1,000 simulated agents on 100 workers, then 1,000 real programs that are cancelled.

    python -m tests.bench.cluster [--agents 1000] [--workers 100] [--seconds 30] [--heartbeat 60] [--cancels 1000]

The workers are in one process each for ten of them; a simulated agent holds its slot and does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from gitorch.executors.protocol import Spec
from gitorch.executors.temporal.connection import Connection, Target
from gitorch.executors.temporal.engine import Engine
from gitorch.executors.temporal.executor import TemporalExecutor
from gitorch.executors.temporal.host import Host
from gitorch.executors.temporal.messages import Order, Result
from gitorch.executors.temporal.worker import end_process, serve
from gitorch.model.outcome import Exit
from tests.support.executions import marked, shell
from tests.support.temporal import SameFolders, Server, serving, working

_PER_PROCESS = 10
_THREADS = 32


class SimulatedHost(Host):
    """A worker whose agents only wait; it notes each start in a file."""

    def run(self, order: Order) -> Result:
        """Wait as long as the order says."""
        started = time.time()
        with (self.folder.parent / "starts").open("a") as file:
            file.write(f"{order.key}\n")
        time.sleep(float(order.argv[1]))
        end = Exit(cause="exited", exit_code=0, started=started, seconds=time.time() - started)
        return Result(exit=end, host=self.id, queue=self.queue, output={})


async def _simulate(address: str, folder: Path, first: int, slots: int) -> None:
    hosts = [
        SimulatedHost(folder / str(number), slots=slots, environment={}, surroundings=SameFolders())
        for number in range(first, first + _PER_PROCESS)
    ]
    ready = threading.Semaphore(0)
    never = asyncio.Event()
    serves = [serve(host, Target(address=address), never, ready=ready.release) for host in hosts]
    waiting = asyncio.gather(*serves)
    for _ in hosts:
        await asyncio.to_thread(ready.acquire)
    print("ready", flush=True)
    await waiting


def _peak(server: Server, over: threading.Event, peaks: list[int]) -> None:
    while not over.wait(0.5):
        peaks.append(server.memory)


def _executor(server: Server, folder: Path, heartbeat: float) -> TemporalExecutor:
    engine = Engine(Connection(Target(address=server.address)))
    return TemporalExecutor(engine, folder, repository="bench", heartbeat=heartbeat)


def simulate(server: Server, folder: Path, options: argparse.Namespace) -> None:
    """Run the simulated agents, and print the figures."""
    slots = -(-options.agents // options.workers)
    processes = []
    for first in range(0, options.workers, _PER_PROCESS):
        words = ("-m", "tests.bench.cluster", "--simulate", server.address, str(folder), str(first), str(slots))
        processes.append(subprocess.Popen((sys.executable, *words), stdout=subprocess.PIPE))
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    executor = _executor(server, folder / "home", options.heartbeat)
    over, peaks = threading.Event(), list[int]()
    threading.Thread(target=_peak, args=(server, over, peaks), daemon=True).start()
    chance, began = random.Random(1), time.monotonic()

    def submit(number: int) -> Spec:
        seconds = chance.uniform(options.seconds, 2 * options.seconds)
        spec = Spec(key=f"agents/{number}", argv=("wait", str(seconds)), env={})
        executor.submit(spec)
        return spec

    with ThreadPoolExecutor(_THREADS) as pool:
        specs = list(pool.map(submit, range(options.agents)))
        submitted = time.monotonic() - began
        ends = list(pool.map(lambda spec: executor.wait(executor.id_of(spec.key)), specs))
    seconds = time.monotonic() - began
    starts = Counter((folder / "starts").read_text().split())
    over.set()
    causes = Counter(end.cause if isinstance(end, Exit) else "not started" for end in ends)
    memory = sum(psutil.Process(process.pid).memory_info().rss for process in processes)
    for process in processes:
        process.kill()
        process.wait()
    print(f"{options.agents} agents on {options.workers} workers: {dict(causes)}")
    print(f"started more than once     {sum(count > 1 for count in starts.values())}")
    print(f"submitted in               {submitted:.1f} s, all ended after {seconds:.1f} s")
    print(f"server, peak               {max(peaks) / 1e6:.0f} MB")
    print(f"{len(processes)} worker processes        {memory / 1e6:.0f} MB together", flush=True)


def cancel(server: Server, folder: Path, options: argparse.Namespace) -> None:
    """Cancel real programs, each with a daemon of its own, and print what is left of them."""
    executor = _executor(server, folder / "home", options.heartbeat)
    with working(server.address, folder / "worker", 16):

        def one(number: int) -> float:
            ready = folder / f"ready-{number}"
            os.mkfifo(ready)
            spec = shell(f"cancels/{number}", f"(setsid sleep 3000 &) > /dev/null 2>&1; echo > {ready}; sleep 3000")
            execution = executor.submit(spec)
            ready.read_bytes()
            ready.unlink()
            began = time.monotonic()
            executor.cancel(execution, "enough", now=True)
            end = executor.wait(execution)
            assert isinstance(end, Exit), end
            assert end.cause == "stopped", end
            executor.ack(execution)
            return time.monotonic() - began

        with ThreadPoolExecutor(8) as pool:
            seconds = sorted(pool.map(one, range(options.cancels)))
        left = marked(folder)
    print(
        f"{options.cancels} cancels: {len(left)} processes left; each took {seconds[len(seconds) // 2]:.2f} s (median)"
    )
    print(f"server                     {server.memory / 1e6:.0f} MB")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--heartbeat", type=float, default=60.0, help="as remote.lost_after")
    parser.add_argument("--cancels", type=int, default=1000)
    parser.add_argument("--simulate", nargs=4)
    options = parser.parse_args()
    if options.simulate:
        address, folder, first, slots = options.simulate
        asyncio.run(_simulate(address, Path(folder), int(first), int(slots)))
        end_process()
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        for part in ("simulated", "cancelled"):
            (top / part).mkdir()
            with serving(top / part / "temporal") as server:
                if part == "simulated":
                    simulate(server, top / part, options)
                else:
                    cancel(server, top / part, options)
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
