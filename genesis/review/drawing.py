"""A picture as SVG: layers from left to right, drawn here, with no library and no script.

The order in each layer is where boxes' neighbours on the right are, on average; the report's own order
stays. The surprise: text is measured by counting, in a font whose letters are all as wide, CJK ones twice.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from genesis.review.picture import Arrow, Box, Picture

_LETTER, _LINE, _PAD = (
    7.4,
    17,
    8,
)  # of 12 px: how wide a letter is, how high a line, what is round them
_MOST_LETTERS, _MOST_LINES = 46, 8
_ACROSS, _BETWEEN, _MARGIN, _BEND = 90, 14, 24, 10
_LAST = ("column", "records", "tracker")

_STYLE = """
.genesis-lineage { background: #ffffff; font: 12px ui-monospace, Menlo, Consolas, monospace; }
.genesis-lineage text { fill: #1f2328; }
.genesis-lineage .more { fill: #4b535d; }
.genesis-lineage rect { fill: #f6f8fa; stroke: #59636e; }
.genesis-lineage .table rect { fill: #ddf4ff; stroke: #0969da; }
.genesis-lineage .column rect, .genesis-lineage .tracker rect { fill: #dafbe1; stroke: #1a7f37; }
.genesis-lineage .rows rect, .genesis-lineage .records rect { fill: #fff8c5; stroke: #9a6700; }
.genesis-lineage .title { font-weight: bold; }
.genesis-lineage path { fill: none; stroke: #59636e; stroke-width: 1.3; }
.genesis-lineage .chooses { stroke: #9a6700; stroke-dasharray: 5 4; }
@media (prefers-color-scheme: dark) {
.genesis-lineage { background: #0d1117; }
.genesis-lineage text { fill: #f0f6fc; }
.genesis-lineage .more { fill: #c3cad3; }
.genesis-lineage rect { fill: #212830; stroke: #9198a1; }
.genesis-lineage .table rect { fill: #0c2d4d; stroke: #4493f8; }
.genesis-lineage .column rect, .genesis-lineage .tracker rect { fill: #0f3a1d; stroke: #3fb950; }
.genesis-lineage .rows rect, .genesis-lineage .records rect { fill: #3b2e08; stroke: #d29922; }
.genesis-lineage path { stroke: #9198a1; }
.genesis-lineage .chooses { stroke: #d29922; }
}
"""


@dataclass(eq=False)
class _Spot:
    """A place in a layer: of a box, or of a line that passes through to a later layer."""

    layer: int
    width: float
    height: float
    box: int | None = None
    right: list[_Spot] = field(default_factory=list)
    middle: float = 0


def svg(picture: Picture) -> str:
    """The drawing; the same picture gives the same bytes."""
    layers, lines = _layers(picture)
    _order(layers)
    _place(layers)
    lefts, width = _across(layers)
    height = max((s.middle + s.height / 2 for layer in layers for s in layer), default=0)
    across, down = f"{width + _MARGIN:.0f}", f"{height + _MARGIN:.0f}"
    area = f'width="{across}" height="{down}" viewBox="0 0 {across} {down}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="genesis-lineage" role="img" {area}>',
        f"<title>{_xml(picture.title)}</title>",
        f"<desc>{_xml(picture.text)}</desc>",
        f"<style>{_STYLE}</style>",
        *(_line(arrow, spots, lefts) for arrow, spots in lines),
        *(
            _box(picture.boxes[spot.box], spot, lefts[spot.layer])
            for layer in layers
            for spot in layer
            if spot.box is not None
        ),
        "</svg>",
    ]
    return "\n".join(parts)


# --- where things are -------------------------------------------------------------------------------


def _layers(picture: Picture) -> tuple[list[list[_Spot]], list[tuple[Arrow, list[_Spot]]]]:
    """The spots layer by layer, and through which of them each arrow goes."""
    depth = _depths(picture)
    spots = [
        _Spot(depth[number], *_size(box), box=number) for number, box in enumerate(picture.boxes)
    ]
    layers: list[list[_Spot]] = [[] for _ in range(max(depth, default=0) + 1)]
    lines = []
    for spot in spots:
        layers[spot.layer].append(spot)
    for arrow in picture.arrows:
        start, end = spots[arrow.start], spots[arrow.end]
        passed = [_Spot(layer, 0, _BEND) for layer in range(start.layer + 1, end.layer)]
        way = [start, *passed, end]
        for here, there in itertools.pairwise(way):
            here.right.append(there)
        for spot in passed:
            layers[spot.layer].append(spot)
        lines.append((arrow, way))
    return layers, lines


def _depths(picture: Picture) -> list[int]:
    """The layer of each box: behind all that leads to it; what is at the end is in the last one."""
    before: dict[int, list[int]] = {}
    for arrow in picture.arrows:
        before.setdefault(arrow.end, []).append(arrow.start)
    depth: dict[int, int] = {}
    for number in range(len(picture.boxes)):
        _depth(number, picture, before, depth)
    last = max(depth.values(), default=0)
    ends = [box.kind in _LAST for box in picture.boxes]
    return [last if ends[number] else depth[number] for number in range(len(picture.boxes))]


def _depth(
    number: int, picture: Picture, before: Mapping[int, Sequence[int]], depth: dict[int, int]
) -> int:
    if number not in depth:
        nearer = (_depth(one, picture, before, depth) for one in before.get(number, ()))
        is_table = picture.boxes[number].kind == "table"
        depth[number] = 0 if is_table else max(nearer, default=0) + 1
    return depth[number]


def _order(layers: list[list[_Spot]]) -> None:
    """Each layer in the order of what its spots lead to; the last one is as it was asked for."""
    for layer, later in zip(reversed(layers[:-1]), reversed(layers), strict=False):
        position = {id(spot): number for number, spot in enumerate(later)}

        def mean(spot: _Spot, position: Mapping[int, int] = position) -> float:
            found = [position[id(one)] for one in spot.right]
            return sum(found) / len(found) if found else len(position)

        layer.sort(key=mean)


def _place(layers: list[list[_Spot]]) -> None:
    """How far down each spot is: beside what it leads to, as near as those above and below let it."""
    for layer in reversed(layers):
        wanted = []
        for number, spot in enumerate(layer):
            middles = [one.middle for one in spot.right]
            wanted.append(sum(middles) / len(middles) if middles else number * 1e-3)
        _spread(layer, wanted)
    top = min((s.middle - s.height / 2 for layer in layers for s in layer), default=0)
    for layer in layers:
        for spot in layer:
            spot.middle += _MARGIN - top


def _spread(layer: list[_Spot], wanted: list[float]) -> None:
    """The middles that are nearest to what is wanted, in this order and with room between."""
    offsets, offset = [], 0.0
    for above, spot in zip([None, *layer], layer, strict=False):
        offset += (above.height + spot.height) / 2 + _BETWEEN if above is not None else 0
        offsets.append(offset)
    runs: list[tuple[float, int]] = []  # the mean of what a run of touching spots wants, how many
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while runs and runs[-1][0] >= mean:
            other, others = runs.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        runs.append((mean, count))
    bases = [mean for mean, count in runs for _ in range(count)]
    for spot, base, offset in zip(layer, bases, offsets, strict=True):
        spot.middle = base + offset


def _across(layers: list[list[_Spot]]) -> tuple[list[tuple[float, float]], float]:
    """Where each layer begins and ends from the left, and where the last one ends."""
    found, left = [], float(_MARGIN)
    for layer in layers:
        right = left + max(spot.width for spot in layer) if layer else left
        found.append((left, right))
        left = right + _ACROSS
    return found, left - _ACROSS


# --- marks ------------------------------------------------------------------------------------------


def _line(arrow: Arrow, spots: list[_Spot], lefts: list[tuple[float, float]]) -> str:
    """A line through its spots, with a head."""
    start = spots[0]
    x, y = lefts[start.layer][0] + start.width, start.middle
    path = [f"M{x:.0f} {y:.0f}"]
    for spot in spots[1:]:
        left, right = lefts[spot.layer]
        bend = (left - x) / 2
        path.append(
            f"C{x + bend:.0f} {y:.0f} {left - bend:.0f} {spot.middle:.0f} {left:.0f} {spot.middle:.0f}"
        )
        x, y = (left, spot.middle) if spot is spots[-1] else (right, spot.middle)
        if spot is not spots[-1]:
            path.append(f"H{x:.0f}")
    kind = "flows" if arrow.flows else "chooses"
    head = f'<path class="{kind}-head" d="M{x - 6:.0f} {y - 4:.0f}L{x:.0f} {y:.0f}L{x - 6:.0f} {y + 4:.0f}"/>'
    return f'<path class="{kind}" d="{" ".join(path)}"/>{head}'


def _box(box: Box, spot: _Spot, across: tuple[float, float]) -> str:
    x, y = across[0], spot.middle - spot.height / 2
    rows = []
    for number, text in enumerate(_shown(box)):
        kind = "title" if number == 0 else "more"
        base = y + _PAD + _LINE * number + 12
        rows.append(f'<text class="{kind}" x="{x + _PAD:.0f}" y="{base:.0f}">{_xml(text)}</text>')
    whole = "\n".join((box.title, *box.lines))
    rect = f'<rect x="{x:.0f}" y="{y:.0f}" width="{spot.width:.0f}" height="{spot.height:.0f}" rx="5"/>'
    return f'<g class="{box.kind}"><title>{_xml(whole)}</title>{rect}{"".join(rows)}</g>'


def _shown(box: Box) -> Iterator[str]:
    """The lines of a box as far as there is room; what is cut off is in its tooltip."""
    lines = (box.title, *box.lines)
    most = lines if len(lines) <= _MOST_LINES else lines[: _MOST_LINES - 1]
    for line in most:
        yield _cut(line)
    if len(most) < len(lines):
        yield f"… {len(lines) - len(most)} more"


def _size(box: Box) -> tuple[float, float]:
    lines = list(_shown(box))
    width = max(map(letters, lines)) * _LETTER + 2 * _PAD
    return width, len(lines) * _LINE + 2 * _PAD - 3


def _cut(text: str) -> str:
    if letters(text) <= _MOST_LETTERS:
        return text
    ends = itertools.accumulate(map(_wide, text))
    return text[: sum(end < _MOST_LETTERS for end in ends)] + "…"


def letters(text: str) -> int:
    """How many Latin letters a text is as wide as."""
    return sum(map(_wide, text))


def _wide(one: str) -> int:
    if unicodedata.category(one) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(one) in ("W", "F") else 1


def _xml(text: str) -> str:
    """The text as XML may have it, which is not every character."""
    return escape("".join(one if one == "\n" or _is_xml(one) else "�" for one in text))


def _is_xml(one: str) -> bool:
    return unicodedata.category(one) not in ("Cc", "Cs", "Cn", "Zl", "Zp")
