#!/usr/bin/env python3
"""Writes v1.txt: one line a record type, its name and the framed bytes in hex.

The bytes come from fastavro, an implementation that shares no code with ours (pip install fastavro).
Run it only for a new schema version, into a new file: golden bytes are for ever.
"""
import io, json, pathlib, sys
import fastavro

here = pathlib.Path(__file__).parent
E, F = bytes(range(16)), bytes(range(16, 32))
B = lambda n: bytes([n]) * 16
own_crc = bytes.fromhex("7563d11cbd6aa8ed")  # of RulesActivated: rules list themselves
SAMPLES = [
    ("RulesActivated", dict(version=1, log_id=B(1), mode="stage", opening_balance=1_000_000_000, order_ttl_ms=600_000,
        email_key_check=B(2), fingerprint_key_check=B(3), schemas=[dict(id=1, crc64=own_crc), dict(id=7, crc64=own_crc[::-1])])),
    ("SignedUp", dict(email_hmac=B(4), account=B(5))),
    ("SessionRevoked", dict(user_id=(1 << 53) - 1, session_id=B(6), expires_at_ms=1_893_455_999_000)),
    ("AccountErased", dict(user_id=5)),
    ("CouponOpened", dict(coupon_id=1, name="여름 쿠폰", total=10_000_000, rate_bp=1500, expires_at_ms=1_893_455_999_000)),
    ("CouponExtended", dict(coupon_id=1, total=20_000_000)),
    ("CouponClosed", dict(coupon_id=2097151)),
    ("CampaignOpened", dict(campaign="apply", coupon_id=9, name="apply", total=100, rate_bp=1000, expires_at_ms=1_893_455_999_000)),
    ("CouponClaimed", dict(coupon_id=1, user_id=-1)),
    ("ProductListed", dict(name="셔츠", category="CLOTHING", description="", price=19_900, available=True,
        options=[dict(color="black", size="M", stock=100_000)])),
    ("StockAdjusted", dict(product_option_id=21, delta=-3)),
    ("BalanceSet", dict(user_id=1, balance=100_000)),
    ("BalanceCharged", dict(user_id=1, amount=1)),
    ("OrderPlaced", dict(user_id=1, items=[dict(product_option_id=1, quantity=2), dict(product_option_id=2, quantity=-1)])),
    ("PaymentRequested", dict(order_id=1, user_id=1, coupon_id=(1 << 32) + 1, proof=dict(user_coupon_id=(1 << 32) + 1, rate_bp=1500, expires_at_ms=1_893_455_999_000))),
    ("Ticked", dict()),
]
for n, (name, fields) in enumerate(SAMPLES, start=1):
    schema = fastavro.parse_schema(json.loads((here / f"../../avro/{name}.v1.avsc").read_text()))
    out = io.BytesIO()
    # Even numbers carry a fingerprint, odd ones none: both branches of the union are pinned.
    fastavro.schemaless_writer(out, schema, dict(event_id=E, fingerprint=F if n % 2 == 0 else None, **fields))
    sys.stdout.write(f"{name} {(bytes([0]) + n.to_bytes(4, 'big') + out.getvalue()).hex()}\n")
