"""Module images cross the wire once per content: how often a program waits, and what stands on the disk."""

import hashlib
import os
import stat
import uuid

import pytest

from test_several_devices import start_worker

# What one wait costs; far more than all else that the program does together.
TRIP = {"ROOST_RTT_US": "250000"}


def waits(output):
    """How often the program waited while it loaded the library, and while it used it first."""
    lines = dict(line.split() for line in output.splitlines() if line.startswith(("load ", "use ")))
    assert output.splitlines()[-1] == "PASS"
    return int(lines["load"]), int(lines["use"])


@pytest.fixture
def seed():
    """A number that no other test's library has, so that its image is new."""
    return str(uuid.uuid4().int % 1_000_000)


def folder(roost):
    return roost.state.parent / "images"


@pytest.mark.parametrize("size", [20_000, 200_000], ids=["compiled at once", "compiled by need"])
def test_an_image_is_sent_once_and_its_kernels_need_no_wait(roost, programs, seed, size):
    run = lambda: waits(roost.run(programs / "image_cache", size, seed, environment=TRIP))
    assert run() == (0, 2)
    assert run() == (0, 1)


def test_workers_of_a_node_share_images(roost, programs, seed):
    run = lambda device: waits(
        roost.run(programs / "image_cache", 9_000, seed, device, environment=TRIP, gpus=2))
    assert run(0) == (0, 2)
    assert run(1) == (0, 1)


def test_small_images_are_sent_at_once(roost, programs, tmp_path):
    # The program's own text is larger than what is hashed, so one of the small programs stands for it.
    before = set(folder(roost).iterdir()) if folder(roost).exists() else set()
    roost.run(programs / "smoke")
    assert set(folder(roost).iterdir()) == before


def test_the_cache_is_private_and_checked(roost, programs, seed):
    run = lambda: waits(roost.run(programs / "image_cache", 30_000, seed, environment=TRIP))
    before = set(folder(roost).iterdir()) if folder(roost).exists() else set()
    assert run() == (0, 2)
    assert stat.S_IMODE(folder(roost).stat().st_mode) == 0o700
    (image,) = set(folder(roost).iterdir()) - before
    assert stat.S_IMODE(image.stat().st_mode) == 0o600
    content = image.read_bytes()
    assert image.name == hashlib.blake2b(content, digest_size=32).hexdigest() + ".image"

    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 1
    image.write_bytes(damaged)
    assert run() == (0, 2), "a damaged file counts as absent"
    assert image.read_bytes() == content
    image.write_bytes(content[:100])
    assert run() == (0, 2)
    assert run() == (0, 1)


def test_the_cache_keeps_to_its_size(roost, programs, tmp_path):
    images = tmp_path / "images"
    worker, endpoint = start_worker(
        tmp_path, "small", "--image-cache", str(images), "--image-cache-size", "100KiB")
    run = lambda seed: waits(roost.command(
        "run", "--endpoint", endpoint, "--", "env", *[f"{key}={value}" for key, value in TRIP.items()],
        programs / "image_cache", 30_000, seed).stdout)
    for seed in range(4):
        assert run(seed) == (0, 2)
        os.utime(max(images.iterdir(), key=lambda file: file.stat().st_mtime_ns), ns=(seed, seed))
    assert len(list(images.iterdir())) == 3
    assert run(3) == (0, 1)
    assert run(0) == (0, 2), "what was not used for the longest time went first"
    worker.process.kill()
    worker.process.wait()


def test_without_a_cache_an_image_is_sent_each_time(roost, programs, tmp_path):
    worker, endpoint = start_worker(tmp_path, "none", "--image-cache", "off")
    run = lambda: waits(roost.command(
        "run", "--endpoint", endpoint, "--", "env", *[f"{key}={value}" for key, value in TRIP.items()],
        programs / "image_cache", 30_000, 1).stdout)
    assert run() == (0, 2)
    assert run() == (0, 2)
    worker.process.kill()
    worker.process.wait()
