"""Get MNIST, Fashion-MNIST and CIFAR-10, or import local copies of these and of any other data set
in idx files. Standard library only; all the network code there is.

Every file is written beside its place, compared with a SHA-256 known here, and only then renamed:
what is in place is right. The digests are those of the content, because the idx files' gzip
archives were packed again by some mirrors. Of other idx data sets no digest is known: their headers
and lengths are checked.
"""

import argparse
import gzip
import hashlib
import socket
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from refimpl.files import cifar_folder as batches
from refimpl.files import idx_folder
from refimpl.files.idx_folder import IdxSet
from refimpl.files.paths import default_data_dir, expanded, locked, without_network
from refimpl.files.streams import PlainParser, lead_nowhere, prepare_streams

CHUNK = 1 << 18
TRIES = 4  # a source
BACKOFF = 1.0  # seconds before the second try, doubled after every further one
LONGEST_WAIT = 60.0  # seconds, whatever Retry-After asks for
STALL = 30.0  # seconds without a byte
SLACK = 1 << 16  # bytes that gzip may add to what it cannot compress
DRAWN = "digits"  # the one name that needs no file: refimpl draws it
say = partial(print, flush=True)


@dataclass(frozen=True)
class File:
    """One file to get. Size and SHA-256 are of its content: what gzip unpacks, if `packed`."""

    name: str
    size: int
    sha256: str
    sources: tuple[
        str, ...
    ]  # URLs and paths, tried in this order; a path that is not there is passed over
    packed: bool = True


@dataclass(frozen=True)
class Dataset:
    """`records` is 0, or the records in each .bin of a CIFAR archive, the only file. Without files:
    someone's own idx data set.
    """

    name: str
    what: str
    files: tuple[File, ...]
    records: int = 0


def idx_files(sources: list[str], *digests: str) -> tuple[File, ...]:
    """The four files of MNIST and its like, each at all sources."""
    names = [
        f"{split}-{kind}-ubyte.gz"
        for split in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    ]
    sizes = [47_040_016, 60_008, 7_840_016, 10_008]
    return tuple(
        File(name, size, digest, tuple(f"{source}/{name}" for source in sources))
        for name, size, digest in zip(names, sizes, digests, strict=True)
    )


