import json
import math

import pytest
import sympy

import symcomp
from symcomp.derivations import NO_FORM, RENDER, as_json, as_latex, as_python, as_text
from symcomp.errors import ArgumentError
from tests.comparison import compare

BALANCED = (("{", "}"), (r"\left", r"\right"), (r"\begin", r"\end"))


@pytest.mark.parametrize("name", ["relu", "gelu", "elu", "hard_tanh", "exp", "monomial"])
@pytest.mark.parametrize("steps", [False, True])
def test_latex_is_balanced(name, steps):
    text = as_latex(symcomp.dual_kernel(name), steps)
    for opening, closing in BALANCED:
        assert text.count(opening) == text.count(closing)
    assert "None" not in text


def test_the_appendix_on_relu_has_every_rung_in_order():
    text = as_latex(symcomp.dual_kernel("relu"), steps=True)
    places = [
        text.index(piece)
        for piece in (
            "Price's theorem",
            r"\delta\left(x\right)",
            r"\frac{1}{2 \pi \sqrt{- c^{2} + q_{u} q_{v}}}",
            r"\frac{1}{4}",
            r"K{\left(c \right)} &= \frac{c \arcsin",
            "At unit variances",
        )
    ]
    assert places == sorted(places)


def test_orthants_are_explained():
    text = as_latex(symcomp.dual_kernel("hard_tanh"), steps=True)
    assert "Stein's identity" in text
    assert r"\Phi_2" in text


def test_python_computes_the_kernel():
    for name in ("relu", "erf", "sin", "exp"):
        ker, room = symcomp.dual_kernel(name), {}
        exec(as_python(ker), room)  # the project's own text, from a catalogue name
        rows = [
            (name, room["kernel"](1.3, 2, 0.5), ker.evaluate(1.3, 2, 0.5)),
            (name, room["correlation"](0.25), ker.evaluate(1, 1, 0.25)),
        ]
        compare(rows, rtol=1e-14, min_points=2)
    with pytest.raises(ArgumentError, match="symcomp generate"):
        as_python(symcomp.dual_kernel("relu6"))


def test_json_is_complete():
    form = json.loads(as_json(symcomp.dual_kernel("exp(x**2/16)")))
    assert form["domain"]
    assert form["symbols"] == ["q_u", "q_v", "c"]
    assert len(form["steps"]) >= 2


def test_without_a_closed_form_every_style_says_so():
    ker = symcomp.dual_kernel("tanh")
    assert NO_FORM in as_text(ker)
    assert NO_FORM in as_latex(ker, steps=True)
    assert json.loads(as_json(ker))["kernel"] is None
    with pytest.raises(ArgumentError, match="no closed form"):
        as_python(ker)
    assert set(RENDER) == {"text", "latex", "python", "json"}


def test_pairs_name_both_activations():
    text = as_latex(symcomp.dual_kernel("relu", "sign"), steps=True)
    assert r"\tau" in text
    value = symcomp.dual_kernel("relu", "sign").evaluate(1, 1, 1)
    compare([("E|Z|/2", value, 1 / math.sqrt(2 * math.pi))], rtol=1e-15)
    assert sympy.sqrt(2) in symcomp.dual_kernel("relu", "sign").expr.atoms(sympy.Pow)
