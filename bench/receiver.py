"""A destination for measurements: takes every HL7 message over MLLP, and checks each patient's order.

A control id is PATIENT-NUMBER; a patient's numbers must rise by one. Prints one JSON line when it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

import uvloop

from adapters.mllp.framing import Broken, Deframer, framed
from adapters.mllp.links import control_id


class Taken:
    """What came."""

    def __init__(self) -> None:
        self.count = 0
        self.disordered = 0
        self._last: dict[str, int] = {}

    def answer(self, frame: bytes) -> bytes:
        """Note a message and return its acknowledgement."""
        control = control_id(frame).decode()
        patient, _, number = control.rpartition("-")
        if int(number) != self._last.get(patient, 0) + 1:
            self.disordered += 1
        self._last[patient] = int(number)
        self.count += 1
        return framed(f"MSH|^~\\&|B|B|Y|G|2026||ACK|A|P|2.4\rMSA|AA|{control}\r".encode())


async def serve(port: int) -> None:
    """Take messages until SIGTERM."""
    taken, stop = Taken(), asyncio.Event()
    serving: set[asyncio.Task[None]] = set()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve_one(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        deframer = Deframer(1 << 24, 1 << 24)
        try:
            while data := await reader.read(65536):
                for frame in deframer.feed(data):
                    if not isinstance(frame, Broken):
                        writer.write(taken.answer(frame))
        except ConnectionError:
            pass  # its sender was ended
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    await stop.wait()
    server.close()
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    print(json.dumps({"count": taken.count, "disordered": taken.disordered}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args(sys.argv[1:]).port))
