"""The symbol table: complete, as the model has it, helpful where a name is wrong."""

import pickle
import re

import pytest

from rstan_lite import show
from rstan_lite.classroom.symbols import COLUMNS, SYMBOLS
from rstan_lite.model import RSTAN, RSTANConfig
from rstan_lite.system.errors import ConfigError

PAPER = {
    *("T", "N", "K", "P", "C", "d_cv", "d_fc", "d_att", "d_h"),
    *("CV", "FC", "alpha", "L", "beta", "Phi", "x", "i", "f", "o", "g", "c", "h"),
    *("A_h", "A_cv", "v_a", "b_a", "B_h", "B_L", "v_b", "b_b", "U_x", "U_phi", "U_h", "b", "W"),
    *("alpha_com", "beta_com", "y_hat", "M", "L_main", "L_AA", "L_total"),
    *("gamma_alpha", "gamma_beta", "lambda_AA", "lambda_Theta"),
}
SIZES = {"d_cv": 2, "d_fc": 3, "d_att": 5, "d_h": 7}


def test_every_symbol_of_section_three_is_there() -> None:
    assert set(SYMBOLS) >= PAPER
    for name, symbol in SYMBOLS.items():
        assert all(symbol), name
        assert re.fullmatch(r"Eq\. ([1-9]|1\d)|Sec\. III-[A-D]", symbol.first), name
        assert re.fullmatch(r"a number|\(.*\)", symbol.shape), name


def test_shapes_are_those_of_the_model() -> None:
    cube, vector = {"appearance": SIZES["d_cv"]}, {"appearance": SIZES["d_fc"]}
    config = RSTANConfig(("appearance",), cube, vector, heads={"a": 4}, d_att=5, d_h=7)
    for name, value in RSTAN(config).streams["appearance"].named_parameters():
        shape = eval(SYMBOLS[name].shape.replace("4 ", "4 * "), {}, SIZES)
        assert tuple(value.shape) == shape, name


def test_rows_come_in_the_order_asked_for() -> None:
    table = show.symbols("beta", "CV")
    assert table.columns == COLUMNS
    assert table.column("in code") == ("beta", "CV")
    assert table.column("first in") == ("Eq. 6", "Eq. 1")
    assert "(T, P, d_cv)" in str(table)
    assert show.symbols().column("in code") == tuple(SYMBOLS)  # without names, all rows


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"'gama_alpha'.*Did you mean gamma_alpha\?") as caught:
        show.symbols("CV", "gama_alpha")
    assert "lambda_AA" in str(caught.value)
    pickle.loads(pickle.dumps(caught.value))
