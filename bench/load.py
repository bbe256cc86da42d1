"""MLLP load: each connection sends one message, waits for its answer, then sends the next. Prints one JSON
line.

A process of its own, so that the sender's work is not the engine's. It checks MSA-1 and MSA-2 of every
answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator

import uvloop

MSH18 = {"utf-8": "UNICODE UTF-8", "gb18030": "GB 18030-2000"}
PATIENTS, OBX, BODIES = 5000, 20, 300
CAMPUSES = ("MAIN", "HP", "HY", "NS")
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = "伟芳娜敏静丽强磊洋艳勇军杰娟涛明超秀霞平刚桂英华玉兰珅瑜婷浩宇轩梓涵欣怡博"
TESTS = (
    ("WBC", "白细胞", "10*9/L", "3.5-9.5"),
    ("RBC", "红细胞", "10*12/L", "4.3-5.8"),
    ("HGB", "血红蛋白", "g/L", "130-175"),
    ("PLT", "血小板", "10*9/L", "125-350"),
    ("ALT", "谷丙转氨酶", "U/L", "9-50"),
    ("CREA", "肌酐", "umol/L", "57-97"),
    ("GLU", "葡萄糖", "mmol/L", "3.9-6.1"),
    ("K", "钾", "mmol/L", "3.5-5.3"),
)


def _results(rnd: random.Random, charset: str) -> bytes:
    rows = []
    for i in range(OBX):
        code, label, units, ref = TESTS[(i + rnd.randrange(3)) % len(TESTS)]
        value, flag = f"{rnd.uniform(1, 150):.2f}", rnd.choice("NNNHL")
        rows.append(f"OBX|{i + 1}|NM|{code}^{label}||{value}|{units}|{ref}|{flag}|||F\r")
    return "".join(rows).encode(charset)


def _person(n: int) -> str:
    rnd = random.Random(n)
    name = f"{rnd.choice(SURNAMES)}^{''.join(rnd.choices(GIVEN, k=rnd.choice((1, 2, 2))))}"
    birth = f"{rnd.randint(1930, 2020)}{rnd.randint(1, 12):02d}{rnd.randint(1, 28):02d}"
    return f"P{n:07d}^^^%s^MR||{name}^^^^^L||{birth}|{rnd.choice('MF')}"


def messages(run: str, count: int, charset: str) -> list[tuple[bytes, bytes]]:
    """Return (control id, framed ORU^R01 of 20 OBX) for each; made before the clock starts."""
    rnd, people = random.Random(run), [_person(n) for n in range(PATIENTS)]
    bodies = [_results(rnd, charset) for _ in range(BODIES)]
    made = []
    for i in range(count):
        campus, control_id = CAMPUSES[i % len(CAMPUSES)], f"{run}{i:07d}"
        now = f"202601{i % 28 + 1:02d}{i % 24:02d}{i % 60:02d}00"
        head = (
            f"MSH|^~\\&|LIS|{campus}|BUS|HUB|{now}||ORU^R01^ORU_R01|{control_id}|P|2.5|||AL|NE|CHN|{MSH18[charset]}\r"
            f"PID|1||{people[rnd.randrange(PATIENTS)] % campus}\r"
            f"PV1|1|I|W{i % 30:02d}^{i % 50}^1\rOBR|1|{control_id}||CBC^血常规|||{now}\r"
        )
        framed = b"\x0b" + head.encode(charset) + bodies[i % BODIES] + b"\x1c\r"
        made.append((control_id.encode(), framed))
    return made


class Load:
    """What is still to send, and what came back."""

    def __init__(self, todo: list[tuple[bytes, bytes]], rate: float = 0.0) -> None:
        """Take the messages; call it inside the event loop. `rate`: messages a second; 0: as fast as
        answered.
        """
        self.every = 1 / rate if rate else 0.0
        self.due = 0.0
        self.todo: Iterator[tuple[bytes, bytes]] = iter(todo)
        self.left = len(todo)
        self.latencies: list[float] = []
        self.accepted = self.refused = self.wrong = self.open = 0
        self.last = time.perf_counter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, sent: bytes, answer: bytes, at: float) -> None:
        """Count an answer."""
        self.last = time.perf_counter()
        self.latencies.append(self.last - at)
        self.left -= 1
        msa = answer.partition(b"\rMSA|")[2].split(b"\r", 1)[0].split(b"|")
        if len(msa) < 2 or msa[1] != sent:
            self.wrong += 1
        elif msa[0] == b"AA":
            self.accepted += 1
        else:
            self.refused += 1

    def finish(self) -> None:
        """Say that no more comes."""
        if not self.done.done():
            self.done.set_result(None)


class Sender(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load) -> None:
        """Share the load with the other connections."""
        self.load = load
        self.buffer = b""
        self.control_id = b""
        self.at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to send."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # a client's transport writes
        self.load.open += 1

    def send(self) -> None:
        """Send the next message, when it is due."""
        self.control_id, frame = next(self.load.todo, (b"", b""))
        if not self.control_id:
            return
        self.load.due += self.load.every
        wait = self.load.due - time.perf_counter() if self.load.every else 0.0
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._write, frame)
        else:
            self._write(frame)

    def _write(self, frame: bytes) -> None:
        self.at = time.perf_counter()
        self.transport.write(frame)

    def data_received(self, data: bytes) -> None:
        """Take an answer and send the next."""
        self.buffer += data
        if not self.buffer.endswith(b"\x1c\r"):
            return
        answer, self.buffer = self.buffer, b""
        self.load.answered(self.control_id, answer, self.at)
        self.send()
        if self.load.left <= 0:
            self.load.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """End when none is left."""
        del exc  # what is missing is counted
        self.load.open -= 1
        if self.load.open == 0:
            self.load.finish()


async def drive(
    port: int, connections: int, todo: list[tuple[bytes, bytes]], rate: float = 0.0
) -> tuple[Load, float]:
    """Send everything; return what came back and when it began."""
    load, loop = Load(todo, rate), asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Sender(load), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.sleep(0.3)
    start = load.last = load.due = time.perf_counter()
    for _, sender in made:
        sender.send()
    while not load.done.done() and time.perf_counter() - load.last < 30:
        await asyncio.wait([load.done], timeout=1)
    for transport, _ in made:
        transport.close()
    return load, start


def main() -> int:
    """Run one load; 1 when an answer was missing, wrong or no AA."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--charset", choices=MSH18, default="utf-8")
    parser.add_argument("--journey", metavar="RUN", help="what the main campus sends, made anew for each RUN")
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second; 0: as fast as answered")
    args = parser.parse_args()
    if args.journey:
        from bench import journey_traffic

        todo = journey_traffic.messages(args.journey, args.messages)
    else:
        todo = messages(f"R{time.time_ns() // 10_000_000 % 10**9:09d}", args.messages, args.charset)
    load, start = uvloop.run(drive(args.port, args.connections, todo, args.rate))
    latencies = sorted(load.latencies) or [0.0]
    print(
        json.dumps(
            {
                "began": time.time() - (time.perf_counter() - start),
                "msg_s": round(len(load.latencies) / (load.last - start), 1),
                "p50_ms": round(latencies[len(latencies) // 2] * 1e3, 3),
                "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1e3, 3),
                "accepted": load.accepted,
                "refused": load.refused,
                "wrong": load.wrong,
                "missing": max(load.left, 0),
            }
        )
    )
    return 0 if load.accepted == args.messages else 1


if __name__ == "__main__":
    sys.exit(main())
