"""Readers: .2bp files, cut lists as they come, every error with its file, line and item."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from refimpl.companions.packing.instances import CLASSES, benchmark
from refimpl.companions.packing.readers import read, read_2bp

FILES = Path(
    os.environ.get(
        "REFIMPL_PACKING", Path(__file__).parents[3] / "shared" / "packing" / "instances"
    )
)
TWO = """    3        PROBLEM CLASS
    2        N. OF ITEMS
    1  101   RELATIVE AND ABSOLUTE N. OF INSTANCE
   40   30   HBIN,WBIN
   35    7   H(I),W(I),I=1,...,N
    2   30

    3        PROBLEM CLASS
    1        N. OF ITEMS
    2  102   RELATIVE AND ABSOLUTE N. OF INSTANCE
   50   60   HBIN,WBIN
    9    8   H(I),W(I),I=1,...,N

"""


@pytest.fixture
def write(tmp_path):
    def file(name, text):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return file


def test_the_second_instance_and_an_asymmetric_item(write):
    path = write("two.2bp", TWO.replace("\n", "\r\n"))
    first, second = read(f"{path}:1"), read(f"{path}:2")
    assert (
        first.items.tolist() == [[7, 35], [30, 2]]
        and first.bin == (30, 40)
        and first.name == "3-2-1"
    )
    assert (
        second.items.tolist() == [[8, 9]]
        and second.bin == (60, 50)
        and second.items.dtype == np.int64
    )
    assert len(read_2bp(path)) == 2


def test_a_name_with_a_colon(write):
    assert read(write("a:7.csv", "1,2\n"), (5, 5)).items.tolist() == [[1, 2]]


@pytest.mark.skipif(not FILES.exists(), reason="the published files are not there")
@pytest.mark.parametrize("kind", CLASSES)
def test_the_published_files(kind):
    for ours, theirs in zip(
        benchmark([kind]), read_2bp(FILES / f"Class_{kind:02}.2bp"), strict=True
    ):
        assert (ours.name, ours.bin, ours.items.tolist()) == (
            theirs.name,
            theirs.bin,
            theirs.items.tolist(),
        )


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("   35    7 ", "   35  x7 ", "line 5: expected H W of item 1"),
        ("    2   30", "    2", "line 6: expected H W of item 2"),
        ("    2   30", "    0   30", "line 6, item 2: expected two numbers > 0"),
        ("    2   30", "   -2   30", "line 6, item 2"),
        (
            "    2   30",
            "    2   31",
            "line 6, item 2: 31 x 2 (width x height) does not fit the bin 30 x 40",
        ),
        ("    2   30", "  2.5   30", "line 6: expected H W of item 2"),
        ("    2   30", "  nan   30", "line 6: expected H W"),
        ("    2   30", "    2   30  9", "line 6: expected H W"),
        ("   40   30 ", "    0   30 ", "line 4: bin_size"),
        (
            "   40   30 ",
            "   40   " + "9" * 13,
            "line 4: bin_size: expected at most 1,000,000 units",
        ),
        ("    2   30", "    2   99999999999999999", "line 6, item 2"),
        ("    2   30", "    2   " + "9" * 40, "line 6"),
        (
            "    1        N. OF",
            "    2        N. OF",
            "the file ends where instance 2 needs H W of item 2",
        ),
        ("    2        N. OF", "99999999     N. OF", "line 2: expected 0 to 1,000,000 items"),
        (
            "    2        N. OF",
            "   -1        N. OF",
            "line 2: expected 0 to 1,000,000 items, got -1",
        ),
    ],
)
def test_malformed_2bp(write, old, new, words):
    path = write("bad.2bp", TWO.replace(old, new, 1))
    with pytest.raises(ValueError) as error:
        read(f"{path}:1")
    assert words in str(error.value) and path in str(error.value)


@pytest.mark.parametrize(
    "suffix, bin_size, words",
    [
        ("", None, "holds 2 instances; pick one"),
        (":3", None, "from 1 to 2, got 3"),
        (":0", None, "from 1 to 2, got 0"),
        (":1", (5, 5), "bins of its own"),
        (":\u00b2", None, "two.2bp:\u00b2: cannot be read"),
    ],
)
def test_which_instance(write, suffix, bin_size, words):
    with pytest.raises(ValueError, match=words):
        read(write("two.2bp", TWO) + suffix, bin_size)


def test_csv(write):
    path = write("list.csv", "\ufeffwidth,height,count\r\n3, 4,2\r\n\r\n5,1\r\n")
    instance = read(path, (6, 5))
    assert (
        instance.items.tolist() == [[3, 4], [3, 4], [5, 1]]
        and instance.bin == (6, 5)
        and instance.name == "list"
    )
    assert read(write("empty.csv", ""), (6, 5)).items.shape == (0, 2)
    assert read(write("turned.csv", "7,2\n"), (6, 8), rotate=True).items.tolist() == [[7, 2]]


@pytest.mark.parametrize(
    "text, words",
    [
        ("w,h\n3,4\n0,2\n", "line 3, item 2: expected a width > 0"),
        ("3,4\n-1,2\n", "line 2, item 2"),
        ("3,4\nnan,2\n", "line 2, item 2"),
        ("nan,2\n", "line 1, item 1"),
        ("3,4\n1.5mm,2\n", "line 2, item 2"),
        ("3,4\nwide,high\n", "line 2, item 2"),
        ("3\n", "line 1, item 1"),
        ("3,4,5,6\n", "line 1, item 1"),
        ("3,4\n7,1\n", "line 2, item 2: 7 x 1 (width x height) does not fit the bin 6 x 5"),
        ("3,4,0\n", "line 1, item 1"),
        ("3,4,2000000\n", "line 1, item 1: expected a count"),
        ("1e3,4\n", "line 1, item 1"),
        ("3 4\n", "line 1: unknown column '3 4'"),
        ("9999999999999999999999,1\n", "line 1, item 1"),
        ("\u0663,4\n", "line 1, item 1"),
    ],
)
def test_malformed_csv(write, text, words):
    path = write("bad.csv", text)
    with pytest.raises(ValueError) as error:
        read(path, (6, 5))
    assert words in str(error.value) and path in str(error.value)


LISTS = {
    "id,width,height\n1,10,4\n2,6,5\n": [[10, 4], [6, 5]],
    "height,width\n4,10\n5,6\n": [[10, 4], [6, 5]],
    "Qty;Height [mm];Width [mm];Label\n1;4;10;a\n1;5;6;b\n": [[10, 4], [6, 5]],
    "h\tw\n4\t10\n5\t6\n": [[10, 4], [6, 5]],
    "10;4\n6;5;1\n": [[10, 4], [6, 5]],
    "width,height,,\n10,4,,\n,,,\n6,5,,\n": [[10, 4], [6, 5]],  # a spreadsheet's empty columns
    "width;height\n10,0;4\n6;5,00\n": [[10, 4], [6, 5]],
    'width,height\n"10,0",4\n6,5\n': [[10, 4], [6, 5]],
    "w,h\n10.5,4\n6,5\n": [[10.5, 4], [6, 5]],
    "w;h\n10,5;4\n6;5\n": [[10.5, 4], [6, 5]],
    "sep=;\r\nw;h\r\n10,5;4\r\n6;5\r\n": [[10.5, 4], [6, 5]],  # as spreadsheets write it
    "Width:,Height.,Qty.,Rotate?\n10,4,1,no\n6,5,1,yes\n": [[10, 4], [6, 5]],
    "# all of oak\nw,h\n10,4\n#\n## and\n6,5\n": [[10, 4], [6, 5]],
    "id,w,h\n#1,10,4\n#2,6,5\n": [[10, 4], [6, 5]],  # numbers of pieces, no remarks
    "name,w,h\na\u2028b,10,4\nc\x85,6,5\n": [[10, 4], [6, 5]],  # no ends of lines
    "w,h\n1.200,4\n6,5\n": [[1.2, 4], [6, 5]],
    "w;h\n1,200;4\n6;5\n": [[1.2, 4], [6, 5]],  # no comma between thousands where ; separates
}


@pytest.mark.parametrize("text", LISTS)
def test_lists_as_they_come(write, text):
    found = read(write("list.csv", text), (20, 10))
    assert [[float(v) for v in row] for row in found.items.tolist()] == LISTS[text]


def test_numbered_pieces_keep_their_names_and_their_encoding(write):
    text = "id\tw\th\n#1\t6,5\t4\nTür\t6\t4\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        found = read(write("list.csv", text.encode(encoding)), (20, 10))
        assert found.names == ("#1", "Tür"), encoding
        assert [float(v) for v in found.items[0]] == [6.5, 4]


def test_names_copies_and_leave_to_turn(write):
    text = 'rotate,name,w,h,quantity\nyes,"Shelf, oak",6,4,2\nno,door,5,5,1\n,side,4,4,1\n'
    found = read(write("list.csv", text), (20, 10))
    assert found.names == ("Shelf, oak", "Shelf, oak", "door", "side")
    assert found.rotate == (True, True, False, False)
    assert read(write("list.csv", text), (20, 10), rotate=True).rotate[3] is True
    assert read(write("own.csv", "w,h\n1,2\n"), (9, 9), rotate=True).rotate is True
    assert read(write("both.csv", "id,name,w,h\n7,shelf,1,2\n"), (9, 9)).names == ("7 shelf",)


@pytest.mark.parametrize(
    "text, words",
    [
        (
            "width,height,profit\n5,4,20\n",
            "line 1: unknown column 'profit'; understood: 'width' as",
        ),
        (
            "width,depth\n5,4\n",
            "'width' as width; rename to one of these, or delete: width, w; height",
        ),
        ("Part;Length;Width;Material\n", "line 1: unknown columns 'Part', 'Length', 'Material'; "),
        ("length,width\n5,4\n", "unknown column 'length'"),
        ("id,width\n1,4\n", "line 1: no column for the height; understood: 'id' as name"),
        ("w,width,h\n1,4,5\n", "line 1: more than one column for the width"),
        ("w (mm),h (cm)\n1,4\n", "line 1: expected width and height in one unit"),
        ("a,b\nc,d\n", "line 1: unknown columns 'a', 'b'; understood: nothing"),
        ("name,w,h\nshelf,3,4\ndoor,3,x\n", "line 3, item 2 (door): expected a height > 0"),
        ("name,w,h\nshelf,3,40\n", "line 2, item 1 (shelf): 3 x 40 (width x height) does not"),
        ("w,h,qty\n3,4,1.5\n", "line 2, item 1: expected a count, a whole number, got '1.5'"),
        ("w,h,rotate\n3,4,perhaps\n", "line 2, item 1: expected rotate as yes, no or nothing"),
        ("w,h\n3,4,5\n", "line 2, item 1: expected the 2 columns of the header"),
        ("w,h\n3\n", "line 2, item 1: expected a height > 0"),
        ("w;h\n1,5;4\n2.5;4\n", "line 3, item 2: expected one decimal sign in the file"),
        ("w;h\n1.200,5;4\n", "line 2, item 1: expected a width > 0"),
        ('w,h\n"3,4\n', "line 2, item 1: expected fields of a CSV list"),
        ('w,h\n"1,200",4\n', "line 2, item 1: expected 1200 or 1.200, got '1,200', which may be"),
        ("w,h\n3,4\n#REF!,4\n", "line 3, item 2: expected a width > 0"),
        ("sep=;\nw;h;profit\n3;4;5\n", "line 2: unknown column 'profit'"),
    ],
)
def test_what_a_list_does_not_say_is_not_guessed(write, text, words):
    path = write("bad.csv", text)
    with pytest.raises(ValueError) as error:
        read(path, (30, 30))
    assert words in str(error.value) and path in str(error.value)


def test_what_is_no_text_or_not_there(write, tmp_path):
    with pytest.raises(ValueError, match="expected a text file"):
        read(write("image.csv", b"\xff\xfe\x00\x89PNG"), (6, 5))
    with pytest.raises(ValueError, match="expected a text file in UTF-8"):
        read(write("old.csv", "name,w,h\nTür,3,4\n".encode("cp1252")), (6, 5))
    with pytest.raises(ValueError, match="cannot be read"):
        read(str(tmp_path / "none.csv"), (6, 5))
    with pytest.raises(ValueError, match="no instance"):
        read(write("none.2bp", "\n\n"))
    with pytest.raises(ValueError, match="has no bin of its own"):
        read(write("x.csv", "1,1"))
    with pytest.raises(ValueError, match="leave out :1"):
        read(write("x.csv", "1,1") + ":1", (5, 5))


@pytest.mark.parametrize(
    "text, place",
    [
        ("w;h\n1.200;600\n", "line 2, item 1: expected 1200 or 1.2000, got '1.200'"),
        ("w;h\n700;600\n2.400;1.200\n", "line 3, item 2: expected 2400 or 2.4000"),
        ("w\th\n1,200\t600\n", "line 2, item 1: expected 1200 or 1,2000, got '1,200'"),
        ("w\th\n1.200\t600\n", "line 2, item 1: expected 1200 or 1.2000"),
        ('w,h\n"1,200",600\n', "line 2, item 1: expected 1200 or 1.200"),
    ],
)
def test_a_sign_before_three_digits_may_part_thousands(tmp_path, text, place):
    """A German 1.200 is no 1.2, and an English 1,200 between tabs is none."""
    path = tmp_path / "items.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(place) + ".*, which may be both"):
        read(path, (10_000, 10_000))


@pytest.mark.parametrize(
    "text, width",
    [
        ("w;h\n1.200;0.600\n", 1.2),  # 0.600 parts no thousands
        ("w;h\n1.200;1.25\n", 1.2),
        ("w;h\n1,200;600\n", 1.2),  # where semicolons separate, a comma is a decimal sign
        ("w,h\n1.200,600\n", 1.2),  # and a point where commas do
        ("w\th\n1.200\t.5\n", 1.2),
        ("w;h\n1.2000;600\n", 1.2),
        ("w;h\n1200;600\n", 1200),
    ],
)
def test_what_shows_that_a_sign_is_decimal(tmp_path, text, width):
    path = tmp_path / "items.csv"
    path.write_text(text)
    assert float(read(path, (10_000, 10_000)).items[0][0]) == width


@pytest.mark.parametrize("word", ["Total", "total:", "SUMME", "Somme"])
def test_a_line_of_totals_is_no_item(tmp_path, word):
    path = tmp_path / "items.csv"
    path.write_text(f"name;w;h;qty\na;60;40;2\n{word};60;40;2\n")
    with pytest.raises(
        ValueError, match="line 3, item 3 .*expected an item, got what looks like a"
    ):
        read(path, (100, 100))


def test_a_name_over_two_lines_is_told_so(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text('name,w,h\n"shelf\nlow",60,40\n')
    with pytest.raises(
        ValueError, match="line 2, item 1: expected fields of a CSV list .quotes do not"
    ):
        read(path, (100, 100))
