"""Panels of horizontal bars as SVG text, without a drawing library.

The background is transparent and the greys sit between black and white, so a chart reads on light and dark
pages; viewers that say which scheme they use get the better contrast.
"""

from dataclasses import dataclass
from html import escape

WIDTH = 880
COLUMNS = 2
BAR, GAP = 17, 5
LABEL, VALUE = 92, 76  # room left and right of the bars
MARGIN, PANEL_GAP = 20, 36
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

STYLE = f"""
  text {{ font-family: {FONT}; font-size: 12px; fill: #6b7480; }}
  .title {{ font-size: 17px; font-weight: 600; }}
  .panel {{ font-size: 13px; font-weight: 600; }}
  .note {{ font-size: 11px; }}
  .ours {{ font-weight: 700; }}
  .axis {{ stroke: #8b949e; stroke-opacity: 0.55; stroke-width: 1; }}
  @media (prefers-color-scheme: dark) {{ text {{ fill: #b1bac4; }} }}
  @media (prefers-color-scheme: light) {{ text {{ fill: #4d5661; }} }}
"""


@dataclass(frozen=True)
class Bar:
    """One contender's value: label, length, the text behind the bar, colour, spread; ours is set in bold."""

    label: str
    value: float
    text: str
    colour: str
    ours: bool
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """One workload: bars on a scale of their own."""

    title: str
    bars: list[Bar]

    @property
    def height(self) -> int:
        """Return the panel's height in pixels."""
        return 26 + len(self.bars) * (BAR + GAP)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def _bar(bar: Bar, left: float, top: float, scale: float) -> list[str]:
    kind = "ours" if bar.ours else ""
    middle, length = top + BAR / 2, max(1.0, bar.value * scale)
    low, high = left + bar.low * scale, left + bar.high * scale
    return [
        _text(left - 7, middle + 4, bar.label, kind, "end"),
        f'<rect x="{left}" y="{top:.1f}" width="{length:.1f}" height="{BAR}" rx="2" fill="{bar.colour}"/>',
        f'<line class="axis" x1="{low:.1f}" y1="{middle:.1f}" x2="{high:.1f}" y2="{middle:.1f}"/>',
        _text(max(left + length, high) + 6, middle + 4, bar.text, kind),
    ]


def _panel(panel: Panel, x: float, y: float, width: float) -> list[str]:
    left = x + LABEL
    longest = max((max(bar.value, bar.high) for bar in panel.bars), default=1.0) or 1.0
    scale = (width - LABEL - VALUE) / longest
    lines = [_text(x, y + 13, panel.title, "panel")]
    for index, bar in enumerate(panel.bars):
        lines += _bar(bar, left, y + 24 + index * (BAR + GAP), scale)
    bottom = y + 22 + len(panel.bars) * (BAR + GAP)
    return [*lines, f'<line class="axis" x1="{left}" y1="{y + 20:.1f}" x2="{left}" y2="{bottom:.1f}"/>']


def draw(title: str, notes: list[str], panels: list[Panel]) -> str:
    """Return one SVG: a title, notes, and the panels in rows of two."""
    width = (WIDTH - 2 * MARGIN - PANEL_GAP * (COLUMNS - 1)) / COLUMNS
    y = float(MARGIN + 18)
    body = [_text(MARGIN, y, title, "title")]
    for note in notes:
        y += 17
        body.append(_text(MARGIN, y, note, "note"))
    y += 22
    for start in range(0, len(panels), COLUMNS):
        row = panels[start : start + COLUMNS]
        for column, panel in enumerate(row):
            body += _panel(panel, MARGIN + column * (width + PANEL_GAP), y, width)
        y += max(panel.height for panel in row) + 22
    size = f'width="{WIDTH}" height="{y:.0f}" viewBox="0 0 {WIDTH} {y:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *body, "</svg>"]) + "\n"