DATASETS = (
    Dataset(
        "mnist",
        "70,000 handwritten digits, 28 x 28 grey (12 MB)",
        idx_files(
            [
                "https://ossci-datasets.s3.amazonaws.com/mnist",
                "https://storage.googleapis.com/cvdf-datasets/mnist",
            ],
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    Dataset(
        "fashion-mnist",
        "70,000 pieces of clothing, 28 x 28 grey (31 MB)",
        idx_files(
            [
                "/usr/share/datasets/fashion-mnist",  # Debian's package dataset-fashion-mnist
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
                "master/data/fashion",
            ],
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    Dataset(
        "cifar10",
        "60,000 photographs of ten classes, 32 x 32 colour (162 MB, 176 MB unpacked)",
        (
            File(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                packed=False,
            ),
        ),
        records=10_000,
    ),
)


def check(path: Path, file: File) -> None:
    """Raise ValueError unless the content of `path` is that of `file`. Little is unpacked beyond
    the expected size.
    """
    if not path.exists():
        raise ValueError(f"{file.name}: missing")
    digest, size = hashlib.sha256(), 0
    try:
        with (gzip.open if file.packed else open)(path, "rb") as content:
            while size <= file.size and (chunk := content.read(CHUNK)):
                digest.update(chunk)
                size += len(chunk)
    except batches.DAMAGED as error:
        raise ValueError(f"{file.name}: damaged ({error})") from error
    if size != file.size:
        raise ValueError(
            f"{file.name}: expected {file.size:,} bytes, found "
            f"{'more' if size > file.size else size}"
        )
    if digest.hexdigest() != file.sha256:
        raise ValueError(f"{file.name}: expected SHA-256 {file.sha256}, found {digest.hexdigest()}")


def get(file: File, folder: Path, sources: tuple[str, ...]) -> None:
    """Put `file` into `folder`, if not right there, from the first of `sources` that works. Raises
    OSError: why none did.
    """
    with suppress(OSError, ValueError):
        return check(folder / file.name, file)
    failures = []
    for source in sources:
        is_local = "://" not in source
        if is_local and not Path(source).exists():
            continue
        say(f"{file.name}: from {source}")
        # A part belongs to one source: mirrors may have packed the same content differently.
        part = folder / f".{file.name}.{zlib.crc32(source.encode()):08x}.part"
        try:
            copy(Path(source), part, file) if is_local else download(source, part, file)
            batches.place(part, folder / file.name)
            for stale in folder.glob(f".{file.name}.*.part"):
                stale.unlink()
            return
        except (OSError, HTTPException, ValueError) as error:
            failures.append(f"\n  {source}: {str(error) or type(error).__name__}")
            if is_local:
                part.unlink(missing_ok=True)
    raise OSError(
        f"{file.name}: no source worked{''.join(failures) or ': no ' + ' or '.join(sources)}"
    )


def copy(source: Path, part: Path, file: File) -> None:
    """Copy a local file to `part`, gzipped if it should be and is not. Raises ValueError if it is
    not the right one.
    """
    with open(source, "rb") as content, open(part, "wb") as raw:
        is_plain = file.packed and content.peek(2)[:2] != b"\x1f\x8b"
        with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if is_plain else raw as out:
            out.write(content.read(file.size + SLACK + 1))
    check(part, file)


def download(url: str, part: Path, file: File) -> None:
    """Bring `part` to the checked content of `url`, in a few tries, each going on where the last
    one stopped.
    """
    wrong = 0
    for attempt in range(TRIES):
        try:
            append(url, part, file.size + SLACK)
            return check(part, file)
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, ValueError):
                part.unlink(missing_ok=True)  # nothing may go on from wrong bytes
                wrong += 1
            if is_final(error) or wrong == 2 or attempt == TRIES - 1:
                raise
            asked = error.headers.get("Retry-After", "") if isinstance(error, HTTPError) else ""
            time.sleep(
                min(max(BACKOFF * 2**attempt, int(asked) if asked.isdecimal() else 0), LONGEST_WAIT)
            )


def is_final(error: Exception) -> bool:
    """Whether the server says no, or its name is not known, as without a network: another try would
    be pointless.
    """
    if isinstance(error, HTTPError):
        return error.code < 500 and error.code not in (408, 429)
    return isinstance(getattr(error, "reason", None), socket.gaierror)


def append(url: str, part: Path, largest: int) -> None:
    """Append to `part` what it lacks of `url` (all if Range is ignored), up to `largest` bytes."""
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
        total = have + reply.length if reply.length else None
        with open(part, "ab" if have else "wb") as out:
            while chunk := reply.read1(CHUNK):
                have += len(chunk)
                if have > largest:
                    raise ValueError(f"expected at most {largest:,} bytes, found more")
                out.write(chunk)
                if sys.stderr.isatty():
                    of, end = (
                        f" of {total / 1e6:.1f}" if total else "",
                        "\n" if have == total else "",
                    )
                    print(f"\r  {have / 1e6:.1f}{of} MB", end=end, file=sys.stderr, flush=True)
    if total and have < total:
        raise ConnectionError(f"cut off after {have:,} of {total:,} bytes")


def problems(dataset: Dataset, data_dir: Path) -> list[str]:
    """What is missing or wrong, after reading every byte; [] if the data set is complete."""
    folder, found = data_dir / dataset.name, []
    checks: list[Callable] = [partial(check, folder / file.name, file) for file in dataset.files]
    if dataset.records:
        checks = [partial(batches.check_batches, folder / batches.FOLDER, dataset.records)]
    elif not dataset.files:
        checks = [partial(idx_folder.check_folder, folder)]
    for check_it in checks:
        try:
            check_it()
        except (OSError, ValueError) as error:
            found.append(str(error))
    return found


def title(dataset: Dataset, data_dir: Path) -> str:
    """The data set's name, and what SOURCE calls it."""
    if not dataset.files:
        sets = idx_folder.sets_in(data_dir / dataset.name)
        turned = "; stored transposed, loaded upright" if sets and sets[0].is_transposed else ""
        return f"{dataset.name} (no digest known: only headers and lengths can be checked{turned})"
    folder = data_dir / dataset.name / batches.FOLDER
    source = batches.source_title(folder) or "no SOURCE: only sizes and labels can be checked"
    return f"{dataset.name} ({source})" if folder.is_dir() else dataset.name


def find_copy(dataset: Dataset, origin: Path, named: int) -> Path | IdxSet | None:
    """In the folder `origin`: the idx files, or CIFAR-10's archive or folder; None if it is not
    there. `named`: how many data sets the user named. If one, it is what lies there under whatever
    name; if none, the labels tell. Raises ValueError where several idx data sets could be meant.
    """
    if dataset.records:
        return batches.find_copy(origin, dataset.files[0].name)
    sets = idx_folder.sets_in(origin, depth=1)
    if found := idx_folder.set_named(dataset.name, sets):
        return found
    if not named:
        return next((found for found in sets if is_labelled_as(dataset, found)), None)
    flat = idx_folder.sets_in(origin) if named == 1 else []
    if len(flat) > 1:
        names = ", ".join(found.names[0] for found in flat)
        raise ValueError(f"{origin} holds several data sets: {names}")
    return flat[0] if flat else None


def is_labelled_as(dataset: Dataset, found: IdxSet) -> bool:
    """Whether the training labels are those of a known data set, whatever folder they lie in."""
    for file in dataset.files:
        if idx_folder.role_of(file.name) == "train-labels":
            for copy_of in found.files.get("train-labels", ()):
                with suppress(OSError, ValueError):
                    check(copy_of, file)
                    return True
    return False


def own_sets(datasets: list[Dataset], origin: Path) -> list[Dataset]:
    """The complete idx data sets in `origin` that are none of the known ones."""
    names = dict.fromkeys(
        found.names[0]
        for found in idx_folder.sets_in(origin, depth=1)
        if found.names and len(found.files) == len(idx_folder.ROLES)
        if not any(
            idx_folder.set_named(dataset.name, [found]) or is_labelled_as(dataset, found)
            for dataset in datasets
        )
    )
    return [Dataset(name, "idx files", ()) for name in names if name != DRAWN]


def obtain(dataset: Dataset, data_dir: Path, found: Path | IdxSet | None) -> None:
    """Make a data set complete: from the copy `found`, or else from its sources. Raises OSError or
    ValueError.
    """
    folder = data_dir / dataset.name
    with locked(folder, lambda: say(f"waiting for another run to leave {folder}")):
        if not dataset.files:
            assert isinstance(found, IdxSet)
            return idx_folder.install(found, folder)
        if not problems(dataset, data_dir):
            return  # the run that this one waited for has done it
        if isinstance(found, Path) and found.name != dataset.files[0].name:
            return batches.install(folder, dataset.records, found)
        for file in dataset.files:
            get(file, folder, copies_of(file, found) if found else file.sources)
        if dataset.records:
            batches.install(folder, dataset.records, folder / file.name)
            (folder / file.name).unlink()


def copies_of(file: File, found: Path | IdxSet) -> tuple[str, ...]:
    """Where a local copy of the file is, or else where it was expected."""
    if isinstance(found, Path):
        return (str(found),)
    expected = str(found.folder / file.name)
    copies = found.files.get(idx_folder.role_of(file.name) or "", ())
    return tuple(map(str, copies)) or (expected, expected.removesuffix(".gz"))


def show_list(datasets: list[Dataset], data_dir: Path) -> int:
    with suppress(FileNotFoundError):
        data_dir.stat()  # a name that no folder can have: from Python 3.13 on exists() takes it
    say(f"Data sets in {data_dir}:")
    for dataset in datasets:
        is_started = (data_dir / dataset.name).exists()
        state = (
            "missing"
            if not is_started
            else "incomplete"
            if problems(dataset, data_dir)
            else "complete"
        )
        say(f"  {dataset.name:14}{state:12}{dataset.what}")
    return 0


def show_verified(datasets: list[Dataset], data_dir: Path) -> int:
    found = {dataset: problems(dataset, data_dir) for dataset in datasets}
    for dataset in datasets:
        say(f"{title(dataset, data_dir)}: {'; '.join(found[dataset]) or 'right'}")
    return int(any(found.values()))


def obtain_all(datasets: list[Dataset], data_dir: Path, origin: Path | None, is_named: bool) -> int:
    """Get or import every data set, going on after a failure. Not named and not in `origin` is no
    failure.
    """
    is_failed, complete = False, 0
    for dataset in datasets:
        try:
            if (origin and not dataset.files) or problems(dataset, data_dir):
                found = (
                    find_copy(dataset, origin, len(datasets) if is_named else 0) if origin else None
                )
                if origin and not found:
                    say(f"{dataset.name}: not in {origin}")
                    is_failed |= is_named
                    continue
                obtain(dataset, data_dir, found)
            say(f"{title(dataset, data_dir)}: complete, in {data_dir / dataset.name}")
            complete += 1
        except (OSError, ValueError) as error:
            print(f"{dataset.name}: failed: {error}", file=sys.stderr)
            if not origin:
                print(without_network(dataset.name), file=sys.stderr)
            is_failed = True
    return int(is_failed or not complete)


def parsed(
    arguments: list[str] | None, datasets: tuple[Dataset, ...]
) -> tuple[argparse.Namespace, list[Dataset]]:
    """The command line, and the data sets that it means. Raises SystemExit(2) on bad usage."""
    try:
        default, trouble = default_data_dir(), ""
    except ValueError as error:
        default, trouble = None, str(error)
    known = {dataset.name: dataset for dataset in datasets}
    parser = PlainParser(
        prog="data_fetch.py",
        epilog="example: python data_fetch.py mnist --data-dir data",
        description="Get the data sets, checked. To resume, run it again.",
    )
    parser.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help=f"{', '.join(known)} (default: all); with --from any name for idx files of your own",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        type=Path,
        default=default,
        help=f"default: {default or trouble}".replace("%", "%%"),
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--from",
        metavar="DIR",
        type=Path,
        dest="origin",
        help="import the copies in DIR, no network: these data sets, and any other in idx files",
    )
    action.add_argument(
        "--list", action="store_true", help="what there is, and what of it is in the data folder"
    )
    action.add_argument(
        "--verify", action="store_true", help="check what is there again; 1 if wrong or missing"
    )
    options = parser.parse_args(arguments)
    if options.data_dir is None:
        parser.error(f"{trouble} (or name one with --data-dir)")
    try:
        options.data_dir = expanded(options.data_dir, "--data-dir")
        if options.origin:
            options.origin = expanded(options.origin, "--from")
            if not options.origin.is_dir():
                raise ValueError(f"--from: {options.origin} is not a folder")
        return options, choose(options, known)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:  # a name that no folder can have
        parser.error(f"{error.filename}: {error.strerror}")


def choose(options: argparse.Namespace, known: dict[str, Dataset]) -> list[Dataset]:
    """The data sets that are meant: the named ones, or the known ones and those in idx files beside
    them. Raises ValueError on a name that means nothing.
    """
    imported = [
        Dataset(folder.name, "imported idx files", ())
        for folder in sorted(options.data_dir.glob("*"))
        if folder.name not in (*known, DRAWN) and idx_folder.sets_in(folder)
    ]
    mine = {dataset.name: dataset for dataset in imported} if options.list or options.verify else {}
    if not options.names:
        every = list(known.values())
        return every + (own_sets(every, options.origin) if options.origin else list(mine.values()))
    chosen = {}
    for name in options.names:
        fitting = [own for own in (*known, *mine) if idx_folder.same_name(name, own)]
        own_name = idx_folder.plain_name(name)
        if fitting:
            chosen[fitting[0]] = (known | mine)[fitting[0]]
        elif options.origin and own_name and own_name != DRAWN and "/" not in name:
            chosen[own_name] = Dataset(own_name, "idx files", ())
        else:
            hint = idx_folder.hint_for(name, [*known, *mine])
            needs = "; it needs no files: refimpl draws it" if own_name == DRAWN else hint
            raise ValueError(f"unknown name {name!r} (known: {', '.join(known)}){needs}")
    return list(chosen.values())


def main(arguments: list[str] | None = None, datasets: tuple[Dataset, ...] = DATASETS) -> int:
    """Run the command; 0 ok, 1 something failed, 2 bad usage (as SystemExit) or no way to
    write, 130 interrupted, 141 the reader of the output has gone.
    """
    prepare_streams()
    try:
        options, chosen = parsed(arguments, datasets)
        if options.list:
            status = show_list(chosen, options.data_dir)
        elif options.verify:
            status = show_verified(chosen, options.data_dir)
        else:
            status = obtain_all(chosen, options.data_dir, options.origin, bool(options.names))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has gone
        lead_nowhere(sys.stdout)
        return 141
    except OSError as error:
        place = error.filename or "standard output"
        print(f"data_fetch.py: {place}: {error.strerror or error}", file=sys.stderr)
        if error.filename is None:
            lead_nowhere(sys.stdout)
        return 2


if __name__ == "__main__":
    sys.exit(main())
