"""The pictures of a page: PNG files, an ascent with a slider, confusion matrices as tables."""

import base64
import json
from html import escape

import numpy as np

from refimpl.report.folder import picture
from refimpl.report.page import wide

LARGE = 750  # pixels: a wider picture keeps a width that can be read and scrolls on a phone


def embedded(out, name):
    """(data URL, width, height) of a PNG file of the folder `out`; the size stands in bytes 16 to
    24 of every PNG file. Raises ValueError as `folder.picture`.
    """
    data = picture(out, name)
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    return f"data:image/png;base64,{base64.b64encode(data).decode()}", width, height


def caption(entry):
    paper = (
        f"<small>What the paper shows: {escape(entry['paper'])}"
        + (f" Verdict: {escape(entry['verdict'])}." if entry.get("verdict") else "")
        + "</small>"
        if entry["paper"]
        else ""
    )
    return f"<figcaption><b>{escape(entry['title'])}</b>{paper}</figcaption>"


def figure(out, entry):
    """One entry {file, title, paper, alt} of a command's figures; one with "frames" as an
    animation.
    """
    try:
        url, width, height = embedded(out, entry["file"])
    except ValueError as error:
        return f'<figure><p class="bad">{escape(str(error))}</p>{caption(entry)}</figure>'
    if "frames" in entry:
        return frames(url, entry)
    image = f'<img src="{url}" width="{width}" height="{height}" alt="{escape(entry["alt"])}"'
    if width > LARGE:
        return f"<figure>{wide(image + ' class=large>', entry['title'])}{caption(entry)}</figure>"
    return f"<figure>{image}>{caption(entry)}</figure>"


def frames(url, entry):
    """An ascent: the picture has a row a frame and a column an image; without script the last frame
    is shown. url: of the picture, with its data in it.

    entry["frames"]: {"steps": [a frame's step], "names": [an image's], "values": [[a frame's]],
    "what": of the values}.
    """
    shown, id = entry["frames"], escape(f"slider-{entry['file'].removesuffix('.png')}")
    last, n = len(shown["steps"]) - 1, len(shown["names"])
    cells = "".join(
        f'<div><i role="img" aria-label="{escape(name)}: {escape(entry["alt"])}" '
        f'style="--column:{c}"></i>'
        f"<span>{escape(name)}<br><b>{value:.2f}</b></span></div>"
        for c, (name, value) in enumerate(zip(shown["names"], shown["values"][last]))
    )
    below = f". Below each image: its class and the network's {shown['what']} of it."
    data = json.dumps({key: shown[key] for key in ("steps", "values", "what")})
    return (
        f'<figure data-frames="{escape(data)}" '
        f'style="--columns:{n};--rows:{last + 1};--frame:{last};'
        f'--sprite:url({url})"><div class="frames">{cells}</div>'
        f'<div class="controls" hidden><button type="button">Play</button><label '
        f'for="{id}">Step</label>'
        f'<input type="range" id="{id}" min="0" max="{last}" value="{last}"><output '
        f'for="{id}"></output></div>'
        f"{caption(entry | {'title': entry['title'] + below})}</figure>"
    )


def confusion_table(name, matrix, classes):
    """Counts, rows actual and columns predicted; errors coloured by their share of the largest, the
    diagonal framed.
    """
    matrix = np.asarray(matrix, float)
    errors = matrix - np.diag(np.diag(matrix))
    largest, long = max(errors.max(), 1), ' class="long"' if max(map(len, classes)) > 2 else ""
    head = "".join(f'<th scope="col"{long}>{escape(c)}</th>' for c in classes)
    rows = []
    for i, (own, row) in enumerate(zip(classes, matrix)):
        cells = []
        for j, value in enumerate(row):
            kind = "right" if i == j else "zero" if value < 0.5 else ""
            share = (
                f' style="--share:{0.9 * value / largest:.2f}"' if i != j and value >= 0.5 else ""
            )
            cells.append(f"<td{f' class={kind}' if kind else ''}{share}>{value:.0f}</td>")
        rows.append(f'<tr><th scope="row">{escape(own)}</th>{"".join(cells)}</tr>')
    return wide(
        f'<table class="confusion"><caption>{escape(name)}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>",
        f"{name}: rows actual, columns predicted",
    )


def most_confused(matrix, classes, count=3):
    """The commonest errors in words.

    >>> most_confused([[9, 1, 0], [0, 8, 2], [0, 0, 7]], ["a", "b", "c"], 2)
    'b taken for c (2), a taken for b (1)'
    """
    errors = np.asarray(matrix, float) - np.diag(np.diag(matrix))
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    found = [
        (errors.flat[at], classes[at // len(classes)], classes[at % len(classes)])
        for at in order.tolist()
    ]
    return (
        ", ".join(
            f"{own} taken for {other} ({value:.0f})" for value, own, other in found if value >= 0.5
        )
        or "none"
    )
