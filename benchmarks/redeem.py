"""Redeem N coupons, each from eight threads at once: every one exactly once.

    DATABASE_URL=postgres://… python benchmarks/redeem.py --coupons 200

Makes its own customers, budget and coupons in the database it is given, and leaves them there.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_crm.settings")

import django

django.setup()

from django.db import connection
from django.utils import timezone

from apps.core.exceptions import DomainError
from apps.customers.models import Customer
from apps.rewards.models import Coupon, CouponType, CouponUse
from apps.rewards.services.coupons import issue, redeem

THREADS = 8


def main() -> None:
    """Print what happened as one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coupons", type=int, default=100)
    wanted = parser.parse_args().coupons
    now = timezone.now()
    kind = CouponType.objects.create(
        code=f"bench-{now:%Y%m%d%H%M%S}",
        name="bench",
        face_value=Decimal(10),
        valid_days=30,
        scope="-",
        stacking="-",
        is_active=True,
    )
    buyer = Customer.objects.create(nickname="bench")
    made = [
        issue(kind=kind, customer=buyer, grant=None, by=None, now=now - timedelta(minutes=1))
        for _ in range(wanted)
    ]
    won, refused, faults = [], [], []
    start = threading.Barrier(THREADS)

    def till(number: int) -> None:
        for coupon in made:
            start.wait()
            try:
                redeem(coupon=coupon, request_id=f"t{number}", by=None, now=now)
                won.append(coupon.pk)
            except DomainError as error:
                refused.append(error.code)
            except Exception as error:
                faults.append(repr(error))
        connection.close()

    began = time.perf_counter()
    threads = [threading.Thread(target=till, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    uses = CouponUse.objects.filter(coupon__type=kind).count()
    redeemed = Coupon.objects.filter(type=kind, status="redeemed").count()
    print(
        f"coupons {wanted}, attempts {wanted * THREADS}, successes {len(won)}, doubles {len(won) - len(set(won))}, "
        f"refused {len(refused)}, faults {len(faults)}, redeemed {redeemed}, uses {uses}, {seconds:.1f} s"
    )
    if faults or len(won) != wanted or uses != wanted:
        sys.exit(1)


if __name__ == "__main__":
    main()
