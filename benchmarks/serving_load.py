"""The server under load: the gain from batching, and the delay that many clients cause each other.

    python benchmarks/serving_load.py [--cell lstm --hidden-size 256 --layers 2] [--clients 200 --seconds 60]

A server process has a network of random weights; clients in this process send requests on the same machine. The
benchmark first times completions one at a time and 64 at once. Then many clients send requests for some time, half of
them for streams, while another process requests `/health` twenty times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import string
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recurra import LanguageModel, ModelConfig, Vocabulary
from recurra.network.parameters import initialize

AT_ONCE = 64
PROBES_PER_SECOND = 20


class Client:
    """A client with one persistent connection."""

    def __init__(self, port: int) -> None:
        self.port, self.host = port, f"127.0.0.1:{port}"

    async def __aenter__(self) -> Client:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """Send one request; return the status and the body of the response."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: {self.host}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n" * (body is not None)
        self.writer.write(head.encode() + b"\r\n" + data)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status = int(answer.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" not in answer:
            length = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return status, await self.reader.readexactly(length)
        parts = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            parts.append((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readexactly(2)
        return status, b"".join(parts)


async def completions(port: int, clients: int, requests: int, tokens: int) -> float:
    """Return the characters a second; each client requests its completions one after another."""

    async def one(number: int) -> int:
        async with Client(port) as client:
            written = 0
            for k in range(requests):
                request = {"prompt": "the ", "max_tokens": tokens, "seed": 1000 * number + k}
                status, body = await client.ask("/v1/completions", request)
                assert status == 200, body
                written += len(json.loads(body)["choices"][0]["text"])
            return written

    started = time.perf_counter()
    return sum(await asyncio.gather(*map(one, range(clients)))) / (time.perf_counter() - started)


async def flood(port: int, pid: int, clients: int, seconds: float, tokens: int) -> dict[str, Any]:
    """Send requests from many clients for `seconds`; return their rate, the delay of `/health` and the memory."""
    end, statuses, sizes, first = time.monotonic() + seconds, Counter[int](), list[float](), memory(pid)

    async def one(number: int) -> None:
        async with Client(port) as client:
            while time.monotonic() < end:
                request = {"prompt": "the ", "max_tokens": tokens, "stream": number % 2 == 0}
                status, _ = await client.ask("/v1/completions", request)
                statuses[status] += 1

    async def watch() -> None:
        while time.monotonic() < end:
            sizes.append(memory(pid))
            await asyncio.sleep(0.1)

    # Measure the delay in another process: in this one, the probe would wait for the other clients.
    line = [sys.executable, __file__, "--probe", str(port), "--seconds", str(seconds)]
    probing = await asyncio.create_subprocess_exec(*line, stdout=subprocess.PIPE)
    await asyncio.gather(watch(), *map(one, range(clients)))
    output, _ = await probing.communicate()
    waits = json.loads(output)
    p50, p99, most = np.percentile(waits, [50, 99, 100])
    return {
        "completions_per_second": sum(statuses.values()) / seconds,
        "statuses": {str(status): count for status, count in statuses.items() if count},
        "health_ms": {"p50": p50, "p99": p99, "max": most},
        "memory_mb": {"before": first, "most": max(sizes), "end": sizes[-1]},
    }


async def probe(port: int, seconds: float) -> list[float]:
    """Request `/health` repeatedly; return the delays in ms."""
    end, waits = time.monotonic() + seconds, []
    async with Client(port) as client:
        while time.monotonic() < end:
            begun = time.perf_counter()
            status, _ = await client.ask("/health")
            assert status == 200
            waits.append(1000 * (time.perf_counter() - begun))
            await asyncio.sleep(1 / PROBES_PER_SECOND)
    return waits


def memory(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextlib.contextmanager
def server(config: ModelConfig) -> Iterator[tuple[int, int]]:
    """Start a server of a network with these settings; yield its port and process id."""
    vocabulary = Vocabulary.of(string.printable[:78])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.safetensors"
        LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=0)).save(path)
        line = [sys.executable, "-m", "recurra", "serve", str(path), "--port", "0"]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            try:
                yield int(process.stdout.readline().rpartition(":")[2]), process.pid
            finally:
                process.terminate()


async def measure(port: int, pid: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return all measurements."""
    await completions(port, 1, 3, options.tokens)
    alone, together = [], []
    for _ in range(options.rounds):  # in turn, so that a busy moment of the machine affects both
        alone.append(await completions(port, 1, options.requests, options.tokens))
        together.append(await completions(port, AT_ONCE, max(1, options.requests // 10), options.tokens))
    return {
        "one_at_a_time": float(np.median(alone)),
        "together": float(np.median(together)),
        "ratio": float(np.median(together) / np.median(alone)),
    } | await flood(port, pid, options.clients, options.seconds, options.tokens)


def main(arguments: list[str] | None = None) -> None:
    """Print the measurements as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", default="lstm")
    for name, value in (("hidden-size", 256), ("layers", 2), ("tokens", 200), ("requests", 40), ("clients", 200)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--probe", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.probe:
        print(json.dumps(asyncio.run(probe(options.probe, options.seconds))))
        return
    config = ModelConfig(cell=options.cell, hidden_size=options.hidden_size, layers=options.layers)
    with server(config) as (port, pid):
        results = asyncio.run(measure(port, pid, options))
    print(json.dumps(vars(options) | results, indent=1))


if __name__ == "__main__":
    main()
