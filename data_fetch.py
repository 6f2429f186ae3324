"""Get MNIST, Fashion-MNIST and CIFAR-10, or import local copies. Standard library only; the project's only network code.

Every file is written beside its place, compared with a SHA-256 known here, and only then renamed: what is in place is
right. The digests are those of the content, because the idx files' gzip archives were packed again by some mirrors.
"""

import argparse
import contextlib
import errno
import gzip
import hashlib
import io
import lzma
import os
import re
import shutil
import socket
import sys
import tarfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from refimpl.paths import default_data_dir

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

CHUNK = 1 << 18
TRIES = 4  # a source
BACKOFF = 1.0  # seconds before the second try, doubled after every further one
LONGEST_WAIT = 60.0  # seconds, whatever Retry-After asks for
STALL = 30.0  # seconds without a byte
BATCHES_FOLDER = "cifar-10-batches-bin"
BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
CLASS_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
DIGEST_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")  # as sha256sum writes them
DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError)


@dataclass(frozen=True)
class File:
    """One file to get. Size and SHA-256 are those of its content: what gzip unpacks, if `packed`."""

    name: str
    size: int
    sha256: str
    sources: tuple[str, ...]  # URLs and paths, tried in this order; a path that is not there is passed over
    packed: bool = True


@dataclass(frozen=True)
class Dataset:
    """`records` is None, or the records in each .bin of a CIFAR archive, the only file."""

    name: str
    what: str
    files: tuple[File, ...]
    records: int | None = None


