"""A tree of stacks as a picture: an SVG that needs nothing beside it, in light and in dark."""
import html

WIDTH, ROW, CHAR, EDGE = 960, 18, 7.3, 8
# Frames below this share of all samples are left out.
SHARE_MIN = 0.005

# Whose code a frame is: its colour by day and by night, and what the legend says.
KINDS = {
    "own": ("#f6a96c", "#a04f12", "oneloop"),
    "libc": ("#e8d174", "#75640f", "libc"),
    "call": ("#a9c8ee", "#2b5787", "kernel: our call"),
    "softirq": ("#a8d8b4", "#2a6a3d", "kernel: the receiver's half, in our call"),
}


class Node:
    """A frame, and those that it called."""

    def __init__(self, kind="own"):
        self.samples, self.kind, self.children = 0, kind, {}

    def add(self, stack):
        """A sample: names and kinds, the outermost first."""
        node = self
        node.samples += 1
        for name, kind in stack:
            node = node.children.setdefault(name, Node(kind))
            node.samples += 1

    def by_size(self):
        return sorted(self.children.items(), key=lambda item: -item[1].samples)

    def own_samples(self, spent):
        """Adds to `spent` what each kind of code did itself, by calling nobody."""
        called = sum(child.samples for child in self.children.values())
        spent[self.kind] = spent.get(self.kind, 0) + self.samples - called
        for child in self.children.values():
            child.own_samples(spent)
        return spent


def style():
    by_day = "".join(".%s{fill:%s}" % (kind, day) for kind, (day, _, _) in KINDS.items())
    by_night = "".join(".%s{fill:%s}" % (kind, night) for kind, (_, night, _) in KINDS.items())
    return ("text{font:12px ui-monospace,monospace;fill:#1b1b1b}.title{font-size:15px}"
            "rect{stroke:#fff;stroke-width:.6}.page{fill:#fff}" + by_day +
            "@media(prefers-color-scheme:dark){"
            "text{fill:#eee}rect{stroke:#151719}.page{fill:#151719}" + by_night + "}")


def text(x, y, words, kind=""):
    return '<text x="%.1f" y="%.1f"%s>%s</text>' % (
        x, y, kind and ' class="%s"' % kind, html.escape(words, quote=False))


def rect(x, y, width, height, kind):
    return '<rect x="%.1f" y="%d" width="%.1f" height="%d" class="%s"/>' % (
        x, y, width, height, kind)


def box(x, y, width, kind, name, share):
    """A rectangle, with as much of its name as it has room for; all of it for who points at it."""
    told = "%s %.1f %%" % (name, 100 * share)
    room = int((width - 6) / CHAR)
    label = told if len(told) <= room else name if len(name) <= room else name[:room - 1] + "…"
    return '<g><title>%s</title>%s%s</g>' % (
        html.escape(told), rect(x, y, width, ROW, kind),
        text(x + 3, y + 13, label) if room > 3 else "")


def draw(title, root):
    """The SVG of all that `root` called, callers below what they called."""
    boxes = []

    def place(node, x, depth):
        for name, child in node.by_size():
            share = child.samples / root.samples
            width = share * (WIDTH - 2 * EDGE)
            if share >= SHARE_MIN:
                boxes.append((depth, x, width, child.kind, name, share))
                place(child, x, depth + 1)
            x += width

    place(root, EDGE, 1)
    top = 60
    height = top + ROW * max(depth for depth, *_ in boxes) + EDGE
    size = (WIDTH, height)
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" width="%d" height="%d"' % size +
        ' viewBox="0 0 %d %d">' % size,
        "<title>%s</title><style>%s</style>" % (html.escape(title), style()),
        rect(0, 0, WIDTH, height, "page"),
        text(EDGE, 22, title, "title"),
    ]
    x, spent = EDGE, root.own_samples({})
    for kind, (_, _, words) in KINDS.items():
        words = "%s %.1f %%" % (words, 100 * spent.get(kind, 0) / root.samples)
        lines.append(rect(x, 34, 12, 12, kind))
        lines.append(text(x + 17, 45, words))
        x += 17 + CHAR * (len(words) + 3)
    for depth, x, width, *rest in boxes:
        lines.append(box(x, height - EDGE - ROW * depth, width, *rest))
    return "\n".join(lines + ["</svg>", ""])
