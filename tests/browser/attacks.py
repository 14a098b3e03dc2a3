"""Fifty texts that would run a script where a page takes text for HTML, Markdown, a link or a program.

Each calls `attacked(n)`, which the tests give to every frame.
"""

from data.types import QAGroup

_IMAGE = "<img src=x onerror=attacked({n})>"
_TEMPLATES = (
    "<script>attacked({n})</script>",
    "<ScRiPt>attacked({n})</sCrIpT>",
    "<script/x>attacked({n})</script>",
    "<scr<script>ipt>attacked({n})</script>",
    "</script><script>attacked({n})</script>",
    _IMAGE,
    "<IMG SRC=x OnErRoR=attacked({n})>",
    "<img/src=x/onerror=attacked({n})>",
    "<img src=x onerror=&#97;ttacked({n})>",
    "<img src=data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAACADs= onload=attacked({n})>",
    "<image src=x onerror=attacked({n})>",
    "<svg onload=attacked({n})>",
    "<svg/onload=attacked({n})//",
    "<svg><script>attacked({n})</script></svg>",
    "<svg><animate onbegin=attacked({n}) attributeName=x dur=1s>",
    "<svg><a href=javascript:attacked({n})><text y=20>x</text></a></svg>",
    "<body onload=attacked({n})>",
    "<iframe srcdoc='<script>parent.attacked({n})</script>'></iframe>",
    "<iframe src=javascript:parent.attacked({n})></iframe>",
    "<iframe onload=attacked({n})></iframe>",
    "<object data=javascript:parent.attacked({n}) onerror=attacked({n})></object>",
    "<embed src=x onload=attacked({n})>",
    "<video src=x onerror=attacked({n})></video>",
    "<video><source onerror=attacked({n})></video>",
    "<audio src=x onerror=attacked({n})></audio>",
    "<details open ontoggle=attacked({n})>x</details>",
    "<input autofocus onfocus=attacked({n})>",
    "<select onfocus=attacked({n})></select>",
    "<textarea onfocus=attacked({n})></textarea>",
    "<button onclick=attacked({n})>x</button>",
    "<form action=javascript:attacked({n})><button>x</button></form>",
    "<form><button formaction=javascript:attacked({n})>x</button></form>",
    "<a href=javascript:attacked({n})>x</a>",
    "<a href=' &#1;javascript:attacked({n})'>x</a>",
    "<b onmouseover=attacked({n})>x</b>",
    "<mark onpointerenter=attacked({n}) onmouseover=attacked({n})>벽지</mark>",
    "<style onload=attacked({n})></style>",
    "<link rel=stylesheet href=data:text/css, onload=attacked({n})>",
    "<p style='animation:x' onclick=attacked({n})>x</p>",
    f'">{_IMAGE}',
    f"'>{_IMAGE}",
    f"</div></p>{_IMAGE}",
    f"</textarea>{_IMAGE}",
    f"</title></style>{_IMAGE}",
    f"<!--><!-->{_IMAGE}-->",
    "&lt;img src=x onerror=attacked({n})&gt;<img src=x onerror=attacked({n})>",
    "[x](javascript:attacked({n}))<a href=javascript:attacked({n})>x</a>",
    '![x](x"onerror=attacked({n}))<img src=x onerror=attacked({n})>',
    "$\\href{{javascript:attacked({n})}}{{x}}$:red[<img src=x onerror=attacked({n})>]",
    "<script>attacked({n})</script>\\u003cscript\\u003eattacked({n})//${{attacked({n})}}",
)
ATTACKS = tuple(template.format(n=number) for number, template in enumerate(_TEMPLATES))
BUNDLE = 10


def bundles() -> list[str]:
    """Returns the attacks as few texts, so that one page load shows many."""
    return [" ".join(ATTACKS[start : start + BUNDLE]) for start in range(0, len(ATTACKS), BUNDLE)]


def attacked_groups() -> tuple[QAGroup, ...]:
    """Returns groups whose every field attacks."""
    return tuple(
        QAGroup(
            id=f"g{number} {text}",
            questions=(f"벽지 {number}번 {text}",),
            answers=(f"{number}번 벽지는 다시 붙입니다 {text}",),
            category=f"분류 {text}",
            source=f"출처 {text}",
        )
        for number, text in enumerate(bundles())
    )