def _idx_dataset(name: str, what: str, sources: list[str], digests: list[str]) -> Dataset:
    names = [f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    sizes = [47_040_016, 60_008, 7_840_016, 10_008]
    files = [
        File(f"{file}.gz", size, digest, tuple(f"{source}/{file}.gz" for source in sources))
        for file, size, digest in zip(names, sizes, digests, strict=True)
    ]
    return Dataset(name, what, tuple(files))


DATASETS = (
    _idx_dataset(
        "mnist",
        "70,000 handwritten digits, 28 x 28 grey (12 MB)",
        ["https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"],
        [
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ],
    ),
    _idx_dataset(
        "fashion-mnist",
        "70,000 pieces of clothing, 28 x 28 grey (31 MB)",
        [
            "/usr/share/datasets/fashion-mnist",  # Debian's package dataset-fashion-mnist
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        ],
        [
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ],
    ),
    Dataset(
        "cifar10",
        "60,000 photographs of ten classes, 32 x 32 colour (162 MB, 176 MB unpacked)",
        (
            File(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                (
                    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                    "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/cifar-10-binary.tar.gz",
                ),
                packed=False,
            ),
        ),
        records=10_000,
    ),
)


# One file: check, get, place.


def check(path: Path, file: File) -> None:
    """Raise ValueError unless the content of `path` is that of `file`. Nothing is unpacked beyond the expected size."""
    if not path.exists():
        raise ValueError(f"{path.name}: missing")
    digest, size = hashlib.sha256(), 0
    try:
        with (gzip.open if file.packed else open)(path, "rb") as content:
            while size <= file.size and (chunk := content.read(min(CHUNK, file.size + 1 - size))):
                digest.update(chunk)
                size += len(chunk)
    except DAMAGED as error:
        raise ValueError(f"{path.name}: damaged ({error})") from error
    if size != file.size:
        raise ValueError(f"{path.name}: expected {file.size:,} bytes, found {min(size, file.size):,}"
                         + (" and more" if size > file.size else ""))
    if digest.hexdigest() != file.sha256:
        raise ValueError(f"{path.name}: expected SHA-256 {file.sha256}, found {digest.hexdigest()}")


def is_right(path: Path, file: File) -> bool:
    try:
        check(path, file)
    except ValueError:
        return False
    return True


def get(file: File, folder: Path) -> None:
    """Put `file` into `folder` from the first of its sources that works. Raises OSError that says why each failed."""
    failures = []
    for source in file.sources:
        # A part belongs to one source: mirrors may have packed the same content differently.
        part = folder / f".{file.name}.{hashlib.sha256(source.encode()).hexdigest()[:8]}.part"
        is_local = "://" not in source
        if is_local and not Path(source).exists():
            continue
        say(f"{file.name}: from {source}")
        try:
            copy(Path(source), part, file) if is_local else download(source, part, file)
        except (OSError, HTTPException, ValueError) as error:
            failures.append(f"\n  {source}: {str(error) or type(error).__name__}")
            continue
        place(part, folder / file.name)
        for stale in folder.glob(f".{file.name}.*.part"):
            stale.unlink()
        return
    raise OSError(f"{file.name}: no source worked" + ("".join(failures) or f": no {' or '.join(file.sources)}"))


def copy(source: Path, part: Path, file: File) -> None:
    """Copy a local file to `part`, gzipped if it is to be and is not. Raises ValueError if it is not the right one."""
    if source.stat().st_size > largest(file):
        raise ValueError(f"expected at most {largest(file):,} bytes, found {source.stat().st_size:,}")
    try:
        with open(source, "rb") as content, open(part, "wb") as raw:
            is_plain = file.packed and content.peek(2)[:2] != b"\x1f\x8b"
            with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if is_plain else raw as out:
                shutil.copyfileobj(content, out, CHUNK)
        check(part, file)
    except (OSError, ValueError):
        part.unlink(missing_ok=True)
        raise


def largest(file: File) -> int:
    """Bytes that the file itself can have: gzip may add a little to what it cannot compress."""
    return file.size + file.size // 100 + 4096 if file.packed else file.size


def download(url: str, part: Path, file: File) -> None:
    """Bring `part` to the checked content of `url`, in a few tries, each going on where the last one stopped."""
    mismatches = 0
    for attempt in range(TRIES):
        try:
            append(url, part, largest(file))
            return check(part, file)
        except ValueError:
            part.unlink(missing_ok=True)  # nothing may go on from wrong bytes
            mismatches += 1
            if mismatches == 2 or attempt == TRIES - 1:
                raise
        except (OSError, HTTPException) as error:
            if is_hopeless(error) or attempt == TRIES - 1:
                raise
            time.sleep(pause(error, attempt))


def append(url: str, part: Path, limit: int) -> None:
    """Append to `part` what it lacks of `url`; from its start where the server ignores Range. At most `limit` bytes."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "refimpl-data-fetch"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        reply = urlopen(Request(url, headers=headers), timeout=STALL)
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:
            return  # nothing comes after these bytes: the digest decides whether they are the file
        raise
    with reply:
        if reply.status != 206:
            have = 0
        elif not reply.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise ValueError(f"asked for the bytes from {have}, found {reply.headers.get('Content-Range')}")
        length = reply.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        if total and total > limit:
            raise ValueError(f"expected at most {limit:,} bytes, found {total:,} announced")
        with open(part, "ab" if have else "wb") as out:
            while chunk := reply.read1(CHUNK):
                have += len(chunk)
                if have > limit:
                    raise ValueError(f"expected at most {limit:,} bytes, found more")
                out.write(chunk)
                show_progress(url, have, total)
    if total and have < total:
        raise ConnectionError(f"cut off after {have:,} of {total:,} bytes")


def is_hopeless(error: Exception) -> bool:
    """Whether another try at this source is pointless: it says no, its name is not known (or no network), a full disk."""
    if isinstance(error, HTTPError):
        return error.code < 500 and error.code not in (408, 429)
    return isinstance(getattr(error, "reason", None), socket.gaierror) or getattr(error, "errno", 0) == errno.ENOSPC


def pause(error: Exception, attempt: int) -> float:
    """Seconds to wait after failed try number `attempt`: exponential, longer if the server asks for it, within a cap."""
    asked = error.headers.get("Retry-After", "") if isinstance(error, HTTPError) else ""
    return min(max(BACKOFF * 2**attempt, int(asked) if asked.isdigit() else 0), LONGEST_WAIT)


def place(part: Path, target: Path) -> None:
    """Rename in one step, with the content on the disk before its name is."""
    flush(part)
    os.replace(part, target)
    flush(target.parent)


def flush(path: Path) -> None:
    """Have a file or a folder written to the disk. Windows cannot flush a folder."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of `folder`. The system lets go of the lock even if this process is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a+b") as handle:
        if not try_lock(handle):
            say(f"waiting for another run to leave {folder}")
            while not try_lock(handle):
                time.sleep(0.2)
        yield


