"""Looks for a word, such as a patient's name, in everything that Temporal, RabbitMQ and the logs hold, raw.

For the tests of every workflow: let people write the word wherever they write something, then

    assert sightings(word, [*await temporal_holds(address), *files_hold(folder)]) == []
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
from google.protobuf.message import Message
from pika import BlockingConnection, URLParameters
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeScheduleRequest
from temporalio.client import Client

Place = tuple[str, bytes]
"""Where, and what lies there as bytes."""


def spellings(word: str) -> dict[str, bytes]:
    """Return how the word may be spelled in bytes, by the name of the spelling."""
    raw = word.encode()
    found = {
        "UTF-8": raw,
        "GB 18030": word.encode("gb18030"),
        "UTF-16": word.encode("utf-16-le"),
        "JSON": json.dumps(word)[1:-1].encode(),
        "URL": quote(word).encode(),
        "hexadecimal": raw.hex().encode(),
    }
    for shift in range(3):
        # What comes before and after shares a character with the word's first and last bytes: cut off.
        whole = base64.b64encode(bytes(shift) + raw + bytes(-(len(raw) + shift) % 3))
        first = -(-8 * shift // 6)
        found[f"Base64, {shift}"] = whole[first : (8 * (len(raw) + shift)) // 6]
    return found


def sightings(word: str, places: Iterable[Place]) -> list[str]:
    """Return `place: spelling` for each place that holds the word."""
    spelled = spellings(word)
    return [
        f"{where}: {name}" for where, held in places for name, spelling in spelled.items() if spelling in held
    ]


async def temporal_holds(address: str, namespace: str = "default") -> list[Place]:
    """Return all that anybody with access to the namespace can read.

    Histories with inputs, results, failures and headers; descriptions with memos, search attributes and
    pending activities (heartbeat details, last failures); schedules; names of search attributes. What is
    listed lags behind what is written by some tenths of a second: wait for the end of the workflows first.
    """
    client = await Client.connect(address, namespace=namespace)
    places: list[Place] = []
    async for one in client.list_workflows():
        name = f"workflow {one.workflow_type}"
        places += _raw(f"{name}: listed", one.raw_info)
        handle = client.get_workflow_handle(one.id, run_id=one.run_id)
        places += _raw(f"{name}: described", (await handle.describe()).raw_description)
        async for event in handle.fetch_history_events():
            places += _raw(f"{name}: event {event.event_id}", event)
    async for schedule in await client.list_schedules():
        asked = DescribeScheduleRequest(namespace=namespace, schedule_id=schedule.id)
        places += [("schedule: listed", schedule.id.encode())]
        places += _raw("schedule: described", await client.workflow_service.describe_schedule(asked))
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=namespace)
    )
    return [*places, *_raw("search attributes", known)]


def _raw(where: str, message: Message) -> list[Place]:
    return [(where, message.SerializeToString())]


def files_hold(folder: Path) -> Iterator[Place]:
    """Give each file below the folder: logs, and the database of the Temporal server with its journal."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def rabbitmq_holds(management: str, amqp: str) -> Iterator[Place]:
    """Give queues, exchanges, bindings and consumers of a vhost, the messages in it, and all connections."""
    parts, vhost = urlsplit(management), urlsplit(amqp).path.removeprefix("/")
    base, who = f"http://{parts.hostname}:{parts.port}/api", (parts.username or "", parts.password or "")
    with httpx.Client(auth=who, timeout=30, trust_env=False) as client:
        for kind in ("queues", "exchanges", "bindings", "consumers"):
            answer = client.get(f"{base}/{kind}/{vhost}")
            yield f"RabbitMQ: {kind}", answer.raise_for_status().content
        queues = [one["name"] for one in client.get(f"{base}/queues/{vhost}").raise_for_status().json()]
        yield "RabbitMQ: connections", client.get(f"{base}/connections").raise_for_status().content
    for queue in queues:
        yield from _messages(amqp, queue)


def _messages(amqp: str, queue: str) -> Iterator[Place]:
    """Give each message in a queue without a consumer, with its properties; they stay there.

    They are consumed, as a queue with a single active consumer gives none to who asks for one.
    """
    with BlockingConnection(URLParameters(amqp)) as connection:
        channel = connection.channel()
        left = channel.queue_declare(queue, passive=True).method.message_count
        for number in range(left):
            frame, properties, body = next(channel.consume(queue, inactivity_timeout=30))
            assert body is not None, f"{queue} gave {number} of {left} messages"
            yield f"RabbitMQ: message in {queue}", repr((frame, properties)).encode() + body
