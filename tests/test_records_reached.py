"""What a code digest sees, rule by rule, on packages of a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cenbench.records.fingerprint import PackageCode

Code = str | Mapping[str, str]
"""Files below the package; text alone is that of its module `math`."""

USE = "from cenbench.math import f\ndef entry(x):\n    return f(x)\n"
TWO = "def f(x):\n    return g(x) + h(x)\ndef g(x):\n    return x * 2\ndef h(x):\n    return x * 3\n"
LOG = "import logging\nlog = logging.getLogger('cenbench')\n"
GIVEN = "from cenbench.math import Given\ndef entry(given: Given):\n    return given.width\n"
MODEL = "from pydantic import BaseModel\nclass Given(BaseModel):\n    width: int = 1\n    height: int = 2\n"
LOADS = "from importlib import import_module\ndef entry(name):\n    return import_module(f'cenbench.plug.{name}').f\n"
PLUGS = {"plug/a.py": "def f():\n    return 1\n", "plug/b.py": "def f():\n    return 2\n"}

SAME: Mapping[str, tuple[Code, Code]] = {
    "unrelated function": (TWO, TWO + "def other():\n    return 4\n"),
    "order of functions": (
        TWO,
        ("def h(x):\n    return x * 3\ndef g(x):\n    return x * 2\ndef f(x):\n    return g(x) + h(x)\n"),
    ),
    "names of functions": (
        TWO,
        (
            "def f(x):\n    return twice(x) + thrice(x)\ndef twice(x):\n"
            "    return x * 2\ndef thrice(x):\n    return x * 3\n"
        ),
    ),
    "name of a constant": ("N = 3\ndef f(x):\n    return x * N\n", "THREE = 3\ndef f(x):\n    return x * THREE\n"),
    "function elsewhere": (
        TWO,
        {
            "math.py": ("from cenbench.low import h\ndef f(x):\n    return g(x) + h(x)\ndef g(x):\n    return x * 2\n"),
            "low.py": "def h(x):\n    return x * 3\n",
        },
    ),
    "attribute of a module": (
        {
            "math.py": "from cenbench import low\ndef f(x):\n    return low.h(x)\n",
            "low.py": "def h(x):\n    return x\n",
        },
        {"math.py": "from cenbench.low import h\ndef f(x):\n    return h(x)\n", "low.py": "def h(x):\n    return x\n"},
    ),
    "relative import": (
        {"math.py": "from cenbench.low import h as f\n", "low.py": "def h(x):\n    return x\n"},
        {"math.py": "from .low import h as f\n", "low.py": "def h(x):\n    return x\n"},
    ),
    "import within a function": (
        "import math\ndef f(x):\n    return math.sin(x)\n",
        "import math as m\ndef f(x):\n    return m.sin(x)\n",
    ),
    "message": (
        "def f(x):\n    if x:\n        raise ValueError('a')\n    assert x, 'a'\n    return x\n",
        "def f(x):\n    if x:\n        raise ValueError(f'b {x}')\n    assert x\n    return x\n",
    ),
    "log line": (
        LOG + "def f(x):\n    log.info('a')\n    return x\n",
        LOG + "def f(x):\n    log.warning('b %s', x)\n    return x\n",
    ),
    "text of a log line that calls something": (
        LOG + "def f(x):\n    log.info('a %s', next(x))\n    return x\n",
        LOG + "def f(x):\n    log.info('b %s', next(x))\n    return x\n",
    ),
    "recursion": (
        "def f(x):\n    return f(x - 1) if x else 0\n",
        "def f(x):\n    '''Other.'''\n    return f(x - 1) if x else 0\n",
    ),
    "member that is not asked for": (
        {"use.py": GIVEN, "math.py": MODEL},
        {"use.py": GIVEN, "math.py": MODEL + "    depth: int = 0\n"},
    ),
    "marked module": (
        "# changes no number: text\ndef f(x):\n    return 'a'\n",
        "# changes no number: text\ndef f(x):\n    return 'b'\n",
    ),
    "plug-in that is not chosen": (
        {"use.py": LOADS, "plug/a.py": "def f():\n    return 1\n", "plug/b.py": "def f():\n    return 2\n"},
        {
            "use.py": LOADS,
            "plug/a.py": "def f():\n    return 1\n",
            "plug/b.py": "def f():\n    return 2\n",
            "plug/c.py": "def f():\n    return 3\n",
        },
    ),
    "title of the chosen plug-in": (
        {"use.py": LOADS, "plug/a.py": "TITLE = 'A'\ndef f():\n    return 1\n"},
        {"use.py": LOADS, "plug/a.py": "TITLE = 'B'\ndef f():\n    return 1\n"},
    ),
    "order of methods": (
        "class f:\n    def a(self):\n        return 1\n    def b(self):\n        return 2\n",
        "class f:\n    def b(self):\n        return 2\n    def a(self):\n        return 1\n",
    ),
    "typing": ("def f(x: int) -> int:\n    y: int = x\n    return y\n", "def f(x):\n    y = x\n    return y\n"),
}

OTHER: Mapping[str, tuple[Code, Code]] = {
    "one function for another": (
        TWO,
        ("def f(x):\n    return h(x) + g(x)\ndef g(x):\n    return x * 2\ndef h(x):\n    return x * 3\n"),
    ),
    "bodies exchanged": (
        TWO,
        ("def f(x):\n    return g(x) + h(x)\ndef g(x):\n    return x * 3\ndef h(x):\n    return x * 2\n"),
    ),
    "another external function": (
        "from math import sin as s\ndef f(x):\n    return s(x)\n",
        "from math import cos as s\ndef f(x):\n    return s(x)\n",
    ),
    "another external module": (
        "import math as m\ndef f(x):\n    return m.sin(x)\n",
        "import cmath as m\ndef f(x):\n    return m.sin(x)\n",
    ),
    "a constant through another": (
        "A = 1\nB = A\ndef f(x):\n    return B\n",
        "A = 2\nB = A\ndef f(x):\n    return B\n",
    ),
    "one of two names bound together": (
        "A, B = 1, 2\ndef f(x):\n    return A\n",
        "A, B = 1, 2\ndef f(x):\n    return B\n",
    ),
    "the second of two bindings": (
        "A = 1\nA = 2\ndef f(x):\n    return A\n",
        "A = 1\nA = 3\ndef f(x):\n    return A\n",
    ),
    "a global name where a local one was": ("x = 1\ndef f(x):\n    return x\n", "x = 1\ndef f(y):\n    return x\n"),
    "a local variable for another": ("def f(x, y=1):\n    return x\n", "def f(x, y=1):\n    return y\n"),
    "a comprehension over a name it binds": (
        "x = [1]\ndef f(y):\n    return [x for x in x]\n",
        "x = [2]\ndef f(y):\n    return [x for x in x]\n",
    ),
    "a class attribute that is read before it is bound": (
        "n = 1\nclass f:\n    n = n\n",
        "n = 2\nclass f:\n    n = n\n",
    ),
    "a nested function's closure": (
        "N = 1\ndef f(x):\n    def g():\n        return N\n    return g()\n",
        "N = 2\ndef f(x):\n    def g():\n        return N\n    return g()\n",
    ),
    "an import within a function": (
        {
            "math.py": "def f(x):\n    from cenbench.low import h\n    return h(x)\n",
            "low.py": "def h(x):\n    return x\n",
        },
        {
            "math.py": "def f(x):\n    from cenbench.low import h\n    return h(x)\n",
            "low.py": "def h(x):\n    return -x\n",
        },
    ),
    "everything imported": (
        {"math.py": "from cenbench.low import *\ndef f(x):\n    return h(x)\n", "low.py": "def h(x):\n    return x\n"},
        {"math.py": "from cenbench.low import *\ndef f(x):\n    return h(x)\n", "low.py": "def h(x):\n    return -x\n"},
    ),
    "getattr on a module": (
        {
            "math.py": "from cenbench import low\ndef f(x):\n    return getattr(low, x)\n",
            "low.py": "def h(x):\n    return x\n",
        },
        {
            "math.py": "from cenbench import low\ndef f(x):\n    return getattr(low, x)\n",
            "low.py": "def h(x):\n    return -x\n",
        },
    ),
    "re-exported": (
        {"math.py": "from cenbench.low import h as f\n", "low.py": "def h(x):\n    return x\n"},
        {"math.py": "from cenbench.low import h as f\n", "low.py": "def h(x):\n    return -x\n"},
    ),
    "a name that text gives to import_module": (
        {
            "math.py": (
                "import importlib\nM = {1: 'cenbench.low'}\ndef f(x):\n    return importlib.import_module(M[x]).h(x)\n"
            ),
            "low.py": "def h(x):\n    return x\n",
        },
        {
            "math.py": (
                "import importlib\nM = {1: 'cenbench.low'}\ndef f(x):\n    return importlib.import_module(M[x]).h(x)\n"
            ),
            "low.py": "def h(x):\n    return -x\n",
        },
    ),
    "any module": (
        {"math.py": "import importlib\ndef f(x):\n    return importlib.import_module(x)\n", "low.py": "h = 1\n"},
        {"math.py": "import importlib\ndef f(x):\n    return importlib.import_module(x)\n", "low.py": "h = 2\n"},
    ),
    "text that is run": (
        {"math.py": "def f(x):\n    return eval(x)\n", "low.py": "h = 1\n"},
        {"math.py": "def f(x):\n    return eval(x)\n", "low.py": "h = 2\n"},
    ),
    "chosen plug-in": (
        {"use.py": LOADS, "plug/a.py": "def f():\n    return 1\n", "plug/b.py": "def f():\n    return 2\n"},
        {"use.py": LOADS, "plug/a.py": "def f():\n    return 3\n", "plug/b.py": "def f():\n    return 2\n"},
    ),
    "chosen plug-in that imports what is asked for": (
        {"use.py": LOADS, "plug/a.py": "from math import sin as f\n"},
        {"use.py": LOADS, "plug/a.py": "from math import cos as f\n"},
    ),
    "a statement that an import runs": (
        {"math.py": "from cenbench import low\ndef f(x):\n    return x\n", "low.py": "import random\n"},
        {"math.py": "from cenbench import low\ndef f(x):\n    return x\n", "low.py": "import random\nrandom.seed(1)\n"},
    ),
    "a call whose result is only bound": (
        "import random\ndef f(x):\n    return x\n",
        "import random\n_ = random.seed(1)\ndef f(x):\n    return x\n",
    ),
    "an attribute that an import sets": (
        "import decimal\ndef f(x):\n    return x\n",
        "import decimal\ndecimal.DefaultContext.prec = 3\ndef f(x):\n    return x\n",
    ),
    "what an import registers by a decorator": (
        ("T = {}\ndef add(g):\n    T[1] = g\n@add\ndef g(x):\n    return 1\ndef f(x):\n    return T[1](x)\n"),
        ("T = {}\ndef add(g):\n    T[1] = g\n@add\ndef g(x):\n    return 2\ndef f(x):\n    return T[1](x)\n"),
    ),
    "what an import registers by deriving": (
        (
            "T = []\nclass B:\n    def __init_subclass__(cls):\n        T.append(cls)\n"
            "class C(B):\n    n = 1\ndef f(x):\n    return T[0].n\n"
        ),
        (
            "T = []\nclass B:\n    def __init_subclass__(cls):\n        T.append(cls)\n"
            "class C(B):\n    n = 2\ndef f(x):\n    return T[0].n\n"
        ),
    ),
    "what an import registers by a metaclass": (
        "T = []\nclass M(type):\n    def __init__(cls, *_):\n        T.append(cls)\nclass C(metaclass=M):\n    n = 1\n"
        "def f(x):\n    return T[0].n\n",
        "T = []\nclass M(type):\n    def __init__(cls, *_):\n        T.append(cls)\nclass C(metaclass=M):\n    n = 2\n"
        "def f(x):\n    return T[0].n\n",
    ),
    "a package that is imported": ("def f(x):\n    return x\n", "import torch_patches\ndef f(x):\n    return x\n"),
    "member that is asked for": (
        {"use.py": GIVEN, "math.py": MODEL},
        {
            "use.py": GIVEN,
            "math.py": (
                "from pydantic import BaseModel\nclass Given(BaseModel):\n    width: int = 3\n    height: int = 2\n"
            ),
        },
    ),
    "defaults of two classes exchanged": (
        {
            "use.py": "from cenbench.math import A, B\ndef entry(a: A, b: B):\n    return a.n, b.n\n",
            "math.py": "class A:\n    n = 1\nclass B:\n    n = 2\n",
        },
        {
            "use.py": "from cenbench.math import A, B\ndef entry(a: A, b: B):\n    return a.n, b.n\n",
            "math.py": "class A:\n    n = 2\nclass B:\n    n = 1\n",
        },
    ),
    "member behind a member": (
        {
            "use.py": GIVEN,
            "math.py": ("class Given:\n    @property\n    def width(self):\n        return self._w\n    _w = 1\n"),
        },
        {
            "use.py": GIVEN,
            "math.py": ("class Given:\n    @property\n    def width(self):\n        return self._w\n    _w = 2\n"),
        },
    ),
    "member of a base": (
        {"use.py": GIVEN, "math.py": "class Base:\n    width = 1\nclass Given(Base):\n    pass\n"},
        {"use.py": GIVEN, "math.py": "class Base:\n    width = 2\nclass Given(Base):\n    pass\n"},
    ),
    "member that getattr asks for": (
        {
            "use.py": (
                "from cenbench.math import Given\ndef entry(given: Given, n):\n    return getattr(given, n + 'h')\n"
            ),
            "math.py": MODEL,
        },
        {
            "use.py": (
                "from cenbench.math import Given\ndef entry(given: Given, n):\n    return getattr(given, n + 'h')\n"
            ),
            "math.py": (
                "from pydantic import BaseModel\nclass Given(BaseModel):\n    width: int = 3\n    height: int = 2\n"
            ),
        },
    ),
    "type of a model's field": (
        {
            "use.py": "from cenbench.math import Given\ndef entry(x):\n    return Given(width=x).width\n",
            "math.py": MODEL,
        },
        {
            "use.py": "from cenbench.math import Given\ndef entry(x):\n    return Given(width=x).width\n",
            "math.py": (
                "from pydantic import BaseModel\nclass Given(BaseModel):\n    width: float = 1\n    height: int = 2\n"
            ),
        },
    ),
    "class that is asked about": (
        {
            "use.py": "from cenbench.math import A, B\ndef entry(x):\n    return isinstance(x, A)\n",
            "math.py": (
                "from pydantic import BaseModel\nclass A(BaseModel):\n    width: int = 1\n"
                "    height: int = 2\nfrom pydantic import BaseModel\nclass B(BaseModel):\n"
                "    width: int = 1\n    height: int = 2\n"
            ),
        },
        {
            "use.py": "from cenbench.math import A, B\ndef entry(x):\n    return isinstance(x, B)\n",
            "math.py": (
                "from pydantic import BaseModel\nclass A(BaseModel):\n    width: int = 1\n"
                "    height: int = 2\nfrom pydantic import BaseModel\nclass B(BaseModel):\n"
                "    width: int = 1\n    height: int = 2\n"
            ),
        },
    ),
    "a method that torch calls": (
        {
            "use.py": "from cenbench.math import Net\ndef entry(net: Net):\n    return net(1)\n",
            "math.py": ("from torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n        return x\n"),
        },
        {
            "use.py": "from cenbench.math import Net\ndef entry(net: Net):\n    return net(1)\n",
            "math.py": ("from torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n        return -x\n"),
        },
    ),
    "a log line that draws": (
        LOG + "def f(x):\n    return x\n",
        LOG + "def f(x):\n    log.info('%s', next(x))\n    return x\n",
    ),
    "a value that is raised": ("def f(x):\n    raise StopIteration(1)\n", "def f(x):\n    raise StopIteration(2)\n"),
    "the type that is raised": ("def f(x):\n    raise ValueError('a')\n", "def f(x):\n    raise TypeError('a')\n"),
    "something called like an error": (
        ("from torchmetrics import MeanSquaredError\ndef f(x):\n    return MeanSquaredError(squared=True)\n"),
        ("from torchmetrics import MeanSquaredError\ndef f(x):\n    return MeanSquaredError(squared=False)\n"),
    ),
    "an assignment in a message": (
        "def f(x):\n    raise ValueError(y := 1)\n",
        "def f(x):\n    raise ValueError(y := 2)\n",
    ),
    "whether a name of a class is a field": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    n: int = 1\n",
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    n = 1\n",
    ),
    "class variable or field": (
        ("from dataclasses import dataclass\nfrom typing import ClassVar\n@dataclass\nclass f:\n    n: int = 1\n"),
        (
            "from dataclasses import dataclass\nfrom typing import ClassVar\n@dataclass\n"
            "class f:\n    n: ClassVar[int] = 1\n"
        ),
    ),
    "order of fields": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    a: int\n    b: int\n",
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    b: int\n    a: int\n",
    ),
    "a marked function for another": (
        {
            "math.py": "from cenbench.low import g, h\ndef f(x):\n    return g(x)\n",
            "low.py": "# changes no number: text\ndef g(x): ...\ndef h(x): ...\n",
        },
        {
            "math.py": "from cenbench.low import g, h\ndef f(x):\n    return h(x)\n",
            "low.py": "# changes no number: text\ndef g(x): ...\ndef h(x): ...\n",
        },
    ),
    "the mark itself": ("# changes no number: text\ndef f(x):\n    return 1\n", "def f(x):\n    return 1\n"),
    "a mark that is only text": (
        "'''\n# changes no number: text\n'''\ndef f(x):\n    return 1\n",
        "'''\n# changes no number: text\n'''\ndef f(x):\n    return 2\n",
    ),
}


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in {"__init__.py": "", "use.py": USE, "plug/__init__.py": "", **files}.items():
        path = folder / "cenbench" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def digest(folder: Path, code: Code) -> str:
    write(folder, {"math.py": code} if isinstance(code, str) else code)
    return PackageCode(folder).digest(("cenbench.use.entry",), {"cenbench.plug.": ("a",)})


@pytest.mark.parametrize(("before", "after"), SAME.values(), ids=SAME)
def test_same(tmp_path: Path, before: Code, after: Code) -> None:
    assert digest(tmp_path / "before", before) == digest(tmp_path / "after", after)


@pytest.mark.parametrize(("before", "after"), OTHER.values(), ids=OTHER)
def test_other(tmp_path: Path, before: Code, after: Code) -> None:
    assert digest(tmp_path / "before", before) != digest(tmp_path / "after", after)


def test_all_plug_ins_count_where_none_is_chosen(tmp_path: Path) -> None:
    def of(folder: str, a: int, b: int) -> str:
        files = {
            "use.py": LOADS,
            "plug/a.py": f"def f():\n    return {a}\n",
            "plug/b.py": f"def f():\n    return {b}\n",
        }
        write(tmp_path / folder, files)
        return PackageCode(tmp_path / folder).digest(("cenbench.use.entry",), {})

    assert of("again", 1, 2) == of("before", 1, 2)
    assert len({of("before", 1, 2), of("one", 1, 3), of("exchanged", 2, 1)}) == 3


def test_a_module_given_as_an_object_counts_as_far_as_it_is_asked(tmp_path: Path) -> None:
    def of(folder: str, asked: int, unasked: int) -> str:
        given = f"def build():\n    return {asked}\ndef show():\n    return {unasked}\n"
        write(tmp_path / folder, {"use.py": "def entry(given):\n    return given.build()\n", "given.py": given})
        return PackageCode(tmp_path / folder).digest(("cenbench.use.entry", "cenbench.given.*"), {})

    assert of("before", 1, 2) == of("unasked", 1, 3) != of("asked", 2, 2)


def test_an_entry_that_is_absent_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {})
    with pytest.raises(ValueError, match=r"cenbench\.absent\.f is not in the package"):
        PackageCode(tmp_path).digest(("cenbench.absent.f",), {})


def test_marked_modules_count_where_that_is_asked_for(tmp_path: Path) -> None:
    def of(folder: str, number: int) -> str:
        write(tmp_path / folder, {"math.py": f"# changes no number: text\ndef f(x):\n    return {number}\n"})
        return PackageCode(tmp_path / folder, with_marked=True).digest(("cenbench.use.entry",), {})

    assert of("before", 1) != of("after", 2)
