"""Three steps that do nothing, in Celery: late acknowledgements, persistent messages, publisher confirms."""

import os

import done
from celery import Celery, chain

PROCESSES = int(os.environ.get("BENCH_PROCESSES", "1"))

app = Celery("bench", broker=os.environ["BROKER_URL"].replace("amqp://", "pyamqp://"))
app.conf.update(
    broker_connection_retry_on_startup=True, broker_transport_options={"confirm_publish": True}, task_acks_late=True,
    task_default_delivery_mode="persistent", task_ignore_result=True, task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=max(1, int(os.environ.get("BENCH_PREFETCH", "64")) // PROCESSES))


@app.task(queue="celery-first")
def first(payload):
    return payload


@app.task(queue="celery-second")
def second(payload):
    return payload


@app.task(queue="celery-third")
def third(payload):
    done.note(payload)


def fill(count: int, size: int) -> None:
    for payload in done.payloads(count, size):
        chain(first.s(payload), second.s(), third.s()).apply_async()
