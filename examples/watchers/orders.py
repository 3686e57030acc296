"""Follows a file to which a shop appends its orders, one JSON document a line, and tells smsbatch of each.

    pip install nats-py
    NATS_URL=nats://127.0.0.1:4222 python3 orders.py orders.ndjson

What an order becomes is said by a rule for the source `orders` (docs/watching.md). An order is published under its own
message id, and where the file was read to is written down after JetStream has it: after a crash the last order may be
published once more, under the same id. With --once it ends at the end of the file.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import nats

SUBJECT = "sms.trigger.orders"
STREAM = "SMS_TRIGGERS"


async def publish_new_orders(js, orders: Path, position: Path) -> None:
    offset = int(position.read_text()) if position.exists() else 0
    with orders.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return  # Its writer is not done with it.
            order = json.loads(line)
            headers = {"Nats-Msg-Id": f"orders:{order['id']}"}
            await js.publish(SUBJECT, line, stream=STREAM, headers=headers)
            offset += len(line)
            position.write_text(str(offset))


async def main(orders: Path, once: bool) -> None:
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    try:
        while True:
            if orders.exists():
                await publish_new_orders(nc.jetstream(), orders, Path(f"{orders}.position"))
            if once:
                return
            await asyncio.sleep(1)
    finally:
        await nc.drain()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), "--once" in sys.argv))
