"""Commands that print put what they found on the front page, too: a page or a file, and its card."""

import json

import browser
import pytest

from refimpl.app import claims_command, gradcheck_command, mutants_command
from refimpl.gradcheck import mutants
from refimpl.lessons import command as lesson_command
from refimpl.paper import protocol, protocol_command
from refimpl.report.results import write_results

ROW = {"paper": None, "verdict": "reproduced", "expects": "", "protocol": "", "cell_of": ""}
MODULE = """import numpy as np
def right():
    return (lambda x: x * x), (lambda dout, x: 2 * x * dout), (np.ones(3),)
def wrong():
    return (lambda x: x * x), (lambda dout, x: 3 * x * dout), (np.ones(3),)
def bent():
    return np.abs, (lambda dout, x: 0 * dout), (np.zeros(3),)
"""


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """The cards of refimpl-out, by what they open, in a folder without any."""
    monkeypatch.chdir(tmp_path)

    def read():
        path = tmp_path / "refimpl-out" / "front.json"
        found = json.loads(path.read_text()).values() if path.exists() else ()
        assert all((path.parent / card["opens"]).is_file() for card in found)
        return {card["opens"]: card for card in found}

    return read


def test_a_notebook_and_the_course_have_cards(cards):
    pytest.importorskip("nbformat", reason="the extra teach is not installed")
    pytest.importorskip("markdown_it", reason="the extra teach is not installed")
    assert lesson_command.run(["1", "--notebook"]) == lesson_command.run(["1", "--html"]) == 0
    found = cards()
    assert set(found) == {"lessons/lesson_01.ipynb", "lessons/index.html"}
    card = found["lessons/lesson_01.ipynb"]
    assert card["title"] == "Notebook of lesson 1. Softmax and its gradient"
    assert card["picture"] == "lessons/01_loss.png" and "jupyter lab" in card["sentence"]


def test_a_lesson_that_was_run_asks_its_question(cards):
    assert lesson_command.run(["4"]) == 0
    (card,) = cards().values()
    question = "You wrote a gradient by hand. How do you find out whether it is right?"
    assert card["sentence"] == question and card["opens"] == "lessons/04_steps.png"


def test_the_ledger_has_a_page(cards, tmp_path, digits, capsys):
    values = {"table5/digits/train_set": [91.0] * 5, "table5/digits/class_averages": [82.0] * 5}
    how = {"command": "reproduce", "argv": [], "title": "The paper", "lines": ["x"], "figures": []}
    claims = claims_command.chosen("digits")
    out = tmp_path / "refimpl-out"
    (out / "digits").mkdir(parents=True)
    write_results(out / "digits", "some", data=digits, values=values, claims=claims, **how)
    assert (
        claims_command.run([]) == 0 and "Page: refimpl-out/claims.html" in capsys.readouterr().out
    )
    card, page = cards()["claims.html"], (out / "claims.html").read_text()
    assert card["words"] == "1 reproduced" and "digits (drawn)" in card["sentence"]
    assert "table5/digits/class_averages" in page and "VGG-16" in page and "overall:" in page
    (out / "claims.html").unlink()
    (out / "claims.html").mkdir()  # nothing can be written there
    assert claims_command.run([]) == 0 and "Page:" not in capsys.readouterr().out
    assert claims_command.run(["--dataset", "digits"]) == 0  # a part is printed alone
    assert "Page:" not in capsys.readouterr().out


def test_a_protocol_is_kept(cards, monkeypatch, capsys, tmp_path):
    fixed = protocol.PROTOCOLS["digits"]

    def choose(data, report):
        report("constant lr 0.5: 91")
        return fixed

    monkeypatch.setattr(protocol, "choose", choose)
    assert protocol_command.run([]) == 0
    printed = capsys.readouterr().out
    card = cards()["digits/protocol-5.html"]
    assert card["words"] == f"iterations: {fixed.iterations}" == printed.splitlines()[-1]
    page = (tmp_path / "refimpl-out" / "digits" / "protocol-5.html").read_text()
    assert "constant lr 0.5: 91" in page and "The protocol of section 5, digits (drawn)" in page


def test_a_check_leaves_a_page_where_it_is_asked_for_one(cards, tmp_path, capsys):
    (tmp_path / "mine_for_a_card.py").write_text(MODULE)
    spec = "mine_for_a_card:wrong"
    assert gradcheck_command.run([spec]) == 1 and cards() == {}
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["mine_for_a_card.py"]
    assert gradcheck_command.run([spec, "--json", "--out", "refimpl-out"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out.splitlines()[-1])["verdict"] == "fail"
    name = "gradcheck-mine-for-a-card-wrong.html"
    assert f"Page: refimpl-out/{name}" in printed.err and cards()[name]["words"] == "fail"
    page = (tmp_path / "refimpl-out" / name).read_text()
    assert '<td class="bad">fail</td>' in page and "likely a constant factor" in page
    assert gradcheck_command.run(["mine_for_a_card:right", "--out", "refimpl-out"]) == 0
    assert cards()["gradcheck-mine-for-a-card-right.html"]["words"] == "pass"
    assert gradcheck_command.run(["mine_for_a_card:bent", "--out", "refimpl-out"]) == 2
    said = {name: card["sentence"].rpartition(": ")[2] for name, card in cards().items()}
    assert sorted(said.values()) == ["1 wrong.", "no verdict.", "nothing is wrong."]


def test_these_pages_have_no_faults(cards, tmp_path, digits, chrome):
    (tmp_path / "mine_for_a_page.py").write_text(MODULE)
    out = tmp_path / "refimpl-out"
    gradcheck_command.run(["mine_for_a_page:wrong", "--out", str(out)])
    values = {"table5/digits/train_set": [91.0] * 5, "table5/digits/class_averages": [82.0] * 5}
    how = {"command": "reproduce", "argv": [], "title": "The paper", "lines": ["x"], "figures": []}
    claims = claims_command.chosen("digits")
    write_results(out, "some", data=digits, values=values, claims=claims, **how)
    claims_command.run([])
    for name in ("gradcheck-mine-for-a-page-wrong.html", "claims.html", "index.html"):
        assert browser.faults_everywhere(out / name, chrome) == []


def test_the_score_of_the_checker_is_kept(cards, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(mutants, "PLANTED", mutants.PLANTED[:2])
    monkeypatch.setattr(mutants, "correct_cases", lambda count, rng, **how: iter(()))
    assert mutants_command.run(["--quick"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == cards()["mutants/mutants.html"]["words"]
    page = (tmp_path / "refimpl-out" / "mutants" / "mutants.html").read_text()
    assert "killed 2 / 2 planted" in page


def test_rows_of_one_way_need_no_numbers():
    from refimpl.report.report import claim_table

    by = {"command": "look", "seconds": 3.0, "of": "the run", "machine": "here"}
    numbers = {"mean": 1.0, "sd": None, "n": 1}
    rows = [{**ROW, "id": id, "what": id, "ours": numbers, "distance_sd": None} for id in "ab"]
    one = "".join(claim_table("T", [row | {"by": by} for row in rows]))
    assert one.count("look; the run took 3 s on here") == 1 and "[1]" not in one
    two = "".join(claim_table("T", [rows[0] | {"by": by}, rows[1] | {"by": by | {"seconds": 4}}]))
    assert "<code>b</code> [2]" in two and "[2] look; the run took 4 s on here." in two
    assert "Measured by" not in "".join(claim_table("T", rows))
