"""A line chart as SVG: what a growth curve needs, and no more."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 70, 20, 44, 50
COLOURS = ["#1f5fa8", "#c0392b", "#2e8b57", "#8e5ea2", "#b8860b"]


def _step(top):
    """A round distance of grid lines, so that there are four to eight of them."""
    rough = top / 6
    power = 10 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def _number(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def chart(title, x_name, y_name, series):
    """`series` is {name: [(x, y), …]}; x is drawn on a logarithmic axis when it spans more than a factor of 30, y begins at 0."""
    points = [point for line in series.values() for point in line]
    xs = sorted({x for x, _ in points})
    logarithmic = xs[0] > 0 and xs[-1] / xs[0] > 30
    place = math.log if logarithmic else float
    low, high = place(xs[0]), place(xs[-1])
    top = max(y for _, y in points) * 1.08 or 1
    x_at = lambda x: LEFT + (WIDTH - LEFT - RIGHT) * ((place(x) - low) / (high - low) if high > low else 0.5)
    y_at = lambda y: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / top
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="15">{escape(title)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_name)}</text>',
        f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">{escape(y_name)}</text>',
    ]
    step, line = _step(top), 0.0
    while line <= top:
        out.append(f'<path d="M{LEFT} {y_at(line):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y_at(line) + 4:.1f}" text-anchor="end">{_number(line)}</text>')
        line += step
    last = -100.0
    for x in xs:
        if x_at(x) - last >= 40 or x == xs[-1] and x_at(x) - last >= 25:
            last = x_at(x)
            out.append(f'<text x="{last:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_number(x)}</text>')
    marks = len(points) <= 80
    for index, (name, line) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in sorted(line))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if marks:
            out.extend(f'<circle cx="{x_at(x):.1f}" cy="{y_at(y):.1f}" r="3" fill="{colour}"/>' for x, y in line)
        out.append(f'<text x="{LEFT + index * 190}" y="38" fill="{colour}">{escape(name)}</text>')
    return "\n".join(out) + "\n</svg>\n"
