"""Three steps that do nothing, in FastStream: late acknowledgements, persistent messages, publisher confirms."""

import asyncio
import os

import done
from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

FIRST, SECOND, THIRD = (RabbitQueue(f"faststream-{name}", durable=True) for name in ("first", "second", "third"))

prefetch = int(os.environ.get("BENCH_PREFETCH", "64"))
broker = RabbitBroker(
    os.environ["BROKER_URL"], default_channel=Channel(prefetch_count=prefetch, publisher_confirms=True))
app = FastStream(broker)


@broker.subscriber(FIRST, ack_policy=AckPolicy.NACK_ON_ERROR)
@broker.publisher(SECOND, persist=True)
async def first(payload: str) -> str:
    return payload


@broker.subscriber(SECOND, ack_policy=AckPolicy.NACK_ON_ERROR)
@broker.publisher(THIRD, persist=True)
async def second(payload: str) -> str:
    return payload


@broker.subscriber(THIRD, ack_policy=AckPolicy.NACK_ON_ERROR)
async def third(payload: str) -> None:
    done.note(payload)


def fill(count: int, size: int) -> None:
    asyncio.run(publish(count, size))


async def publish(count: int, size: int) -> None:
    await broker.connect()
    for queue in (FIRST, SECOND, THIRD):
        await broker.declare_queue(queue)
    for payload in done.payloads(count, size):
        await broker.publish(payload, FIRST, persist=True)
    await broker.stop()
