"""Forms sent once, senders counted over processes, photos without what the camera wrote into them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from PIL import Image

from apps.core.exceptions import InvalidInput
from apps.core.models import PublicCount, PublicNonce
from apps.core.public import ALPHABET, NONCE_LIFE, address_key, new_nonce, qr_svg, read_nonce, tidy_code
from apps.core.services import photos
from apps.core.services import public as service
from apps.core.services.files import detect
from apps.core.services.photos import clean_photo
from apps.core.services.public import Limit, TooMany, forget_public, take
from apps.core.web.pages import client_address
from tests.factories import NOW

ROOT = Path(__file__).resolve().parents[2]
FIVE = Limit("test", 5, 600)


def attempts(limit: Limit, count: int, at: Any) -> int:
    """How many of `count` come through."""
    passed = 0
    for _ in range(count):
        try:
            take([limit], now=at)
        except TooMany:
            continue
        passed += 1
    return passed


@pytest.mark.django_db
def test_at_most_so_many_within_the_stretch_however_it_falls() -> None:
    # The worst moment for fixed stretches: the end of one and the beginning of the next.
    start = NOW.replace(minute=9, second=50)
    assert attempts(FIVE, 8, start) == 5
    assert attempts(FIVE, 8, start + timedelta(seconds=20)) == 0
    assert attempts(FIVE, 8, start + timedelta(seconds=1300)) == 5


@pytest.mark.django_db
def test_the_time_to_wait_is_true() -> None:
    attempts(FIVE, 5, NOW)
    with pytest.raises(TooMany) as caught:
        take([FIVE], now=NOW + timedelta(seconds=100))
    wait = caught.value.params["seconds"]
    assert attempts(FIVE, 1, NOW + timedelta(seconds=100 + wait - 10)) == 0
    assert attempts(FIVE, 1, NOW + timedelta(seconds=100 + wait)) == 1


@pytest.mark.django_db
def test_a_refusal_counts_under_no_limit() -> None:
    other = Limit("other", 100, 600)
    attempts(FIVE, 5, NOW)
    with pytest.raises(TooMany):
        take([other, FIVE], now=NOW)
    assert not PublicCount.objects.filter(key=other.key).exists()


@pytest.mark.postgres
def test_eight_threads_share_five_places(committed: None) -> None:
    barrier, passed = threading.Barrier(8), []

    def run() -> None:
        barrier.wait()
        passed.append(attempts(FIVE, 3, NOW))
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(passed) == 5


@pytest.mark.postgres
def test_processes_share_the_places(committed: None, tmp_path: Path) -> None:
    url = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{connection.settings_dict['NAME']}"
    code = (
        "import django; django.setup()\n"
        "from tests.core.test_public import FIVE, NOW, attempts\n"
        "print(attempts(FIVE, 4, NOW))"
    )
    # The same key, or the hashes would differ.
    from django.conf import settings

    env = os.environ | {
        "DATABASE_URL": url,
        "VAR_DIR": str(tmp_path),
        "FIELD_HASH_KEY": settings.FIELD_HASH_KEY,
        "DJANGO_SETTINGS_MODULE": "feedback_crm.settings",
    }
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    passed = [int(process.communicate(timeout=120)[0]) for process in running]
    assert sum(passed) + attempts(FIVE, 4, NOW) == 5


@pytest.mark.django_db
def test_a_form_is_claimed_once_and_given_back_after_a_refusal() -> None:
    nonce = read_nonce(new_nonce("x", NOW), "x", NOW)
    assert nonce is not None
    first = service.claim(nonce, limits=[FIVE], now=NOW)
    second = service.claim(nonce, limits=[FIVE], now=NOW)
    assert (first.mine, second.mine) == (True, False)
    assert PublicCount.objects.get().count == 1
    service.release(nonce, first, limits=[FIVE], now=NOW)
    assert PublicCount.objects.get().count == 0
    again = service.claim(nonce, limits=[FIVE], now=NOW)
    service.settle(nonce, again, result=17)
    assert service.claim(nonce, limits=[FIVE], now=NOW).result == 17


@pytest.mark.django_db
def test_a_claim_of_a_dead_process_is_taken_over_and_the_dead_cannot_settle() -> None:
    nonce = read_nonce(new_nonce("x", NOW), "x", NOW)
    assert nonce is not None
    dead = service.claim(nonce, limits=[], now=NOW)
    heir = service.claim(nonce, limits=[], now=NOW + timedelta(minutes=3))
    assert heir.mine
    service.settle(nonce, heir, result=1)
    with pytest.raises(service.StaleState):
        service.settle(nonce, dead, result=2)
    assert service.result_of(nonce) == 1


def test_a_form_of_another_page_or_another_hand_is_none() -> None:
    text = new_nonce("x", NOW)
    assert read_nonce(text, "y", NOW) is None
    assert read_nonce(text[:-2] + "zz", "x", NOW) is None
    assert read_nonce("", "x", NOW) is None
    late = read_nonce(text, "x", NOW + NONCE_LIFE + timedelta(seconds=1))
    assert late is not None
    assert late.expired


def test_codes_can_be_read_out() -> None:
    nonce = read_nonce(new_nonce("x", NOW), "x", NOW)
    assert nonce is not None
    code = nonce.derive_code("receipt", 8)
    assert len(code) == 8
    assert set(code) <= set(ALPHABET)
    assert not set(ALPHABET) & set("0O1ILUV2Z5S8B")
    assert tidy_code(f" {code[:4].lower()}-{code[4:]} ") == code


def test_addresses_are_hashed_and_a_64_counts_as_one() -> None:
    assert "203.0.113.7" not in address_key("203.0.113.7")
    assert address_key("2001:db8:1:2::1") == address_key("2001:db8:1:2:ffff::9")
    assert address_key("2001:db8:1:2::1") != address_key("2001:db8:1:3::1")
    assert address_key("::ffff:203.0.113.7") == address_key("203.0.113.7")


@pytest.mark.parametrize(
    ("proxies", "expected"), [(0, "10.0.0.1"), (1, "203.0.113.7"), (2, "198.51.100.9"), (3, "6.6.6.6")]
)
def test_only_trusted_proxies_are_believed(settings: Any, proxies: int, expected: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    forwarded = "6.6.6.6, 198.51.100.9, 203.0.113.7"
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == expected


@pytest.mark.django_db
def test_what_no_longer_counts_is_forgotten() -> None:
    attempts(FIVE, 2, NOW)
    PublicNonce.objects.create(digest="a" * 64, claimed_at=NOW)
    assert forget_public(now=NOW + timedelta(minutes=5)) == 0
    assert forget_public(now=NOW + timedelta(days=2)) == 2


def photo(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: Any) -> io.BytesIO:
    """A picture with everything a camera may write into it."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (31.0, 14.0, 9.0)
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, kind, exif=exif, **options)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_loses_what_the_camera_wrote(kind: str) -> None:
    raw = photo(kind, **({"comment": b"SecretComment"} if kind == "JPEG" else {}))
    assert b"SecretCamera" in raw.getvalue()
    clean = clean_photo(raw, size=len(raw.getvalue()), number=2)
    data = clean.read()
    assert b"Secret" not in data
    with Image.open(io.BytesIO(data)) as picture:
        assert not picture.getexif()
        # Turned upright, since the mark that said so is gone.
        assert picture.size == (48, 64)
    assert clean.name.startswith("photo-2.")