def try_lock(handle: BinaryIO) -> bool:
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    return True


# CIFAR-10: a folder of six .bin files and SOURCE, put in place in one step.


def check_batches(folder: Path, records: int) -> None:
    """Raise ValueError unless sizes, labels (every class equally often) and the digests recorded in SOURCE are right."""
    recorded = {name: digest for digest, name in DIGEST_LINE.findall(read_source(folder))}
    train = Counter()
    for name in BATCHES:
        path, expected = folder / name, 3073 * records
        if not path.is_file():
            raise ValueError(f"{name}: missing")
        if path.stat().st_size != expected:
            raise ValueError(f"{name}: expected {expected:,} bytes, found {path.stat().st_size:,}")
        content = path.read_bytes()
        if recorded and hashlib.sha256(content).hexdigest() != recorded.get(name):
            raise ValueError(f"{name}: not the SHA-256 that SOURCE records")
        labels = Counter(content[::3073])
        if name != "test_batch.bin":
            train += labels
    for part, counts, each in ("training", train, records // 2), ("test", labels, records // 10):
        if counts != dict.fromkeys(range(10), each):
            raise ValueError(f"{part} labels: expected {each:,} of each class 0 to 9, found {dict(sorted(counts.items()))}")


def read_source(folder: Path) -> str:
    return (folder / "SOURCE").read_text("utf-8", errors="replace") if (folder / "SOURCE").exists() else ""


def install_batches(final: Path, records: int, fill: Callable[..., str], origin: Path) -> None:
    """Have fill(origin, folder, records) write the .bin files, check them, and put the folder where `final` is or was.

    `fill` returns the text of SOURCE, whose first line is the name shown for the data; the digests are added here.
    """
    building, old = final.with_name(f".{final.name}.part"), final.with_name(f".{final.name}.old")
    discard(building, old)
    building.mkdir()
    try:
        source = fill(origin, building, records)
        check_batches(building, records)
        sums = "".join(f"{hashlib.sha256((building / name).read_bytes()).hexdigest()}  {name}\n" for name in BATCHES)
        (building / "SOURCE").write_text(f"{source}\n{sums}", "utf-8")
        (building / "batches.meta.txt").write_text("\n".join(CLASS_NAMES) + "\n", "utf-8")
        for path in [*building.iterdir(), building]:
            flush(path)
        if final.exists():
            os.replace(final, old)
        os.replace(building, final)
        flush(final.parent)
    finally:
        discard(building, old)


def discard(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def unpack_archive(archive: Path, folder: Path, records: int) -> str:
    """Copy the six .bin members of the official archive by name; no path, link or other member is followed."""
    wanted, size = set(BATCHES), 3073 * records
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                directory, _, name = member.name.rpartition("/")
                if directory == BATCHES_FOLDER and name in wanted:
                    if not member.isreg() or member.size != size:
                        raise ValueError(f"{archive.name}: {name} is not a regular file of {size:,} bytes")
                    (folder / name).write_bytes(tar.extractfile(member).read())
                    wanted.remove(name)
    except DAMAGED as error:
        raise ValueError(f"{archive.name}: damaged ({error})") from error
    if wanted:
        raise ValueError(f"{archive.name}: {', '.join(sorted(wanted))} missing")
    return f"CIFAR-10\nUnpacked from the published {archive.name}."


def decode_jpegs(archive: Path, folder: Path, records: int) -> str:
    """Write the .bin files from a tar.xz of {train,test}/CLASS/*.jpg, shuffled with seed 0."""
    try:
        import numpy as np
        import PIL
        from PIL import Image
    except ImportError as error:
        raise OSError(f"{archive.name}: decoding it needs Pillow: pip install pillow ({error})") from error
    data, read = {"train": bytearray(), "test": bytearray()}, 0
    try:
        with tarfile.open(archive, "r:xz") as tar:
            for member in tar:
                split, _, rest = member.name.partition("/")
                label = rest.partition("/")[0]
                if member.isdir():
                    continue
                if not member.isreg() or split not in data or label not in CLASS_NAMES or member.size > 1 << 16:
                    raise ValueError(f"{archive.name}: {member.name} is not an image of a class")
                read += 1
                if read > 6 * records:
                    raise ValueError(f"{archive.name}: expected {6 * records:,} images, found more")
                with Image.open(io.BytesIO(tar.extractfile(member).read())) as image:
                    if (image.size, image.mode) != ((32, 32), "RGB"):
                        raise ValueError(f"{archive.name}: {member.name} is not 32 x 32 in colour")
                    planes = np.asarray(image).transpose(2, 0, 1)
                data[split] += bytes([CLASS_NAMES.index(label)]) + planes.tobytes()
    except DAMAGED as error:
        raise ValueError(f"{archive.name}: damaged ({error})") from error
    rng = np.random.default_rng(0)
    for split, names in ("train", BATCHES[:5]), ("test", BATCHES[5:]):
        shuffled = rng.permutation(np.frombuffer(data.pop(split), np.uint8).reshape(-1, 3073))
        for i, name in enumerate(names):
            shuffled[records * i : records * (i + 1)].tofile(folder / name)
    return f"CIFAR-10 (JPEG)\nMade from {archive.name} (JPEG at quality 75), shuffled with seed 0, Pillow {PIL.__version__}."


def copy_batches(origin: Path, folder: Path, records: int) -> str:
    """Copy the .bin files of another folder, checked against its SOURCE if it has one."""
    check_batches(origin, records)
    for name in BATCHES:
        shutil.copyfile(origin / name, folder / name)
    if source := read_source(origin):
        return "\n".join(line for line in source.splitlines() if not DIGEST_LINE.match(line))
    return "CIFAR-10 (unverified copy)\nCopied from a folder without SOURCE: the pixels were compared with nothing."


# A data set: what is there, where a copy of it is, getting it.


def problems(dataset: Dataset, data_dir: Path) -> list[str]:
    """What is missing or wrong, after reading every byte; [] if the data set is complete."""
    folder = data_dir / dataset.name
    if dataset.records:
        checks = [(check_batches, folder / BATCHES_FOLDER, dataset.records)]
    else:
        checks = [(check, folder / file.name, file) for file in dataset.files]
    found = []
    for run, path, expected in checks:
        try:
            run(path, expected)
        except (OSError, ValueError) as error:
            found.append(str(error))
    return found


def title(dataset: Dataset, data_dir: Path) -> str:
    """The data set's name, and what SOURCE calls it."""
    batches = data_dir / dataset.name / BATCHES_FOLDER
    if not batches.is_dir():
        return dataset.name
    source = read_source(batches).partition("\n")[0]
    return f"{dataset.name} ({source or 'no SOURCE: only sizes and labels can be checked'})"


def find_copy(dataset: Dataset, origin: Path, is_flat_allowed: bool) -> Path | None:
    """In the folder `origin`: the folder of the idx files, or CIFAR-10's archive or folder; None if it is not there."""
    if not dataset.records:
        first = origin / dataset.files[0].name
        is_flat = is_flat_allowed and (first.exists() or first.with_suffix("").exists())
        return origin / dataset.name if (origin / dataset.name).is_dir() else origin if is_flat else None
    names = dataset.files[0].name, BATCHES_FOLDER, "cifar10-jpeg.tar.xz"
    places = [origin / folder / name for name in names for folder in ("", "cifar10", "cifar10-jpeg")]
    if (origin / BATCHES[0]).exists():
        places.append(origin)
    return next((place for place in places if place.exists()), None)


def obtain(dataset: Dataset, data_dir: Path, found: Path | None = None) -> None:
    """Make a data set complete: from the copy `found`, or else from its sources. Raises OSError or ValueError."""
    folder = data_dir / dataset.name
    with locked(folder):
        if dataset.records:
            obtain_batches(dataset, folder, found)
            return
        for file in dataset.files:
            if found:
                plain = file.name.removesuffix(".gz")
                file = replace(file, sources=(str(found / file.name), str(found / plain)))
            if not is_right(folder / file.name, file):
                get(file, folder)


def obtain_batches(dataset: Dataset, folder: Path, found: Path | None) -> None:
    """Install CIFAR-10 from `found` (a folder of .bin files, the official or the JPEG archive), or else download it."""
    final, file = folder / BATCHES_FOLDER, dataset.files[0]
    if not problems(dataset, folder.parent):
        return  # the run that this one waited for has done it
    if found and found.name != file.name:
        return install_batches(final, dataset.records, copy_batches if found.is_dir() else decode_jpegs, found)
    archive = found or folder / file.name
    if found:
        check(archive, file)
    elif not is_right(archive, file):
        get(file, folder)
    install_batches(final, dataset.records, unpack_archive, archive)
    if not found:
        archive.unlink()


# The command.


def say(text: str) -> None:
    print(text, flush=True)


def show_progress(url: str, have: int, total: int | None) -> None:
    if sys.stderr.isatty():
        of, end = (f" of {total / 1e6:.1f}", "\n" * (have == total)) if total else ("", "")
        print(f"\r  {url.rpartition('/')[2]}: {have / 1e6:.1f}{of} MB", end=end, file=sys.stderr, flush=True)


def show_list(datasets: list[Dataset], data_dir: Path) -> int:
    say(f"Data sets in {data_dir}:")
    for dataset in datasets:
        is_started = any(path.name != ".lock" for path in (data_dir / dataset.name).glob("*"))
        state = "missing" if not is_started else "incomplete" if problems(dataset, data_dir) else "complete"
        say(f"  {dataset.name:14}{state:12}{dataset.what}")
    return 0


def show_verified(datasets: list[Dataset], data_dir: Path) -> int:
    status = 0
    for dataset in datasets:
        found = problems(dataset, data_dir)
        status = 1 if found else status
        say(f"{title(dataset, data_dir)}: {'; '.join(found) or 'right'}")
    return status


def obtain_all(datasets: list[Dataset], data_dir: Path, origin: Path | None, is_named: bool) -> int:
    """Get or import every data set, going on after a failure. Not named and not in `origin` is no failure."""
    status, complete = 0, 0
    for dataset in datasets:
        if not problems(dataset, data_dir):
            say(f"{title(dataset, data_dir)}: already there and right, in {data_dir / dataset.name}")
            complete += 1
            continue
        found = find_copy(dataset, origin, is_named and len(datasets) == 1) if origin else None
        if origin and not found:
            say(f"{dataset.name}: not in {origin}")
            status = 1 if is_named else status
            continue
        try:
            obtain(dataset, data_dir, found)
        except (OSError, ValueError) as error:
            print(f"{dataset.name}: failed: {error}", file=sys.stderr)
            status = 1
        else:
            say(f"{title(dataset, data_dir)}: complete, in {data_dir / dataset.name}")
            complete += 1
    return status or int(complete == 0)


def main(arguments: list[str] | None = None, datasets: tuple[Dataset, ...] = DATASETS) -> int:
    """Run the command; 0 ok, 1 something failed, 2 bad usage (as SystemExit), 130 interrupted."""
    known = {dataset.name: dataset for dataset in datasets}
    parser = argparse.ArgumentParser(
        prog="data_fetch.py",
        description="Get the data sets, checked against SHA-256 digests. Run it again after a failure: it resumes.",
        epilog="example: python data_fetch.py mnist --data-dir data",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"{', '.join(known)} (default: all)")
    parser.add_argument("--data-dir", metavar="DIR", type=Path, default=default_data_dir(), help="default: %(default)s")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--from", metavar="DIR", type=Path, dest="origin", help="import the copies in DIR, no network")
    action.add_argument("--list", action="store_true", help="what there is, and what of it is in the data folder")
    action.add_argument("--verify", action="store_true", help="check what is there again; 1 if wrong or missing")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"unknown name {unknown[0]!r} (known: {', '.join(known)})")
    if options.origin and not options.origin.is_dir():
        parser.error(f"--from: {options.origin} is not a folder")
    chosen = [known[name] for name in dict.fromkeys(options.names or known)]
    try:
        if options.list:
            return show_list(chosen, options.data_dir)
        if options.verify:
            return show_verified(chosen, options.data_dir)
        return obtain_all(chosen, options.data_dir, options.origin, bool(options.names))
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
