#!/usr/bin/env python3
"""Writes facts.v1.txt: one line a fact, its name and the framed bytes in hex.

The bytes come from fastavro, as in make.py. Schema ids follow those of the 16 records: 17, 18, ...
"""
import io, json, pathlib, sys
import fastavro

here = pathlib.Path(__file__).parent
AT = 1_893_455_999_000
SAMPLES = [
    ("PaymentCaptured", dict(source_offset=300, order_id=1, user_id=1, total=19_900, discount=2_985, paid=16_915, user_coupon_id=(1 << 32) + 1, at_ms=AT)),
    ("PaymentDeclined", dict(source_offset=301, order_id=(1 << 46) - 1, user_id=(1 << 53) - 1, total=19_900, discount=0, paid=0, user_coupon_id=None, at_ms=AT, reason="PAY001")),
    ("DispatchRequested", dict(source_offset=300, order_id=1, user_id=1, total=19_900, discount=2_985, paid=16_915, at_ms=AT, redriven=True)),
    ("DispatchDelivered", dict(order_id=1, attempts=3, at_ms=AT)),
    ("DispatchFailed", dict(order_id=1, attempts=8, reason="응답 500", at_ms=AT)),
    ("PlatformEventReceived", dict(event_id="evt-00000001", order_id=-1, kind="SHIPPED", occurred_at_ms=AT)),
]
for n, (name, fields) in enumerate(SAMPLES, start=17):
    schema = fastavro.parse_schema(json.loads((here / f"../../avro/{name}.v1.avsc").read_text()))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, fields)
    sys.stdout.write(f"{name} {(bytes([0]) + n.to_bytes(4, 'big') + out.getvalue()).hex()}\n")
