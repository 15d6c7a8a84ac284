"""Three steps that do nothing, in Dramatiq, which always acknowledges late: persistent messages, publisher confirms."""

import os

import done
import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

dramatiq.set_broker(RabbitmqBroker(url=os.environ["BROKER_URL"], confirm_delivery=True))


@dramatiq.actor(queue_name="dramatiq-first")
def first(payload):
    return payload


@dramatiq.actor(queue_name="dramatiq-second")
def second(payload):
    return payload


@dramatiq.actor(queue_name="dramatiq-third")
def third(payload):
    done.note(payload)


def fill(count: int, size: int) -> None:
    for payload in done.payloads(count, size):
        dramatiq.pipeline([first.message(payload), second.message(), third.message()]).run()
