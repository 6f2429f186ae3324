"""A lesson as a Jupyter notebook, from the same text: prose in Markdown cells, a code cell up to
each result, the result below it. Needs nbformat (the extra "teach").
"""

import ast
import base64
from collections.abc import Mapping
from typing import Any

from refimpl.lessons.text import blocks, cells

FIRST = "from pathlib import Path\nfigures = Path()  # where the figures of this lesson go"


def is_expression(source: str) -> bool:
    """Whether the last statement has a value that a notebook shows below the cell.

    >>> is_expression("x = 1\\nx"), is_expression("print(1)"), is_expression("x = 1")
    (True, False, False)
    """
    last = ast.parse(source).body[-1]
    if not isinstance(last, ast.Expr):
        return False
    call = last.value.func if isinstance(last.value, ast.Call) else None
    return not (isinstance(call, ast.Name) and call.id == "print")


def nbformat_v4() -> Any:
    """nbformat's module of version 4. Raises ImportError that says how to install it."""
    try:
        from nbformat import v4
    except ImportError:
        raise ImportError(
            "a notebook needs nbformat: python -m pip install 'refimpl[teach]'"
        ) from None
    return v4


def prose(part: str, pictures: Mapping[str, bytes]) -> Any:
    """A Markdown cell; the pictures that it shows are attached to it, so that they are seen before
    any code has run.
    """
    shown = {name: data for name, data in pictures.items() if f"]({name} " in part}
    for name in shown:
        part = part.replace(f"]({name} ", f"](attachment:{name} ")
    cell = nbformat_v4().new_markdown_cell(part)
    if shown:
        cell["attachments"] = {
            name: {"image/png": base64.b64encode(data).decode()} for name, data in shown.items()
        }
    return cell


def notebook(text: str, pictures: Mapping[str, bytes]) -> Any:
    """The notebook of a lesson (nbformat 4); pictures: PNG files by name, as the lesson names
    them. Raises ImportError without nbformat.
    """
    v4 = nbformat_v4()
    found = [v4.new_markdown_cell(text.partition("\n")[0]), v4.new_code_cell(FIRST)]
    for kind, part in blocks(text.partition("\n")[2]):
        if kind == "prose":
            found.append(prose(part, pictures))
            continue
        for cell in cells(part):
            shown = []
            if cell.want and is_expression(cell.source):
                shown = [v4.new_output("execute_result", {"text/plain": cell.want})]
            elif cell.want:
                shown = [v4.new_output("stream", text=cell.want + "\n")]
            found.append(v4.new_code_cell(cell.source, outputs=shown))
    for i, cell in enumerate(found):
        cell["id"] = f"cell-{i}"  # the same text gives the same file
    return v4.new_notebook(
        cells=found,
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