def test_heic_is_known_by_content_and_becomes_jpeg(tmp_path: Path) -> None:
    head = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
    assert detect(head)[0] == "image/heic"
    assert detect(b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00")[0] == "audio/mp4"
    with pytest.raises(InvalidInput, match="1"):
        clean_photo(io.BytesIO(head), size=30, number=1)


@pytest.mark.parametrize("data", [b"", b"GIF89a....", b"<svg onload=alert(1)>", b"\xff\xd8\xff" + b"x" * 99])
def test_what_is_no_photo_is_refused_by_number(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="3") as caught:
        clean_photo(io.BytesIO(data), size=len(data), number=3)
    assert caught.value.params["field"] == "photos"


def test_a_large_photo_becomes_smaller() -> None:
    raw = photo(size=(4000, 3000))
    with Image.open(clean_photo(raw, size=1, number=1)) as picture:
        assert max(picture.size) == 2560


def solid(kind: str, size: tuple[int, int], **options: Any) -> io.BytesIO:
    """A picture of one colour: a small file however many pixels it has."""
    raw = io.BytesIO()
    Image.new("L", size, 200).save(raw, kind, **options)
    return raw


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True, "method": 0}), ("JPEG", {"progressive": True})],
)
def test_a_small_file_that_would_fill_the_memory_is_refused(kind: str, options: dict[str, Any]) -> None:
    raw = solid(kind, (6000, 4600), **options)
    assert len(raw.getvalue()) < 500_000
    with pytest.raises(InvalidInput) as caught:
        clean_photo(raw, size=len(raw.getvalue()), number=1)
    assert caught.value.params["field"] == "photos"


def test_a_plain_jpeg_of_a_telephone_with_many_pixels_passes() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    raw = solid("JPEG", (9000, 6000), exif=exif)
    with Image.open(clean_photo(raw, size=1, number=1)) as picture:
        assert picture.size == (1707, 2560)


def test_photos_are_unpacked_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, most, whole = 0, 0, photos._made_anew

    def watched(*args: Any, **options: Any) -> Any:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        time.sleep(0.02)
        try:
            return whole(*args, **options)
        finally:
            busy -= 1

    monkeypatch.setattr(photos, "_made_anew", watched)
    threads = [
        threading.Thread(target=clean_photo, args=(photo(),), kwargs={"size": 1, "number": 1})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_the_qr_code_is_plain_svg() -> None:
    svg = qr_svg("https://example.org/f/ABCD/")
    assert svg.startswith("<svg")
    assert "script" not in svg
